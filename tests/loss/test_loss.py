"""SpectralLoss against mean-squared error where the two are one, and against its formula by direct sums elsewhere."""

import itertools

import pytest
import torch
from samples import TAU, Case, any_box, both_algorithms, make_sample, relative_error
from scattered import EVEN, SIZES, lopsided, scattered, wavenumbers
from torch.autograd import gradcheck, gradgradcheck
from torch.nn.functional import mse_loss
from torch.utils._python_dispatch import TorchDispatchMode

import fastspec as fs


def random_weight(k):
    return torch.rand(k.shape[:-1], generator=torch.Generator().manual_seed(5), dtype=torch.float64)


WEIGHTS = {
    "none": lambda modes: None,
    "tensor": lambda modes: random_weight(wavenumbers(modes)),
    "callable": lambda modes: lopsided,
    "sobolev": lambda modes: fs.weights.sobolev(1.5),
    "power": lambda modes: fs.weights.power(0.5),
    "band": lambda modes: fs.weights.band(1.0, 3.0),
}


def spectrum(x, values, modes, quadrature=None, period=TAU):
    """F_k of values shaped (M,) or (..., M, C), as (..., C, *modes)."""
    values = values if values.ndim == 1 else values.movedim(-1, -2)
    q = 1 / x.shape[-2] if quadrature is None else quadrature
    return fs.reference.nufft1(x, q * values, modes, period=period)


def formula(x, pred, target, modes, weight=None, **options):
    """Σ_k w|F_k|² per batch row and channel, by direct sums."""
    w = torch.ones(modes, dtype=torch.float64) if weight is None else weight
    w = w(wavenumbers(modes)) if callable(w) else w
    power = spectrum(x, pred - target, modes, **options).abs() ** 2
    return (w * power).sum(tuple(range(-len(modes), 0)))


@both_algorithms
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex128], ids=str)
@pytest.mark.parametrize("modes", [*SIZES.values(), *EVEN.values(), (1,), (2,)], ids=str)
def test_is_mean_squared_error_on_uniform_points(modes, dtype, gen):
    axes = [torch.arange(n, dtype=torch.float64) * TAU / n for n in modes]
    x = torch.cartesian_prod(*axes).reshape(-1, len(modes)).to(dtype.to_real())
    pred, target = (torch.randn(x.shape[0], 2, generator=gen, dtype=dtype) for _ in range(2))
    pred.requires_grad_()
    got = fs.SpectralLoss(modes, x=x, eps=1e-14 if x.dtype == torch.float64 else None)(pred, target)
    want = (pred - target).abs().square().mean()
    rounding = 2e-6 if dtype == torch.float32 else 1e-12
    assert got.item() == pytest.approx(want.item(), rel=rounding)
    grads = [torch.autograd.grad(value, pred)[0] for value in (got, want)]
    assert relative_error(grads[0], grads[1]) <= rounding


@both_algorithms
@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.parametrize("modes", [*SIZES.values(), *EVEN.values()], ids=str)
def test_value_and_gradients_are_the_formulas(modes, name, device):
    weight = WEIGHTS[name](modes)
    x, *values = (t.requires_grad_() for t in scattered(modes))
    here = weight.to(device) if isinstance(weight, torch.Tensor) else weight
    got = fs.SpectralLoss(modes, weight=here, eps=1e-12)(*(t.to(device) for t in values), x=x.to(device))
    want = formula(x, *values, modes, weight)
    assert got.item() == pytest.approx(want.item(), rel=1e-11)
    got, want = (torch.autograd.grad(value, (*values, x)) for value in (got, want))
    for g, w in zip(got, want, strict=True):
        assert relative_error(g, w) <= 1e-10


@pytest.mark.parametrize("modes", [(6, 6), (5, 5), (4, 4, 4)], ids=str)
@pytest.mark.parametrize("step", [None, "composed"])
def test_weight_of_axes_of_the_same_length_is_not_mixed_up(modes, step, gen):
    x = torch.rand(40, len(modes), generator=gen, dtype=torch.float64) * TAU
    pred = torch.randn(40, generator=gen, dtype=torch.float64)
    weight = 5 + wavenumbers(modes)[..., 0] + 10 * wavenumbers(modes)[..., -1].square()
    with fs.override(step=step):
        got = fs.SpectralLoss(modes, x=x, weight=weight)(pred, torch.zeros_like(pred))
    want = (weight * spectrum(x, pred, modes).abs().square()).sum()
    assert got.item() == pytest.approx(want.item(), rel=1e-11)


