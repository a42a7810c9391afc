"""The loss on frequencies of one's own, against its formula by direct sums, and the frequencies drawn for it."""

import math

import pytest
import torch
from samples import TAU, any_box, relative_error
from torch import nn
from torch.autograd import gradcheck, gradgradcheck

import fastspec as fs

SOBOLEV = fs.weights.sobolev(0.7)


def scattered(d=5, m=40, k=17, shape=(2,), dtype=torch.float64, seed=0):
    """Points, prediction and target, and wavenumbers."""
    gen = torch.Generator().manual_seed(seed)
    x, frequencies = (torch.randn(n, d, generator=gen, dtype=torch.float64) for n in (m, k))
    values = (*shape[:-1], m, shape[-1]) if shape else (m,)
    pred, target = (torch.randn(values, generator=gen, dtype=dtype) for _ in range(2))
    return x, pred, target, frequencies


def spectrum(x, values, k, quadrature=None, period=TAU):
    values = values if values.ndim == 1 else values.movedim(-1, -2)
    s = k.double() * (TAU / torch.as_tensor(period, dtype=torch.float64))
    return fs.reference.nufft3(x.double(), values * (1 / x.shape[0] if quadrature is None else quadrature), s)


def formula(x, pred, target, k, weight=None, **options):
    """Sum over k of w |F_k|^2, per batch row and channel."""
    w = weight(k) if callable(weight) else 1.0 if weight is None else weight
    return (w * spectrum(x, pred - target, k, **options).abs() ** 2).sum(-1)


WEIGHTS = {"none": None, "tensor": torch.linspace(0, 2, 17, dtype=torch.float64), "callable": SOBOLEV}


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128], ids=str)
@pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
@pytest.mark.parametrize("d", [1, 2, 5, 9])
def test_value_and_gradients_are_the_formulas(d, weight, dtype):
    x, *values, k = scattered(d, dtype=dtype)
    inputs = [t.requires_grad_() for t in (*values, x)]
    got = fs.SpectralLoss(frequencies=k, weight=weight)(*values, x=x)
    want = formula(x, *values, k, weight).mean()
    assert got.item() == pytest.approx(want.item(), rel=1e-12)
    for g, w in zip(*(torch.autograd.grad(v, inputs) for v in (got, want)), strict=True):
        assert relative_error(g, w) <= 1e-12


def test_float32_on_every_instruction_set(instruction_set):
    x, pred, target, k = (t.float() for t in scattered(8, m=3000, k=200))
    pred.requires_grad_()
    exact = pred.detach().double().requires_grad_()
    got = fs.SpectralLoss(frequencies=k, x=x, weight=SOBOLEV)(pred, target)
    want = formula(x, exact, target.double(), k, SOBOLEV).mean()
    assert got.dtype == torch.float32
    assert got.item() == pytest.approx(want.item(), rel=3e-6)
    assert relative_error(torch.autograd.grad(got, pred)[0], torch.autograd.grad(want, exact)[0]) <= 3e-6


@any_box
@pytest.mark.parametrize("modes", [(8,), (5, 4), (4, 3, 2)], ids=str)
def test_is_the_loss_on_a_grid_of_modes(modes):
    x, pred, target, _ = scattered(len(modes))
    axes = [fs.reference.wavenumbers(n).double() for n in modes]
    k = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)
    options = {"x": x, "period": tuple(range(3, 3 + len(modes))), "relative": True}
    got = fs.SpectralLoss(frequencies=k.flatten(0, -2), weight=SOBOLEV, **options)(pred, target)
    assert got.item() == pytest.approx(
        fs.SpectralLoss(modes, weight=SOBOLEV, eps=1e-13, **options)(pred, target).item()
    )


@any_box
def test_modes_in_more_than_three_dimensions():
    modes = (3, 2, 4, 3)
    x, pred, target, _ = scattered(4)
    k = torch.cartesian_prod(*(fs.reference.wavenumbers(n) for n in modes)).double()
    want = formula(x, pred, target, k, SOBOLEV, period=(1.0, 2.0, 3.0, 4.0)).mean().item()
    tensor = SOBOLEV(k).reshape(modes)
    for weight in (SOBOLEV, tensor):
        got = fs.SpectralLoss(modes, x=x, weight=weight, period=(1.0, 2.0, 3.0, 4.0))(pred, target)
        assert got.item() == pytest.approx(want, rel=1e-12)


