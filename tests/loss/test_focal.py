"""The focal weight found from the spectrum while it is weighed, against the same weight from a table of its values."""

import pytest
import torch
from samples import TAU, both_algorithms, relative_error
from torch import library
from torch.autograd import gradgradcheck

import fastspec as fs
from fastspec._core import ops

ROUNDING = {torch.float32: 3e-6, torch.float64: 1e-14}
MODES = [(1,), (2,), (13,), (12,), (9001,), (7, 9), (8, 6), (1, 2), (2, 1), (5, 6, 7), (4, 6, 8), (2, 2, 2)]


class Asking(fs.weights.focal):
    """The same weight as one that the loss knows nothing about: it asks for |F| and gives back a table."""


def inputs(modes, dtype, rows=2):
    """Half spectrum and factors, axes reversed, the band narrower than the grid or as wide."""
    gen = torch.Generator().manual_seed(sum(modes))
    counts = [modes[0] // 2 + 1, *(n | 1 for n in modes[1:])]
    cells = [n + spare for n, spare in zip(counts, (3, 5, 0), strict=False)]
    spectrum = torch.randn(rows, *cells, generator=gen, dtype=torch.promote_types(dtype, torch.complex32))
    return spectrum, torch.cat([1 + torch.rand(n, generator=gen, dtype=dtype) for n in counts])


@pytest.mark.parametrize("alpha", [0.0, 0.7, 1.0, 2.0])
@pytest.mark.parametrize("dtype", ROUNDING, ids=["float32", "float64"])
@pytest.mark.parametrize("modes", MODES, ids=str)
def test_weigh_focal_is_its_table(modes, dtype, alpha, instruction_set, poisoned):
    spectrum, factors = inputs(modes, dtype)
    spectrum[1:] *= 1e-3  # each row has a maximum of its own
    want, exact = fs.reference.weigh(spectrum.to(torch.complex128), factors.double(), 0.3, modes, "focal", alpha)
    sums, weighed = ops.weigh(spectrum, ops.Rule(factors, modes, "focal", alpha), 0.3)
    assert weighed is spectrum
    for got, wanted in ((sums[0], want[0]), (sums[1], want[1]), (spectrum[0], exact[0]), (spectrum[1], exact[1])):
        assert relative_error(got, wanted) <= ROUNDING[dtype]


@pytest.mark.parametrize("modes", [(12,), (8, 7), (4, 5, 6)], ids=str)
def test_weights_of_the_table_are_those_of_the_modes(modes):
    """By way of the loss: what the modes have at k or at -k alone counts half, in the maximum whole."""
    x, pred, target = scattered(modes)
    for alpha in (0.5, 3.0):
        got, want = (
            fs.SpectralLoss(modes, x=x, weight=kind(alpha))(pred, target) for kind in (fs.weights.focal, Asking)
        )
        assert got.item() == pytest.approx(want.item(), rel=1e-11)


def scattered(modes, shape=(), m=60):
    gen = torch.Generator().manual_seed(3)
    x = torch.rand(m, len(modes), generator=gen, dtype=torch.float64) * TAU
    shape = (*shape[:-1], m, *shape[-1:])
    pred, target = (torch.randn(shape, generator=gen, dtype=torch.float64) for _ in range(2))
    wave = 3 * x[:, 0].cos()  # most of the target, and within the modes
    return x, pred, target + (wave[:, None] if len(shape) > 1 else wave)


@both_algorithms
@pytest.mark.parametrize("options", [{}, {"relative": True}, {"reduction": "none"}, {"quadrature": True}], ids=str)
@pytest.mark.parametrize("modes", [(12,), (15, 8), (4, 6, 5)], ids=str)
def test_loss_and_derivatives_are_those_of_the_weight_that_asks(modes, options):
    x, pred, target = scattered(modes, (2, 3))
    options = {**options, **({"quadrature": torch.rand(len(x), dtype=x.dtype)} if "quadrature" in options else {})}
    found = []
    for kind in (fs.weights.focal, Asking):
        p, t = pred.clone().requires_grad_(), target.clone().requires_grad_()
        loss = fs.SpectralLoss(modes, x=x, weight=kind(1.0), **options)
        value = (loss(p, t) + loss(2 * p, t)).square().sum()
        first = torch.autograd.grad(value, (p, t), create_graph=True)
        found.append([value, *first, *torch.autograd.grad(sum(g.pow(3).sum() for g in first), (p, t))])
    for got, want in zip(*found, strict=True):
        assert relative_error(got.detach(), want.detach()) <= 1e-10


@both_algorithms
@pytest.mark.parametrize("alpha", [1.0, 1.5])
def test_composed_step_is_the_one_op(alpha):
    """Of mixed precisions the step is composed; there too the weight is found while it is weighed."""
    x, pred, target = scattered((12, 9), (2,))
    loss, found = fs.SpectralLoss((12, 9), x=x, weight=fs.weights.focal(alpha)), []
    for given in (target, target.float()):
        p = pred.clone().requires_grad_()
        value = loss(p, given.to(torch.float32).to(given.dtype))
        gradient = torch.autograd.grad(value, p, create_graph=True)[0]
        found.append([value, gradient, torch.autograd.grad(gradient.pow(3).sum(), p)[0]])
    for got, want in zip(*found, strict=True):
        assert relative_error(got.detach(), want.detach()) <= 1e-10


def test_no_table_of_weights_is_made(monkeypatch):
    x, pred, target = scattered((12, 9), (2,))
    asked = []
    monkeypatch.setattr(fs.weights.focal, "__call__", lambda *_: asked.append(1))
    fs.SpectralLoss((12, 9), x=x, weight=fs.weights.focal())(pred.requires_grad_(), target).backward()
    assert not asked


@both_algorithms
@pytest.mark.parametrize("alpha", [1.0, 2.5])
def test_far_from_ones_size(alpha):
    """Nothing overflows or vanishes where residuals are very small or large."""
    x, pred, target = (t.float() for t in scattered((9, 8)))
    loss = fs.SpectralLoss((9, 8), x=x, weight=fs.weights.focal(alpha))
    base = loss(pred, target)
    for size in (1e-12, 1e12):
        assert (loss(size * pred, size * target) / size**2).item() == pytest.approx(base.item(), rel=1e-4)
    zero = loss(pred.requires_grad_(), pred.detach().clone())
    zero.backward()
    assert zero.item() == 0 and not pred.grad.any()


@both_algorithms
def test_loss_is_the_same_for_any_number_of_threads(threads):
    x, pred, target = (t.float() for t in scattered((120, 90), m=20_000))
    results = []
    for count in (1, 2, 3):
        threads(count)
        p = pred.clone().requires_grad_()
        value = fs.SpectralLoss((120, 90), x=x, weight=fs.weights.focal())(p, target)
        results.append((value.item(), torch.autograd.grad(value, p)[0]))
    assert all(value == results[0][0] and torch.equal(g, results[0][1]) for value, g in results)


@both_algorithms
@pytest.mark.filterwarnings("ignore::fastspec.PeriodWarning")
def test_gradgradcheck():
    """At alpha = 0 the weight is a constant indeed; else it is one to the gradient only."""
    x, pred, target = scattered((4, 3), (1,), m=4)
    loss = fs.SpectralLoss((4, 3), x=x, weight=fs.weights.focal(0.0))
    assert gradgradcheck(lambda p: loss(p, target), pred.requires_grad_())


@pytest.mark.parametrize("dtype", ROUNDING, ids=["float32", "float64"])
@pytest.mark.parametrize("modes", [(12,), (8, 7), (4, 5, 6)], ids=str)
def test_op_is_a_proper_operator(modes, dtype):
    spectrum, factors = inputs(modes, dtype)
    library.opcheck(torch.ops.fastspec.weigh.default, (spectrum, factors, 0.3, modes, ops.RULES["focal"], 1.0))


@pytest.mark.parametrize(
    "given", [{"modes": (8,)}, {"modes": (40, 9)}, {"alpha": -1.0}, {"factors": torch.ones(4)}], ids=str
)
def test_op_refuses_what_does_not_fit(given):
    spectrum, factors = inputs((8, 9), torch.float32)
    given = {"factors": factors, "modes": (8, 9), "alpha": 1.0} | given
    with pytest.raises(RuntimeError, match=next(iter(given)) + "|modes|alpha|factors"):
        ops.weigh(spectrum, ops.Rule(given["factors"], given["modes"], "focal", given["alpha"]), 0.3)


@both_algorithms
def test_hessian_of_channels_each_with_a_weight_of_its_own(gen):
    """The weights are constants to it, as to the gradient."""
    count, modes = 9, 6
    x, pred, target = (torch.randn(count, n, generator=gen, dtype=torch.float64) for n in (1, 2, 2))

    def spectra(pred):
        return fs.reference.nufft1(x, (pred - target).mT / count, modes)

    weight = fs.weights.focal(1.0)(spectra(pred).abs())
    want = torch.func.hessian(lambda p: (weight * spectra(p).abs().square()).sum() / 2)(pred)
    loss = fs.SpectralLoss(modes, x=x, weight=fs.weights.focal(1.0))
    assert relative_error(torch.func.hessian(lambda p: loss(p, target))(pred), want) <= 1e-10