def test_weights_are_what_they_are_called():
    k = torch.tensor([[0.0, 0.0], [3.0, -4.0], [0.0, 1.0], [-2.0, 0.0]])
    w = fs.weights
    assert w.sobolev(1.5)(k).tolist() == pytest.approx([1, 26**1.5, 2**1.5, 5**1.5])
    assert w.sobolev(-1.0)(k).tolist() == pytest.approx([1, 1 / 26, 1 / 2, 1 / 5])
    assert w.power(0.5)(k)[1:].tolist() == pytest.approx([5**0.5, 1, 2**0.5])
    assert w.power(-1.0)(k).isfinite().all()
    assert w.band(1, 2)(k).tolist() == [0, 0, 1, 1]


@both_algorithms
@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("modes", [SIZES[1], EVEN[2]], ids=str)
def test_focal_weight_is_a_constant_to_the_gradient(modes, alpha):
    x, pred, target = scattered(modes)
    loss = fs.SpectralLoss(modes, x=x, weight=fs.weights.focal(alpha), eps=1e-12)
    error = spectrum(x, pred - target, modes).abs() ** alpha
    pred.requires_grad_()
    moved = x.clone().requires_grad_()
    want = formula(moved, pred, target, modes, error / error.max())
    wanted = torch.autograd.grad(want, (pred, moved))
    held, given = loss(pred, target), loss(pred, target, x=moved)
    assert relative_error(torch.stack([held, given]), torch.stack([want, want])) <= 1e-11
    assert relative_error(torch.autograd.grad(held, pred)[0], wanted[0]) <= 1e-10
    for got, want in zip(torch.autograd.grad(given, (pred, moved)), wanted, strict=True):
        assert relative_error(got, want) <= 1e-10


@both_algorithms
@pytest.mark.parametrize("shape", [(1,), (3,), (2, 3), (2, 1, 2)], ids=str)
@pytest.mark.parametrize("name", ["callable", "focal"])
def test_channels_and_batch(shape, name):
    modes = EVEN[2]
    weight = lopsided if name == "callable" else fs.weights.focal(1.0)
    x, pred, target = scattered(modes, shape=shape)
    loss = fs.SpectralLoss(modes, x=x, weight=weight, reduction="none", eps=1e-12)
    got = loss(pred, target)
    assert got.shape == shape
    for index in itertools.product(*map(range, shape)):
        column = (*index[:-1], slice(None), index[-1])
        assert got[index].item() == pytest.approx(loss(pred[column], target[column]).item(), rel=1e-10)


@both_algorithms
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_reduction(reduction):
    modes = SIZES[2]
    x, pred, target = scattered(modes, shape=(2, 3))
    pred.requires_grad_()
    rows = formula(x, pred, target, modes, lopsided)
    got = fs.SpectralLoss(modes, x=x, weight=lopsided, reduction=reduction, eps=1e-12)(pred, target)
    want = rows if reduction == "none" else getattr(rows, reduction)()
    assert relative_error(got, want) <= 1e-11
    scale = torch.linspace(1, 2, want.numel(), dtype=torch.float64).reshape(want.shape)
    assert relative_error(*(torch.autograd.grad((v * scale).sum(), pred)[0] for v in (got, want))) <= 1e-10


@both_algorithms
def test_quadrature_weighs_the_points(gen):
    modes = EVEN[2]
    x, pred, target = scattered(modes, shape=(2,))
    pred.requires_grad_()
    q = torch.rand(x.shape[0], generator=gen, dtype=torch.float64)
    got = fs.SpectralLoss(modes, x=x, weight=lopsided, quadrature=q, eps=1e-12)(pred, target)
    want = formula(x, pred, target, modes, lopsided, quadrature=q).mean()
    assert got.item() == pytest.approx(want.item(), rel=1e-11)
    assert relative_error(*(torch.autograd.grad(value, pred)[0] for value in (got, want))) <= 1e-10


