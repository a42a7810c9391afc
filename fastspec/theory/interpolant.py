"""The minimum-norm interpolant of scattered data, by conjugate gradients on nonuniform transforms.

With A the type 2 transform from modes to points and W = diag(w), the minimiser of c^H W c subject to A c = y is
c = W^-1 A^H μ with (A W^-1 A^H) μ = y: as many unknowns as there are points, however many modes. With ridge ε it is
(A W^-1 A^H + ε) μ = y, or the same as (A^H A + ε W) c = A^H y, whose matrix A^H A is Toeplitz: two FFTs a product,
for data with more points than modes.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .. import _check
from .._core.plain import without_autocast
from .._data import Given, numbers, points
from ..measure.spectra import wavenumbers
from ..nufft import Modes, Period, Plan, nufft1, nufft2
from . import conjugate_gradients, dense
from .gram import preconditioner

_STEEPEST = 100.0  # |alpha|: weights then span 200 digits over ten octaves, and mean nothing in float64

Weight = Tensor | Callable[[Tensor], Tensor] | None
Solution = tuple[Tensor, Tensor, int]  # coefficients, each row's relative residual, iterations


@dataclass(frozen=True)
class MinNormInterpolant:
    """h(x) = Σ_k ĥ_k e^{2πi k·x/period}, as :func:`min_norm_interpolant` returns it.

    Attributes:
        coefficients: ĥ, complex ``(..., *modes)``, centered order.
        iterations: of conjugate gradients.
        residual: relative l2 residual of the system solved, the largest over rows; with ``ridge=0`` it is the
            interpolation error ‖h(x_i) - y_i‖ / ‖y‖.
        period: one per dimension.
        is_real: whether h is real, as it is where the data are.
    """

    coefficients: Tensor
    iterations: int
    residual: float
    period: tuple[float, ...]
    is_real: bool

    def __call__(self, x: Tensor) -> Tensor:
        """h at ``x``, ``(M,)`` or ``(M, d)``, as ``(..., M)`` in the data's dtype."""
        _check.points(x)
        precise = self.coefficients.to(torch.complex128)
        values = nufft2(x.to(torch.float64), precise, period=self.period).to(self.coefficients.dtype)
        return values.real if self.is_real else values


@without_autocast()
def min_norm_interpolant(
    x: Given,
    y: Given,
    alpha: float | None,
    modes: Modes,
    *,
    period: Period = 1.0,
    ridge: float = 0.0,
    weight: Weight = None,
    tol: float = 1e-10,
    max_iterations: int = 2000,
) -> MinNormInterpolant:
    """argmin Σ_k (1 + |ξ|²)^{α/2} |ĥ_k|² subject to h(x_i) = y_i, or its Tikhonov form.

    ξ = k / period in cycles per unit of x, h(x) = Σ_k ĥ_k e^{2πi ξ·x}. This is the discrete form of the problem behind
    the critical decay rate (arXiv 2105.11675): as modes grow at fixed period, the value between the points tends to
    a positive limit for α > d, to zero like 1 / log N for α = d and like N^{α-d} for α < d, N the modes per axis.

    Computed in float64. Up to 2,048 points the Gram matrix between points preconditions as a whole; beyond, its inverse
    is approximated from each point's nearest neighbours, which SciPy (the extra "theory") finds. The number of modes
    hardly matters to the iterations, that of points does through how close they come: points much closer than their
    typical spacing make the Gram matrix, whose condition grows like spacing^{d-α}, hard to solve for large α. Where the
    iteration stalls above ``tol`` for that, a dense factorisation takes over if points² times modes is at most 2^33.

    Args:
        x: points, real ``(M,)`` or ``(M, d)``, d = 1 to 3; no two the same; a tensor, an array, a Series or times.
        y: values, real or complex ``(..., M)``, alike; rows are solved together.
        alpha: the exponent α, from -100 to 100; not used where ``weight`` is given.
        modes: number of wavenumbers, an int or one per dimension: k = -(N//2) … (N-1)//2. For real ``y`` take odd
            ones: with even ones the unpaired wavenumber -N/2 makes h complex between the points.
        period: length of the periodic box, a float or one per dimension, in units of x.
        ridge: ε ≥ 0; where positive, Σ_i |h(x_i) - y_i|² + ε Σ_k w_k |ĥ_k|² is minimised instead.
        weight: in place of (1 + |ξ|²)^{α/2}: positive, a tensor ``(*modes)`` or a callable of the wavenumbers
            ``(*modes, d)``; ``float("inf")`` leaves a wavenumber out. Their inverses must have a finite sum.
        tol: relative l2 residual at which the iteration ends.
        max_iterations: at most so many; a warning tells if they did not do.

    Returns:
        The interpolant, a function of new points.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """
    x, y = points("x", x), numbers("y", y)
    modes, period, ridge, tol = _checked(x, y, modes, period, ridge, tol)
    _check_exponent(alpha, weight)
    _check_count("max_iterations", max_iterations)
    complex_dtype = torch.promote_types(y.dtype, torch.complex64)
    at = x.detach().double()
    rows, unit = _of_size_one(y.detach().reshape(-1, y.shape[-1]))
    inverse = _inverse_weights(at, alpha, modes, period, weight)
    if ridge > 0 and len(at) > math.prod(modes):
        coefficients, residual, count = _in_modes(at, rows, inverse, period, ridge, tol, max_iterations)
    else:
        coefficients, residual, count = _in_points(at, rows, inverse, period, ridge, tol, max_iterations)
    if bool((residual > tol).any()) and dense.affordable(len(at), math.prod(modes)):
        coefficients, residual = _better(coefficients, residual, *dense.solve(at, rows, inverse, period, ridge))
    worst = residual.max().item() if len(residual) else 0.0
    if not worst <= tol:
        warnings.warn(
            f"min_norm_interpolant: relative residual was {worst:.1e} after {count} iterations, above tol = {tol:.1e}",
            RuntimeWarning,
            stacklevel=3,
        )
    coefficients = coefficients * unit.reshape(-1, *[1] * len(modes))
    shaped = coefficients.reshape(*y.shape[:-1], *modes).to(complex_dtype)
    return MinNormInterpolant(shaped, count, worst, period, not y.is_complex())