def test_a_period_costs_float32_no_digits():
    """2 pi k / period rounded to float32 would turn a phase of 10^4 by 10^-3."""
    x, pred, target, _ = (t.float() for t in scattered(2, m=300))
    k = torch.randint(-2000, 2000, (50, 2), generator=torch.Generator().manual_seed(1)).float()
    pred.requires_grad_()
    exact = pred.detach().double().requires_grad_()
    got = fs.SpectralLoss(frequencies=k, x=x, period=(1.0, 0.7))(pred, target)
    want = formula(x, exact, target.double(), k, period=(1.0, 0.7)).mean()
    assert got.item() == pytest.approx(want.item(), rel=3e-6)
    assert relative_error(torch.autograd.grad(got, pred)[0], torch.autograd.grad(want, exact)[0]) <= 3e-6


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_options(reduction, relative):
    x, pred, target, k = scattered(shape=(3, 2))
    q = torch.rand(len(x), dtype=torch.float64)
    rows = formula(x, pred, target, k, SOBOLEV, quadrature=q)
    if relative:
        rows = rows / formula(x, target, 0 * target, k, SOBOLEV, quadrature=q)
    want = rows if reduction == "none" else getattr(rows, reduction)()
    options = {"quadrature": q, "relative": relative, "reduction": reduction}
    got = fs.SpectralLoss(frequencies=k, x=x, weight=SOBOLEV, **options)(pred, target)
    assert relative_error(got, want) <= 1e-12


@pytest.mark.parametrize("relative", [False, True])
def test_focal_weight_is_a_constant_to_the_gradient(relative):
    x, pred, target, k = scattered(shape=(3,))
    pred.requires_grad_()
    error = spectrum(x, pred - target, k)
    w = (error.detach().abs() ** 1.5).abs()
    w = w / w.amax(-1, keepdim=True)
    want = (w * error.abs() ** 2).sum(-1)
    want = (want / (w * spectrum(x, target, k).abs() ** 2).sum(-1) if relative else want).mean()
    got = fs.SpectralLoss(frequencies=k, x=x, weight=fs.weights.focal(1.5), relative=relative)(pred, target)
    assert got.item() == pytest.approx(want.item(), rel=1e-12)
    assert relative_error(*(torch.autograd.grad(v, pred)[0] for v in (got, want))) <= 1e-12


def test_point_sets_go_with_rows_of_the_batch():
    sets = [scattered(seed=seed) for seed in range(3)]
    x, pred, target = (torch.stack(parts) for parts in list(zip(*sets, strict=True))[:3])
    k = sets[0][3]
    got = fs.SpectralLoss(frequencies=k, x=x, reduction="none")(pred, target)
    assert relative_error(got, torch.stack([formula(*one[:3], k) for one in sets])) <= 1e-12


def test_gradcheck():
    x, pred, target, k = (t.requires_grad_() for t in scattered(3, m=4, k=3))
    assert gradcheck(lambda k, *a: fs.SpectralLoss(frequencies=k, weight=SOBOLEV)(*a), (k, pred, target, x))
    assert gradgradcheck(lambda k, *a: fs.SpectralLoss(frequencies=k)(*a), (k, pred, target, x))


def test_frequencies_can_be_learnt():
    x, pred, target, k = scattered()
    loss = fs.SpectralLoss(frequencies=nn.Parameter(k), x=x)
    loss(pred, target).backward()
    assert [name for name, _ in loss.named_parameters()] == ["frequencies"]
    assert loss.frequencies.grad.abs().sum() > 0


def test_frequencies_are_asked_anew_at_each_call():
    x, pred, target, _ = scattered(3)
    drawn = []

    def draw():
        drawn.append(fs.weights.sample_sobolev(20, 3, -3.0, dtype=torch.float64))
        return drawn[-1]

    loss = fs.SpectralLoss(frequencies=draw, x=x)
    values = [loss(pred, target).item() for _ in range(2)]
    assert values == pytest.approx([formula(x, pred, target, k).mean().item() for k in drawn], rel=1e-12)
    assert len(drawn) == 2 and values[0] != values[1]


def test_compiled_training_step():
    torch.compiler.reset()
    x, _, target, k = scattered(5, shape=(1,))
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    loss = fs.SpectralLoss(frequencies=k, x=x, weight=SOBOLEV, period=3.0)

    def step(points):
        return loss(model(points), target)

    found = []
    for call in (step, torch.compile(step, fullgraph=True, backend="aot_eager")):
        value = call(x)
        found.append((value, *torch.autograd.grad(value, tuple(model.parameters()))))
    assert all(relative_error(g, w) <= 1e-12 for g, w in zip(*found, strict=True))