@both_algorithms
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_relative_divides_by_the_targets_own_sum(reduction):
    modes = SIZES[1]
    x, pred, target = (t.requires_grad_() for t in scattered(modes, shape=(2,)))
    got = fs.SpectralLoss(modes, weight=lopsided, relative=True, reduction=reduction, eps=1e-12)(pred, target, x=x)
    want = relative_formula(x, pred, target, modes, reduction)
    assert relative_error(got, want) <= 1e-11
    grads = [torch.autograd.grad(value.sum(), (pred, target, x)) for value in (got, want)]
    for g, w in zip(*grads, strict=True):
        assert relative_error(g, w) <= 1e-10


def relative_formula(x, pred, target, modes, reduction):
    above, below = formula(x, pred, target, modes, lopsided), formula(x, target, 0 * target, modes, lopsided)
    return above / below if reduction == "none" else (above / below).mean()


@both_algorithms
@pytest.mark.parametrize("period", [3.0, (2.0, 0.5)], ids=str)
def test_period(period):
    modes = EVEN[2]
    x, pred, target = scattered(modes, period=period)
    got = fs.SpectralLoss(modes, x=x, weight=lopsided, period=period, eps=1e-12)(pred, target)
    assert got.item() == pytest.approx(formula(x, pred, target, modes, lopsided, period=period).item(), rel=1e-11)


@pytest.mark.parametrize("modes", [SIZES[1], EVEN[3]], ids=str)
def test_complex_prediction(modes):
    x, pred, target = (t.requires_grad_() for t in scattered(modes, shape=(2,), dtype=torch.complex128))
    got = fs.SpectralLoss(modes, weight=lopsided, eps=1e-12)(pred, target, x=x)
    want = formula(x, pred, target, modes, lopsided).mean()
    assert not got.is_complex()
    assert got.item() == pytest.approx(want.item(), rel=1e-11)
    grads = [torch.autograd.grad(value, (pred, target, x)) for value in (got, want)]
    for g, w in zip(*grads, strict=True):
        assert relative_error(g, w) <= 1e-10


@both_algorithms
def test_point_sets_go_with_rows_of_the_batch():
    modes = SIZES[2]
    sets = [scattered(modes, shape=(2,), seed=seed) for seed in range(3)]
    x, pred, target = (torch.stack(parts) for parts in zip(*sets, strict=True))
    got = fs.SpectralLoss(modes, x=x, weight=lopsided, reduction="none", eps=1e-12)(pred, target)
    want = torch.stack([formula(*one, modes, lopsided) for one in sets])
    assert relative_error(got, want) <= 1e-11


@both_algorithms
@any_box
def test_points_given_at_the_call_override_those_held():
    modes = SIZES[1]
    x, pred, target = scattered(modes)
    held = fs.SpectralLoss(modes, x=x)
    moved = fs.SpectralLoss(modes, x=x + 0.5 * x**2)(pred, target)
    assert held(pred, target, x=x + 0.5 * x**2).item() == pytest.approx(moved.item(), rel=1e-14)
    assert held(pred, target).item() != pytest.approx(moved.item(), rel=1e-3)


@both_algorithms
def test_functional_form_is_the_module():
    modes = EVEN[2]
    x, pred, target = scattered(modes, shape=(2,))
    plan = fs.Plan(x, modes)
    got = fs.spectral_loss(plan, pred, target, lopsided)
    assert got.item() == pytest.approx(fs.SpectralLoss(modes, x=x, weight=lopsided)(pred, target).item(), rel=1e-14)


@both_algorithms
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128], ids=str)
@pytest.mark.parametrize("name", ["none", "callable"])
@pytest.mark.parametrize("modes", [(5,), (4,), (2, 4), (2, 3, 2)], ids=str)
def test_gradcheck(modes, name, dtype):
    x, *values = (t.requires_grad_() for t in scattered(modes, m=3, shape=(1,), dtype=dtype))
    loss = fs.SpectralLoss(modes, weight=WEIGHTS[name](modes), eps=1e-12)
    assert gradcheck(loss, (*values, x))
    assert gradgradcheck(loss, (*values, x))