def _better(coefficients: Tensor, residual: Tensor, others: Tensor, theirs: Tensor) -> tuple[Tensor, Tensor]:
    """Row by row those of the smaller residual."""
    better = theirs < residual  # not where a singular matrix gave NaN
    chosen = better.reshape(-1, *[1] * (others.ndim - 1))
    return torch.where(chosen, others, coefficients), torch.where(better, theirs, residual)


def _of_size_one(y: Tensor) -> tuple[Tensor, Tensor]:
    """Rows (R, n) in double precision over a power of two each (R, 1), so that no square of theirs over- or underflows.

    Dividing by it is exact.
    """
    rows = y.to(torch.complex128 if y.is_complex() else torch.float64)
    parts = torch.view_as_real(rows).flatten(1) if rows.is_complex() else rows
    exponent = torch.frexp(parts.abs().amax(1, keepdim=True)).exponent
    half = exponent // 2  # in two steps, for the unit of the smallest numbers is itself too small to divide by
    one = torch.ones_like(exponent, dtype=torch.float64)
    scaled = rows * torch.ldexp(one, -half) * torch.ldexp(one, half - exponent)
    return scaled, torch.ldexp(one, exponent)


def _checked(
    x: Tensor, y: Tensor, modes: Modes, period: Period, ridge: float, tol: float
) -> tuple[tuple[int, ...], tuple[float, ...], float, float]:
    """Modes, period, ridge and tol as plain numbers."""
    _check.points(x)
    _check.data("y", y, x)
    if x.ndim == 3:
        raise ValueError(f"x: shape was {tuple(x.shape)}, must be (M,) or (M, d)")
    _check.trailing("y", y, [len(x)])
    if len(x) == 0:
        raise ValueError("x: had no points, must have at least one")
    _check.finite("x", x)
    d = 1 if x.ndim == 1 else x.shape[1]
    modes, period = _check.modes(modes, d), _check.period(period, d)
    _check.finite("y", y)
    ridge, tol = _check.number("ridge", ridge), _check.number("tol", tol)
    if not 0 <= ridge < math.inf:
        raise ValueError(f"ridge: was {ridge!r}, must be at least 0")
    if not 0 < tol < 1:
        raise ValueError(f"tol: was {tol!r}, must be between 0 and 1")
    if ridge == 0 and math.prod(modes) < len(x):
        raise ValueError(f"modes: were {math.prod(modes)}, must be at least the {len(x)} points where ridge = 0")
    return modes, period, ridge, tol


def _check_exponent(alpha: float | None, weight: Weight) -> None:
    _check.weight(weight)
    if weight is not None:
        return
    if not isinstance(alpha, (int, float)):
        raise TypeError(f"alpha: was {alpha!r}, must be a number, or weight be given")
    if not -_STEEPEST <= alpha <= _STEEPEST:
        raise ValueError(f"alpha: was {alpha!r}, must be from {-_STEEPEST:g} to {_STEEPEST:g}")


