"""A loss follows what it was made of: points, weights and quadrature that change, and gradients to all of them."""

import pytest
import torch
from samples import relative_error
from torch import nn

import fastspec as fs

M, N = 60, 14
GEN = torch.Generator().manual_seed(0)
X = torch.rand(M, 1, generator=GEN, dtype=torch.float64) * 6
PRED, NOISE = (torch.randn(M, generator=GEN, dtype=torch.float64) for _ in range(2))
TARGET = NOISE + 3 * X[:, 0].cos()
both = pytest.mark.parametrize("algorithm", ["gridding", "direct"], indirect=True)


def exact(x, weight=1.0, q=1 / M, pred=PRED):
    return (weight * fs.reference.nufft1(x, (pred - TARGET) * q, N).abs().square()).sum()


@both
@pytest.mark.parametrize("kind", [nn.Parameter, torch.clone], ids=["parameter", "buffer"])
def test_points_that_move_in_place_are_sorted_again(kind, algorithm):
    x = kind(X.clone())
    loss, plan = fs.SpectralLoss(N, x=x), fs.Plan(x, N)
    loss(PRED, TARGET), plan.rnufft1(PRED)
    with torch.no_grad():
        x.add_(torch.linspace(0, 5, M, dtype=torch.float64).unsqueeze(-1))
    assert relative_error(loss(PRED, TARGET), exact(x)) <= 1e-10
    assert relative_error(plan.nufft1(PRED), fs.reference.nufft1(x, PRED, N)) <= 1e-10
    if isinstance(x, nn.Parameter):
        assert list(plan.parameters()) == [x] and list(loss.parameters()) == [x]
        got, want = (torch.autograd.grad(v, x)[0] for v in (loss(PRED, TARGET), exact(x)))
        assert relative_error(got, want) <= 1e-9


def test_points_that_no_memory_holds_yet_are_not_trusted():
    """to_empty leaves any numbers: they are refused, or sorted as they are, and the kernels see neither."""
    plan = fs.Plan(X.to("meta"), N, algorithm="gridding").to_empty(device="cpu")
    plan.load_state_dict(fs.Plan(X, N).state_dict())
    assert relative_error(plan.rnufft1(PRED), fs.reference.rnufft1(X, PRED, N)) <= 1e-10


@pytest.mark.parametrize("name", ["order", "position", "starts"])
@pytest.mark.parametrize(
    "change", [lambda t: t + 500, lambda t: t * 0 - 1, lambda t: t.flip(1)], ids=["+", "-", "flip"]
)
def test_raw_ops_refuse_points_that_are_not_sorted(name, change):
    plan = fs.Plan(X.float(), N, algorithm="gridding")
    points, fine = plan.planned.points.sorted, plan.choice.gridding
    bad = points._replace(**{name: change(getattr(points, name)).contiguous()})
    if name == "order" and change(points.order).max() < M and change(points.order).min() >= 0:
        pytest.skip("another permutation")
    if name == "position" and torch.equal(bad.position, points.position):
        pytest.skip("the same")
    ops, values = torch.ops.fastspec, torch.zeros(1, 1, M)
    grid = torch.zeros(1, 1, *fine.cells)
    calls = [
        lambda: ops.spread(*bad, values, fine.cells, fine.tile),
        lambda: ops.interpolate(*bad, grid, fine.tile),
        lambda: ops.interpolate_slopes(*bad, grid, fine.tile),
        lambda: ops.interpolate_gradient(*bad, grid, values, fine.tile, True),
    ]
    for call in calls:
        try:
            call()
        except RuntimeError as refusal:
            assert "not of points sorted for this grid" in str(refusal)
        else:
            assert name == "position"  # another place within the tile


class Learned(nn.Module):
    def __init__(self):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(0.7, dtype=torch.float64))

    def forward(self, k):
        return 1 + self.slope * k.square().sum(-1)


@both
def test_a_weight_that_changes_in_place_is_folded_anew(algorithm):
    weight, plan = torch.linspace(1, 2, N, dtype=torch.float64), fs.Plan(X, N)
    held = fs.SpectralLoss(N, x=X, weight=weight)
    for factor in (1.0, 3.0):
        weight.mul_(factor)
        for loss in (held(PRED, TARGET), fs.spectral_loss(plan, PRED, TARGET, weight)):
            assert relative_error(loss, exact(X, weight)) <= 1e-10


@both
def test_a_callable_weight_is_asked_at_each_call(algorithm):
    weight, k = Learned(), fs.Plan(X, N).k.double()
    loss = fs.SpectralLoss(N, x=X, weight=weight)
    for slope in (0.7, 0.0, 2.0):
        weight.slope.data.fill_(slope)
        got, want = loss(PRED, TARGET), exact(X, weight(k))
        assert relative_error(got, want) <= 1e-10
        pair = [torch.autograd.grad(v, weight.slope)[0] for v in (got, want)]
        assert relative_error(*pair) <= 1e-9
    state = [1.0]
    held = fs.SpectralLoss(N, x=X, weight=lambda k: state[0] + k.square().sum(-1))
    for state[0] in (1.0, 1.0, 3.0):
        assert relative_error(held(PRED, TARGET), exact(X, state[0] + k.square().sum(-1))) <= 1e-10