@both_algorithms
@pytest.mark.parametrize("options", [{"relative": True}, {"reduction": "none"}, {"reduction": "sum"}], ids=str)
def test_gradcheck_of_options(options):
    x, *values = (t.requires_grad_() for t in scattered((4,), m=3, shape=(2,)))
    loss = fs.SpectralLoss((4,), weight=lopsided, eps=1e-12, **options)
    assert gradcheck(loss, (*values, x))
    assert gradgradcheck(loss, (*values, x))


@both_algorithms
def test_gradcheck_with_points_held():
    x, *values = scattered((4, 3), m=4, shape=(2,))
    loss = fs.SpectralLoss((4, 3), x=x, weight=lopsided, eps=1e-12)
    values = [v.requires_grad_() for v in values]
    assert gradcheck(loss, values)
    assert gradgradcheck(loss, values)


class Calls(TorchDispatchMode):
    """Counts the calls of fastspec's own operators."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func.namespace == "fastspec"
        return func(*args, **(kwargs or {}))


def test_gradient_is_made_once_in_the_forward_pass():
    x, pred, target = scattered((16, 12))
    loss = fs.SpectralLoss((16, 12), x=x, weight=lopsided)
    pred.requires_grad_()
    with Calls() as forward:
        value = loss(pred, target)
    with Calls() as backward:
        value.backward()
    assert forward.count > 0
    assert backward.count == 0


@both_algorithms
@pytest.mark.parametrize("modes", [(500,), (200, 150), (30, 41, 24)], ids=str)
def test_loss_and_gradient_are_the_same_for_any_number_of_threads(modes, threads):
    """With few enough modes in 1-D that torch's FFT sums a single line in one order: MKL does not above a thousand."""
    x, pred, target = (t.float() for t in scattered(modes, m=40_000))
    pred.requires_grad_()
    results = []
    for count in (1, 2, 3):
        threads(count)
        value = fs.SpectralLoss(modes, x=x, weight=lopsided)(pred, target)
        results.append((value.item(), torch.autograd.grad(value, pred)[0]))
    assert len({value for value, _ in results}) == 1
    assert all(torch.equal(gradient, results[0][1]) for _, gradient in results)


def test_no_gradient_is_made_where_none_is_wanted():
    x, pred, target = scattered((16, 12))
    loss = fs.SpectralLoss((16, 12), x=x, weight=fs.weights.focal(), relative=True)
    with Calls() as with_gradient:
        value = loss(pred.clone().requires_grad_(), target)
    with Calls() as without:
        assert loss(pred, target).item() == value.item()
    with torch.no_grad(), Calls() as evaluating:
        assert loss(pred.clone().requires_grad_(), target).item() == value.item()
    assert without.count == evaluating.count < with_gradient.count


@both_algorithms
@pytest.mark.parametrize("modes", [(41,), (16, 13), (12, 9, 10)], ids=str)
def test_loss_on_every_instruction_set(modes, instruction_set):
    x, pred, target = scattered(modes)
    pred.requires_grad_()
    got = fs.SpectralLoss(modes, x=x, weight=lopsided, eps=1e-12)(pred, target)
    want = formula(x, pred, target, modes, lopsided)
    assert got.item() == pytest.approx(want.item(), rel=1e-10)
    got, want = (torch.autograd.grad(value, pred)[0] for value in (got, want))
    assert relative_error(got, want) <= 1e-10


@both_algorithms
def test_error_of_float32_is_within_five_eps():
    sample = make_sample("rnufft1", Case("loss", (40, 31), m=3000), torch.float32, real=True)
    loss = fs.SpectralLoss((40, 31), x=sample.x, weight=lopsided)
    pred = sample.data.clone().requires_grad_()
    got = loss(pred, torch.zeros_like(pred))
    exact = pred.detach().double().requires_grad_()
    want = formula(sample.x.double(), exact, torch.zeros_like(exact), (40, 31), lopsided)
    assert got.item() == pytest.approx(want.item(), rel=5e-6)
    grads = torch.autograd.grad(got, pred)[0], torch.autograd.grad(want, exact)[0]
    assert relative_error(*grads) <= 5e-6


