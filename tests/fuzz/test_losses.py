"""Losses and gradients of any problem are those of the formula, and so are preconditioned gradients."""

import torch
from drawn import laid, problems
from hypothesis import given
from hypothesis import strategies as st
from samples import any_box
from torch import Tensor

import fastspec as fs

pytestmark = any_box

WEIGHTS = st.sampled_from(["none", "table", "sobolev", "band", "power", "focal"])


def weight_of(kind: str, problem):
    table = torch.rand(problem.modes, generator=problem.generator, dtype=problem.x_dtype)
    table[tuple(n // 2 for n in problem.modes)] += 1  # so that not all are next to nothing
    return {
        "none": None,
        "table": laid(table, problem.layout),
        "sobolev": fs.weights.sobolev(0.7),
        "band": fs.weights.band(0, 2 + max(problem.modes) / 4),
        "power": fs.weights.power(-1.0),
        "focal": fs.weights.focal(1.0),
    }[kind]


def weights_at(weight, problem, spectrum: Tensor) -> Tensor:
    axes = [fs.reference.wavenumbers(n).double() for n in problem.modes]
    k = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)
    if weight is None:
        return torch.ones(problem.modes, dtype=torch.float64)
    if isinstance(weight, fs.weights.focal):
        size = spectrum.detach().abs().flatten(-len(problem.modes))
        return (size / size.amax(-1, keepdim=True)).reshape(spectrum.shape)
    return weight.double() if isinstance(weight, Tensor) else weight(k)


def rows_of(values: Tensor) -> Tensor:
    """(..., M, C) to (..., C, M), in float64."""
    wide = values.to(torch.complex128 if values.is_complex() else torch.float64)
    return wide if wide.ndim == 1 else wide.movedim(-1, -2)


def shares_of(problem, quadrature: Tensor | None, rows: Tensor) -> Tensor:
    """To go with rows (..., C, M)."""
    if quadrature is None:
        return torch.full((problem.points,), 1 / problem.points, dtype=torch.float64)
    share = quadrature.double()
    return share if share.ndim == 1 else share.reshape(len(share), *[1] * (rows.ndim - 2), share.shape[-1])


def sums_of(problem, values: Tensor, quadrature: Tensor | None, weight, weights: Tensor | None = None):
    """Of the rows, the weights, and what the sums would be did all phases differ."""
    strengths = rows_of(values)
    strengths = strengths * shares_of(problem, quadrature, strengths)
    spectrum = fs.reference.nufft1(problem.x().double(), strengths, problem.modes, period=problem.period)
    weights = weights_at(weight, problem, spectrum) if weights is None else weights
    axes = tuple(range(-len(problem.modes), 0))
    usual = weights.sum(axes) * strengths.detach().abs().square().sum(-1)
    return (weights * spectrum.abs().square()).sum(axes), weights, usual


def pair(problem, complex: bool, channels: int) -> tuple[Tensor, Tensor]:
    """Prediction and target, (M,) or (..., M, C)."""
    last = (problem.points, max(channels, 1)) if channels or problem.batch else (problem.points,)
    return problem.data(last, complex), problem.data(last, complex, seed=2)


def beyond_eps(problem) -> float:
    """A weighted sum of squares, and its gradient, are less exact than the spectrum; folding from afar costs too."""
    return 20 * problem.eps + (1e-11 * max(problem.modes) if problem.place == "far" else 0)


@given(problems(work=60_000), WEIGHTS, st.booleans(), st.integers(0, 3), st.booleans(), st.booleans(), st.booleans())
def test_losses_and_gradients_meet_eps(problem, kind, complex, channels, relative, shared, held):
    pred, target = pair(problem, complex, channels)
    weight, x = weight_of(kind, problem), problem.x()
    shape = tuple(x.shape[:-1]) if problem.seed % 2 else (problem.points,)
    quadrature = (
        torch.rand(shape, generator=problem.generator, dtype=problem.dtype) / problem.points if shared else None
    )
    options = {"weight": weight, "period": problem.period, "eps": problem.eps, "reduction": "none"}
    with fs.override(algorithm=problem.algorithm):
        loss = fs.SpectralLoss(
            problem.modes, x=x if held else None, quadrature=quadrature, relative=relative, **options
        )
        moved = pred.requires_grad_()
        got = loss(moved, target, None if held else x)
        (got_gradient,) = torch.autograd.grad(got.sum(), moved)
    exact = pred.detach().to(torch.complex128 if complex else torch.float64).requires_grad_()
    want, weights, usual = sums_of(problem, exact - target, quadrature, weight)
    below = sums_of(problem, target, quadrature, weight, weights)[0] if relative else torch.tensor(1.0)
    want, usual = want / below, usual / below
    (want_gradient,) = torch.autograd.grad(want.sum(), exact)
    assert got.shape == want.shape and got.dtype == problem.dtype
    assert ((got - want).abs() <= beyond_eps(problem) * torch.maximum(want, usual)).all()
    most = max(
        want_gradient.norm().item(),
        2 * usual.sqrt().norm().item() * weights.max().sqrt().item() / below.min().sqrt().item() / problem.points**0.5,
    )
    assert (got_gradient - want_gradient).norm() <= beyond_eps(problem) * most


@given(problems(work=60_000), st.sampled_from(["table", "sobolev", "band"]), st.booleans(), st.booleans())
def test_preconditioned_gradients_meet_eps(problem, kind, complex, shared):
    h, gradient = pair(problem, complex, 1)
    weight, x = weight_of(kind, problem), problem.x()
    quadrature = torch.rand(problem.points, generator=problem.generator, dtype=problem.dtype) if shared else None
    with fs.override(algorithm=problem.algorithm):
        plan = fs.Plan(x, problem.modes, eps=problem.eps, period=problem.period)
        out = fs.precondition.spectral(h.requires_grad_(), plan, weight, quadrature=quadrature)
        (got,) = torch.autograd.grad(out, h, gradient)
    assert torch.equal(out, h) and got.dtype == h.dtype
    share = problem.points * quadrature.double() if shared else torch.ones(problem.points, dtype=torch.float64)
    rows, weights = rows_of(gradient), weights_at(weight, problem, torch.empty(0))
    spectrum = fs.reference.nufft1(x.double(), rows * share, problem.modes, period=problem.period)
    want = share * fs.reference.nufft2(x.double(), weights * spectrum, period=problem.period)
    want = want.movedim(-1, -2)
    want = want if complex else want.real
    usual = (rows * share).norm() * share.max() * weights.norm() * problem.points**0.5
    assert (got - want).norm() <= beyond_eps(problem) * max(want.norm(), usual)