def test_moves_and_saves(tmp_path):
    x, pred, target, k = scattered()
    loss = fs.SpectralLoss(frequencies=k, x=x)
    torch.save(loss, tmp_path / "loss.pt")
    again = torch.load(tmp_path / "loss.pt", weights_only=False)
    assert again(pred, target).item() == loss(pred, target).item()
    assert loss.float()(pred.float(), target.float()).dtype == torch.float32


X, V = torch.zeros(8, 4), torch.zeros(8)
BAD = {
    "neither": (lambda: fs.SpectralLoss(), ValueError, "modes, frequencies"),
    "both": (lambda: fs.SpectralLoss(4, frequencies=X), ValueError, "modes, frequencies"),
    "text": (lambda: fs.SpectralLoss(frequencies="all"), TypeError, "frequencies"),
    "sets": (lambda: fs.SpectralLoss(frequencies=X[None]), ValueError, "frequencies"),
    "integers": (lambda: fs.SpectralLoss(frequencies=X.long()), TypeError, "frequencies"),
    "no tensor asked": (lambda: fs.SpectralLoss(frequencies=lambda: 3, x=X)(V, V), TypeError, "frequencies"),
    "another dimension": (lambda: fs.SpectralLoss(frequencies=X[:, :3], x=X)(V, V), ValueError, "x"),
    "no points": (lambda: fs.SpectralLoss(frequencies=X)(V, V), ValueError, "x"),
    "not finite": (lambda: fs.SpectralLoss(frequencies=X, x=X + math.nan)(V, V), ValueError, "x"),
    "weight of another length": (lambda: fs.SpectralLoss(frequencies=X, weight=V[:3]), ValueError, "weight"),
    "weight returned so": (
        lambda: fs.SpectralLoss(frequencies=X, x=X, weight=lambda k: V[:3])(V, V),
        ValueError,
        "weight",
    ),
    "period": (lambda: fs.SpectralLoss(frequencies=X, period=(1.0, 2.0)), ValueError, "period"),
    "pred too short": (lambda: fs.SpectralLoss(frequencies=X, x=X)(V[:3], V[:3]), ValueError, "pred"),
    "too many modes": (lambda: fs.SpectralLoss((64,) * 5), ValueError, "modes"),
    "integrable": (lambda: fs.weights.sample_sobolev(4, 3, -1.5), ValueError, "s"),
    "count": (lambda: fs.weights.sample_sobolev(0, 3, -2.0), ValueError, "K"),
    "radius": (lambda: fs.weights.sample_sobolev(4, 3, 1.0, radius=0.0), ValueError, "radius"),
}


@pytest.mark.parametrize(("call", "error", "name"), BAD.values(), ids=BAD)
def test_bad_input(call, error, name):
    with pytest.raises(error, match=rf"^{name}\b"):
        call()


# --- sampling ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("d", "s", "radius"),
    [(1, -1.0, None), (3, -2.5, None), (8, -6.0, None), (2, 1.5, 3.0), (6, 0.0, 2.0), (3, -1.0, 9.0)],
)
def test_mean_over_samples_estimates_the_sobolev_norm(d, s, radius, gen):
    """Of |F|^2 = exp(-|k|^2), whose norm is a radial integral, within five standard errors."""
    k = fs.weights.sample_sobolev(200_000, d, s, gen, radius=radius, dtype=torch.float64)
    assert k.shape == (200_000, d)
    r = torch.linspace(0, math.asinh(radius or 1e6), 200_001, dtype=torch.float64).sinh()
    density = r ** (d - 1) * (1 + r**2) ** s
    want = (torch.trapezoid(density * torch.exp(-(r**2)), r) / torch.trapezoid(density, r)).item()
    values = torch.exp(-k.square().sum(1))
    assert abs(values.mean().item() - want) <= 5 * values.std().item() / len(k) ** 0.5 + 1e-5
    norms = k.norm(dim=1)
    assert (k / norms[:, None]).mean(0).norm() <= 0.02
    assert radius is None or norms.max() <= radius + 1e-9


def test_sampling_repeats_with_its_generator():
    first, second = (fs.weights.sample_sobolev(5, 2, -3.0, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second) and first.dtype == torch.float32