@both_algorithms
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_predictions(dtype):
    x, pred, target = scattered((9,))
    pred, target = (t.to(dtype).requires_grad_() for t in (pred, target))
    loss = fs.SpectralLoss((9,), x=x.float())
    got, want = loss(pred, target), loss(pred.float(), target.float())
    assert got.dtype == dtype
    assert got.item() == pytest.approx(want.item(), rel=2 * torch.finfo(dtype).eps)
    assert torch.autograd.grad(got, pred)[0].dtype == dtype


@both_algorithms
def test_loss_moves_saves_and_loads(tmp_path):
    x, pred, target = scattered((9,))
    loss = fs.SpectralLoss((9,), x=x, weight=torch.arange(9.0, dtype=torch.float64))
    torch.save(loss, tmp_path / "loss.pt")
    again = torch.load(tmp_path / "loss.pt", weights_only=False)
    assert again(pred, target).item() == loss(pred, target).item()


@both_algorithms
def test_zero_residual_has_zero_loss_and_gradient():
    x, pred, _ = scattered((8, 8))
    pred.requires_grad_()
    value = fs.SpectralLoss((8, 8), x=x)(pred, pred.detach().clone())
    value.backward()
    assert value.item() == 0
    assert torch.equal(pred.grad, torch.zeros_like(pred))


def test_descends_to_a_fit():
    """A trigonometric polynomial is recovered from scattered points by plain gradient descent on the loss."""
    x, _, _ = scattered((9,), m=60)
    target = torch.sin(2 * x[:, 0]) + 0.5 * torch.cos(3 * x[:, 0])
    loss = fs.SpectralLoss((9,), x=x)
    basis = torch.cat([torch.sin(torch.arange(1, 5) * x), torch.cos(torch.arange(0, 5) * x)], 1)
    coefficients = torch.zeros(9, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([coefficients], max_iter=100, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        value = loss(basis @ coefficients, target)
        value.backward()
        return value

    optimizer.step(closure)
    assert mse_loss(basis @ coefficients, target).item() < 1e-6


@both_algorithms
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_quadrature_may_have_another_precision(dtype, gen):
    x, pred, target = (t.to(dtype) for t in scattered((9,)))
    q = torch.rand(len(x), generator=gen, dtype=torch.float64)
    other = torch.float64 if dtype == torch.float32 else torch.float32
    got, want = (fs.SpectralLoss((9,), x=x, quadrature=t)(pred, target) for t in (q.to(other), q.to(dtype)))
    assert got.dtype == dtype
    assert got.item() == pytest.approx(want.item(), rel=1e-6)


@both_algorithms
@pytest.mark.parametrize("other", [fs.weights.sobolev(2.0), torch.arange(9.0)], ids=["callable", "tensor"])
def test_weight_may_be_replaced(other):
    x, pred, target = scattered((9,))
    loss = fs.SpectralLoss((9,), x=x, weight=torch.ones(9) if isinstance(other, torch.Tensor) else lopsided)
    loss(pred, target)
    loss.weight = other
    assert loss(pred, target).item() == fs.SpectralLoss((9,), x=x, weight=other)(pred, target).item()


def test_no_points_are_refused():
    with pytest.raises(ValueError, match="x: had no points"):
        fs.SpectralLoss((9,))(torch.zeros(0), torch.zeros(0), x=torch.zeros(0))


WEIGHT_FUNCTIONS = [fs.weights.sobolev(1.5), fs.weights.power(-1), fs.weights.band(1, 3), fs.weights.focal(2.0)]


@pytest.mark.parametrize("weight", WEIGHT_FUNCTIONS, ids=str)
def test_weights_pickle(weight, tmp_path):
    x, pred, target = scattered((9,))
    loss = fs.SpectralLoss((9,), x=x, weight=weight)
    value = loss(pred, target)
    torch.save(loss, tmp_path / "loss.pt")
    assert torch.load(tmp_path / "loss.pt", weights_only=False)(pred, target).item() == value.item()
