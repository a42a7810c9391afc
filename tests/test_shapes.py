"""The shapes and kinds of arguments that users have."""

import io
import math

import numpy as np
import pytest
import torch
from samples import both_algorithms, relative_error
from torch import nn

import fastspec as fs

M, N = 30, 9
GEN = torch.Generator().manual_seed(0)


def normal(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, generator=GEN, dtype=dtype)


X, C = normal(2, 3, M, 2), normal(2, 3, 4, M)
MODES = (5, 6)


def set_by_set(op, data, *more):
    """The oracle for each of X's sets."""
    rows = [[getattr(fs.reference, op)(X[i, j], data[i, j], *more) for j in range(3)] for i in range(2)]
    return torch.stack([torch.stack(row) for row in rows])


@both_algorithms
@pytest.mark.parametrize("op", ["nufft1", "rnufft1", "nufft2", "rnufft2", "nufft3"])
@pytest.mark.parametrize("through", ["function", "plan"])
def test_points_may_have_any_axes_before_them(op, through):
    last = {"nufft2": MODES, "rnufft2": (5, 4)}.get(op, (M,))
    data = normal(2, 3, 4, *last) + (1j * normal(2, 3, 4, *last) if op != "rnufft1" else 0)
    more = {"nufft2": (), "nufft3": (normal(8, 2),)}.get(op, (MODES,))
    want = set_by_set(op, data, *more)
    if through == "plan" and op != "nufft3":
        got = getattr(fs.Plan(X, MODES), op)(data)
    else:
        got = getattr(fs, op)(X, data, *more)
    assert relative_error(got, want) <= 1e-11


@both_algorithms
@pytest.mark.parametrize("shape", [(M,), (1, M), (1, 1, M), (2, 1, M), (1, 3, 1, M)], ids=str)
def test_strengths_for_all_sets(shape, algorithm):
    c = normal(*shape)
    every = c.expand(2, 3, M) if c.ndim < 4 else c.expand(2, 3, 1, M)
    for call in (lambda c: fs.nufft1(X, c, MODES), fs.Plan(X, MODES).nufft1):
        assert relative_error(call(c), set_by_set("nufft1", every, MODES)) <= 1e-11
    leaf = c.clone().requires_grad_()
    (got,) = torch.autograd.grad(fs.rnufft1(X, leaf, MODES).abs().square().sum(), leaf)
    (want,) = torch.autograd.grad(set_by_set("rnufft1", leaf.expand_as(every), MODES).abs().square().sum(), leaf)
    assert got.shape == c.shape and relative_error(got, want) <= 1e-10


def test_type_3_targets_of_each_set():
    x, c, s = X[0], C[0, :, 0], normal(3, 8, 2)
    want = torch.stack([fs.reference.nufft3(x[i], c[i], s[i]) for i in range(3)])
    assert relative_error(fs.nufft3(x, c, s), want) <= 1e-12
    one_set = torch.stack([fs.reference.nufft3(x[0], c[0], s[i]) for i in range(3)])
    assert relative_error(fs.nufft3(x[0], c[0], s), one_set) <= 1e-12
    with pytest.raises(ValueError, match="s: shape was .* must begin with"):
        fs.nufft3(x, c, s[:2])


def test_one_number_of_modes_is_for_every_dimension():
    x, c = X[0, 0], C[0, 0, 0]
    assert fs.nufft1(x, c, 7).shape == (7, 7)
    assert fs.Plan(x, 7).modes == (7, 7)
    assert fs.SpectralLoss(7, x=x).modes == (7, 7)
    at_call, held = fs.SpectralLoss(7)(c, 0 * c, x), fs.SpectralLoss((7, 7), x=x)(c, 0 * c)
    assert relative_error(at_call, held) <= 1e-14
    assert fs.SpectralMonitor(x, c, 7, peaks=2).frequencies.shape[1] == 2


NUMBERS = {
    "0-d tensor": lambda value: torch.tensor(value, dtype=torch.float64),
    "NumPy scalar": np.float64,
    "single NumPy scalar": np.float32,
    "0-d array": np.array,
    "integer": lambda value: round(value),
}