def _check_count(name: str, count: int) -> None:
    if not isinstance(count, int) or count < 0:
        raise ValueError(f"{name}: was {count!r}, must be an int of at least 0")


def _inverse_weights(
    x: Tensor, alpha: float | None, modes: Sequence[int], period: Sequence[float], weight: Weight
) -> Tensor:
    inverse = 1 / _weights(x, alpha, modes, period, weight)
    total = inverse.sum().item()
    if not 0 < total < math.inf:
        named = f"alpha: was {alpha!r}" if weight is None else "weight: was too small or infinite everywhere"
        raise ValueError(f"{named}, must give weights whose inverses have a positive and finite sum: it was {total}")
    return inverse


def _weights(x: Tensor, alpha: float | None, modes: Sequence[int], period: Sequence[float], weight: Weight) -> Tensor:
    k = wavenumbers(modes, x.device)
    if weight is None:
        assert alpha is not None, "checked"
        xi = k / torch.tensor(period, dtype=k.dtype, device=k.device)
        return (1 + xi.square().sum(-1)) ** (alpha / 2)
    given = weight if isinstance(weight, Tensor) else weight(k)
    _check.tensor("weight", given)
    if given.device.type == "meta":
        raise ValueError("weight: was on meta, must have numbers")
    values = given.to(k)
    if tuple(values.shape) != tuple(modes):
        raise ValueError(f"weight: shape was {tuple(values.shape)}, must be {tuple(modes)}, the modes'")
    if not bool((values > 0).all()):
        raise ValueError(f"weight: was {values.min().item()} somewhere, must be positive")
    return values


# --- as many unknowns as points ---------------------------------------------------------------------------------------


def _in_points(
    x: Tensor, y: Tensor, inverse: Tensor, period: Sequence[float], ridge: float, tol: float, most: int
) -> Solution:
    plan = Plan(x, tuple(inverse.shape), period=period)
    # Of real data and a weight equal at k and -k, half the spectrum says all.
    halved = not y.is_complex() and all(n % 2 for n in inverse.shape) and _is_even(inverse)
    half = inverse[..., inverse.shape[-1] // 2 :]

    def gram(mu: Tensor) -> Tensor:
        out = plan.rnufft2(plan.rnufft1(mu) * half) if halved else plan.nufft2(plan.nufft1(mu) * inverse)
        return out + ridge * mu if ridge else out

    y = y if halved else y.to(torch.complex128)
    approximate_inverse = preconditioner(x, inverse, period, ridge, real=halved)
    mu, residual, count = conjugate_gradients.solve(gram, approximate_inverse, y, tol, most)
    return plan.nufft1(mu) * inverse, residual, count


def _is_even(values: Tensor) -> bool:
    return torch.equal(values, values.flip(list(range(values.ndim))))


# --- as many unknowns as modes ----------------------------------------------------------------------------------------


def _in_modes(
    x: Tensor, y: Tensor, inverse: Tensor, period: Sequence[float], ridge: float, tol: float, most: int
) -> Solution:
    """(A^H A + ε W) c = A^H y for u = W^½ c, whose matrix W^-½ A^H A W^-½ + ε has a smaller condition number."""
    modes, root = tuple(inverse.shape), inverse.sqrt()
    toeplitz = _toeplitz(x, modes, period)

    def matrix(u: Tensor) -> Tensor:
        u = u.reshape(-1, *modes)
        return (root * toeplitz(root * u) + ridge * u).flatten(1)

    diagonal = (len(x) * inverse + ridge).flatten()
    b = (nufft1(x, y, modes, period=period) * root).flatten(1)
    u, residual, count = conjugate_gradients.solve(matrix, lambda r: r / diagonal, b, tol, most)
    return u.reshape(-1, *modes) * root, residual, count


def _toeplitz(x: Tensor, modes: tuple[int, ...], period: Sequence[float]) -> conjugate_gradients.Operator:
    """The product with A^H A, entries Σ_j e^{-2πi (k - k')·x_j/period}, as a circular convolution."""
    # e^{-ik·x} sums over k = -N … N-1: a type 1 transform of ones, in torch.fft's order a circulant's first column.
    ones = torch.ones(len(x), dtype=torch.float64, device=x.device)
    column = nufft1(x, ones, tuple(2 * n for n in modes), period=period, order="fft")
    multiplier = torch.fft.fftn(column)
    inside, axes = (..., *(slice(n) for n in modes)), tuple(range(-len(modes), 0))

    def product(c: Tensor) -> Tensor:
        spectrum = torch.fft.fftn(c, s=multiplier.shape, dim=axes)
        out: Tensor = torch.fft.ifftn(spectrum * multiplier, dim=axes)[inside]
        return out

    return product