@both
@pytest.mark.parametrize("sets", [None, 3])
def test_gradients_flow_to_the_quadrature(sets, algorithm):
    shape = (M,) if sets is None else (sets, M)
    q = torch.rand(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).requires_grad_()
    x = X if sets is None else torch.stack([X, X + 0.3, X * 0.9])
    pred, target = (t if sets is None else torch.stack([t] * sets).unsqueeze(-1) for t in (PRED, TARGET))
    got = fs.SpectralLoss(N, x=x, quadrature=q)(pred.clone().requires_grad_(), target)
    want = exact(x, q=q) if sets is None else sum(exact(x[i], q=q[i]) for i in range(sets)) / sets
    assert relative_error(got, want) <= 1e-10
    assert relative_error(*(torch.autograd.grad(v, q)[0] for v in (got, want))) <= 1e-10


def test_zeros_of_the_quadrature_mask_ragged_sets():
    q = torch.full((2, M), 1 / 40, dtype=torch.float64)
    q[1, 40:] = 0
    q[0] = 1 / M
    pred, target = (torch.stack([t, t]).unsqueeze(-1) for t in (PRED, TARGET))
    got = fs.SpectralLoss(N, x=torch.stack([X, X]), quadrature=q, reduction="none")(pred, target)
    alone = fs.SpectralLoss(N, x=X[:40])(PRED[:40], TARGET[:40])
    assert relative_error(got[1, 0], alone) <= 1e-10


def test_a_shuffled_batch_says_which_points_it_has():
    index = torch.randperm(M, generator=torch.Generator().manual_seed(2))
    q = torch.rand(M, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for options in ({}, {"quadrature": q}):
        loss = fs.SpectralLoss(N, x=X, **options)
        assert relative_error(loss(PRED[index], TARGET[index], index=index), loss(PRED, TARGET)) <= 1e-10
    some = index[:20]
    got = fs.SpectralLoss(N, x=X)(PRED[some], TARGET[some], index=some)
    assert relative_error(got, fs.SpectralLoss(N, x=X[some])(PRED[some], TARGET[some])) <= 1e-10
    with pytest.raises(ValueError, match="index: was given"):
        loss(PRED, TARGET, X, index=index)


@pytest.mark.parametrize("kind", ["first", "last"])
def test_images_on_a_grid_of_points(kind):
    h, w = 5, 7
    axes = torch.meshgrid(torch.linspace(0, 6, h), torch.linspace(0, 5, w), indexing="ij")
    x = torch.stack(axes, -1).reshape(-1, 2).double()
    pred, target = (torch.randn(4, 3, h, w, generator=torch.Generator().manual_seed(i)).double() for i in range(2))
    target += 3 * axes[0].cos()
    rows = [t.flatten(2).mT for t in (pred, target)]
    want = fs.SpectralLoss(4, x=x)(*rows)
    images = [pred, target] if kind == "first" else [t.movedim(1, -1) for t in (pred, target)]
    loss = fs.SpectralLoss(4, x=x, channels=kind)
    assert loss.modes == (4, 4) and isinstance(loss, nn.modules.loss._Loss)
    for _ in range(2):
        assert relative_error(loss(*images), want) <= 1e-12
    if kind == "first":
        stored = [t.contiguous(memory_format=torch.channels_last) for t in images]
        assert relative_error(loss(*stored), want) <= 1e-12


def test_half_data_under_autocast_are_measured_in_float32():
    pred, target = (100 * (300 + PRED)).half(), TARGET.half()
    loss = fs.SpectralLoss(N, x=X.float())
    want = loss(pred.float(), target.float())
    with torch.autocast("cpu", torch.float16):
        got = loss(pred, target)
    assert got.dtype == torch.float32 and torch.isfinite(got)
    assert relative_error(got, want) <= 1e-6


def test_an_empty_batch_is_nan_as_of_mean_squared_errors():
    empty = torch.zeros(0, M, 1, dtype=torch.float64, requires_grad=True)
    for options in ({}, {"relative": True}):
        value = fs.SpectralLoss(N, x=X, **options)(empty, torch.zeros(0, M, 1, dtype=torch.float64))
        assert value.isnan()
        value.backward()
    assert empty.grad.shape == empty.shape


@both
@pytest.mark.parametrize("op", ["nufft1", "nufft2", "rnufft1", "rnufft2"])
def test_an_empty_batch_of_transforms(op, algorithm):
    last = {"nufft1": M, "nufft2": N, "rnufft1": M, "rnufft2": N // 2 + 1}[op]
    data = torch.zeros(0, last, dtype=torch.float64 if op == "rnufft1" else torch.complex128, requires_grad=True)
    out = getattr(fs, op)(X, data, *([] if op == "nufft2" else [N]))
    assert out.shape == (0, {"nufft1": N, "nufft2": M, "rnufft1": N // 2 + 1, "rnufft2": M}[op])
    out.abs().sum().backward()
    assert data.grad.shape == data.shape


def test_a_monitor_of_points_that_moved_refuses():
    x, target = X.clone(), torch.sin(3 * X[:, 0])
    monitor = fs.SpectralMonitor(x, target, N, peaks=torch.tensor([[3.0], [5.0]]))
    monitor.update(0, PRED)
    x.mul_(1.1)
    with pytest.raises(ValueError, match="x: was changed in place"):
        monitor.update(1, PRED)


def test_a_monitor_is_saved_and_comes_back():
    target = torch.sin(3 * X[:, 0])
    monitor, other = (fs.SpectralMonitor(X, target, N, peaks=torch.tensor([[3.0], [5.0]])) for _ in range(2))
    monitor.update(0, PRED)
    other.load_state_dict(monitor.state_dict())
    assert other.steps == [0] and torch.equal(other.errors, monitor.errors)
    with pytest.raises(ValueError, match="x: was another"):
        fs.SpectralMonitor(X[:-1], target[:-1], N, peaks=torch.tensor([[3.0], [5.0]])).load_state_dict(
            monitor.state_dict()
        )