@pytest.mark.parametrize("kind", NUMBERS)
@pytest.mark.filterwarnings("ignore::fastspec.PeriodWarning")
def test_numbers_of_other_kinds(kind):
    made, x, c = NUMBERS[kind], X[0, 0], C[0, 0, 0]
    for value in (7.0, 2.5):
        period = made(value)
        want = fs.reference.nufft1(x, c, MODES, period=float(period))
        for call in (
            lambda p: fs.nufft1(x, c, MODES, period=p),
            lambda p: fs.Plan(x, MODES, period=p).nufft1(c),
        ):
            assert relative_error(call(period), want) <= 1e-11
        loss = fs.SpectralLoss(MODES, x=x, period=period)(c, 0 * c)
        assert relative_error(loss, (want / M).abs().square().sum()) <= 1e-11
    if kind != "integer":
        rough = fs.Plan(x, MODES, eps=made(1e-3))
        assert rough.planned.grid == fs.Plan(x, MODES, eps=1e-3).planned.grid
        assert rough.choice == fs.Plan(x, MODES, eps=float(made(1e-3))).choice != fs.Plan(x, MODES).choice


@pytest.mark.parametrize("made", [torch.tensor, np.array, list, tuple], ids=["tensor", "array", "list", "tuple"])
def test_sequences_of_other_kinds(made):
    x, c = X[0, 0], C[0, 0, 0]
    want = fs.reference.nufft1(x, c, MODES, period=(7.0, 2.5))
    assert relative_error(fs.nufft1(x, c, made([5, 6]), period=made([7.0, 2.5])), want) <= 1e-11
    with pytest.raises(ValueError, match="period: was"):
        fs.nufft1(x, c, MODES, period=made([7.0, 2.5, 1.0]))


# --- ragged sets ------------------------------------------------------------------------------------------------------


def ragged(lengths=(12, M, 7)):
    points, values, targets = ([normal(n, *last) for n in lengths] for last in ((2,), (1,), (1,)))
    return points, values, targets


def padded(parts):
    return torch.nested.nested_tensor(parts, layout=torch.jagged).to_padded_tensor(0.0)


@both_algorithms
@pytest.mark.parametrize("planned", [False, True], ids=["function", "plan"])
def test_ragged_sets_are_padded_with_strengths_of_zero(planned):
    points, values, _ = ragged()
    x, c = padded(points), padded(values)[..., 0]
    plan = fs.Plan(x, MODES)
    got = plan.nufft1(c) if planned else fs.nufft1(x, c, MODES)
    back = plan.nufft2(got) if planned else fs.nufft2(x, got)
    for i, (own, strengths) in enumerate(zip(points, values, strict=True)):
        want = fs.reference.nufft1(own, strengths[:, 0], MODES)
        assert relative_error(got[i], want) <= 1e-11
        assert relative_error(back[i, : len(own)], fs.reference.nufft2(own, want)) <= 1e-11


@both_algorithms
@pytest.mark.filterwarnings("ignore::fastspec.PeriodWarning")
def test_a_loss_of_ragged_sets_takes_a_mask_for_its_quadrature(algorithm):
    """And gradients reach the jagged tensors that were padded."""
    points, values, targets = ragged()
    pred = torch.nested.nested_tensor(values, layout=torch.jagged, requires_grad=True)
    mask = padded([torch.ones(len(p), dtype=torch.float64) for p in points])
    loss = fs.SpectralLoss(MODES, x=padded(points), quadrature=mask / mask.sum(-1, keepdim=True))
    value = loss(pred.to_padded_tensor(0.0), padded(targets))
    each = [fs.SpectralLoss(MODES, x=x)(p, t) for x, p, t in zip(points, values, targets, strict=True)]
    assert relative_error(value, torch.stack(each).mean()) <= 1e-11
    value.backward()
    for own, p, x, t in zip(pred.grad.unbind(), values, points, targets, strict=True):
        leaf = p.clone().requires_grad_()
        (want,) = torch.autograd.grad(fs.SpectralLoss(MODES, x=x)(leaf, t), leaf)
        assert relative_error(own, want / len(points)) <= 1e-10


# --- what is saved ----------------------------------------------------------------------------------------------------


def loaded(thing):
    """By torch.load's defaults."""
    file = io.BytesIO()
    torch.save(thing, file)
    file.seek(0)
    return torch.load(file)


WEIGHTS = {
    "none": None,
    "tensor": torch.arange(30.0).reshape(MODES),
    "sobolev": fs.weights.sobolev(1.0),
    "power": fs.weights.power(0.5),
    "band": fs.weights.band(1.0, 3.0),
    "focal": fs.weights.focal(1.0),
    "lfp": fs.weights.lfp(period=2 * math.pi),
}


@pytest.mark.parametrize("weight", WEIGHTS)
def test_losses_of_every_weight_load(weight):
    x, c = X[0, 0], C[0, 0, 0]
    loss = fs.SpectralLoss(MODES, x=x, weight=WEIGHTS[weight], quadrature=torch.rand(M, generator=GEN).double())
    want = loss(c, 0 * c)
    assert loaded(loss)(c, 0 * c).item() == want.item()


def test_plans_and_monitors_load():
    x, c = X[0, 0], C[0, 0, 0]
    for points in (x, nn.Parameter(x.clone())):
        plan = fs.Plan(points, MODES, eps=1e-9, period=(7.0, 8.0), order="fft")
        again = loaded(plan)
        assert torch.equal(again.nufft1(c), plan.nufft1(c))
        assert len(list(again.parameters())) == len(list(plan.parameters()))
    monitor = fs.SpectralMonitor(x, c, MODES, peaks=2)
    monitor.update(0, 1.1 * c)
    again = loaded(monitor)
    assert again.steps == [0] and torch.equal(again.errors, monitor.errors)


def test_states_of_another_size_are_refused():
    x, c = X[0, 0], C[0, 0, 0]
    weight, q = torch.rand(MODES, generator=GEN), torch.rand(M, generator=GEN)
    made = {"x": x, "weight": weight, "quadrature": q.double()}
    state = fs.SpectralLoss(MODES, **made).state_dict()
    other = fs.SpectralLoss(MODES, **{**made, "x": x + 1, "weight": 2 * weight})
    other.load_state_dict(state)
    assert torch.equal(other(c, 0 * c), fs.SpectralLoss(MODES, **made)(c, 0 * c))
    for name, cut in (("plan.x", slice(-1)), ("weight", slice(-1)), ("quadrature", slice(-1))):
        with pytest.raises(RuntimeError, match=f"size mismatch for {name}"):
            other.load_state_dict({**state, name: state[name][cut]})
    with pytest.raises((ValueError, RuntimeError), match="modes: was"):
        fs.Plan(x, (5, 5)).load_state_dict(fs.Plan(x, MODES).state_dict())


# --- precision --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("op", ["nufft1", "rnufft1", "nufft2", "rnufft2"])
@pytest.mark.parametrize("through", ["function", "plan"])
def test_the_precision_is_that_of_the_data(op, through, monkeypatch):
    """float64 points far from the origin keep their digits in float32 work: in float32 they would not."""
    from fastspec._core import ops

    x = 1000 * math.pi + X[0, 0]
    last = {"nufft2": MODES, "rnufft2": (5, 4)}.get(op, (M,))
    data = normal(*last, dtype=torch.float32)
    data = data if op == "rnufft1" else torch.complex(data, normal(*last, dtype=torch.float32))
    more = () if op == "nufft2" or through == "plan" else (MODES,)
    seen = []
    for name in ("spread", "interpolate"):
        plain = getattr(ops, name)
        monkeypatch.setattr(ops, name, lambda *a, plain=plain: (seen.append(a[1].dtype), plain(*a))[1])
    got = getattr(fs.Plan(x, MODES), op)(data) if through == "plan" else getattr(fs, op)(x, data, *more)
    exact = getattr(fs.reference, op)(
        x, data.to(torch.float64 if op == "rnufft1" else torch.complex128), *(() if op == "nufft2" else (MODES,))
    )
    assert got.dtype in (torch.complex64, torch.float32) and set(seen) <= {torch.float32, torch.complex64} and seen
    assert relative_error(got, exact) <= 2e-6


def test_a_loss_of_float64_points_is_in_float32_where_its_data_are():
    x, c = 1000 * math.pi + X[0, 0], C[0, 0, 0]
    exact = fs.SpectralLoss(MODES, x=x)(c, 0 * c)
    pred = c.float().requires_grad_()
    for loss in (fs.SpectralLoss(MODES, x=x), lambda *data: fs.SpectralLoss(MODES)(*data, x)):
        value = loss(pred, 0 * pred.detach())
        assert value.dtype == torch.float32 and relative_error(value, exact) <= 2e-6
        (slope,) = torch.autograd.grad(value, pred)
        leaf = c.clone().requires_grad_()
        (want,) = torch.autograd.grad(fs.SpectralLoss(MODES, x=x)(leaf, 0 * c), leaf)
        assert slope.dtype == torch.float32 and relative_error(slope, want) <= 5e-6
