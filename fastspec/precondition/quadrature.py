"""Quadrature weights that keep waves apart at scattered points."""

import math
from typing import Literal, NamedTuple, overload

import torch
from torch import Tensor

from .. import _check
from .._box import period_of
from .._core.plain import without_autocast
from .._data import Given, points
from ..nufft import Modes, Period, Plan
from ..theory.conjugate_gradients import solve

_RIDGES = (1e-3, 1e-2, 0.1, 1.0)
_AMPLIFIED = 1.5
_TOLERANCE, _ITERATIONS = 1e-4, 500
_EVEN, _DIVISIONS = 1e-3, 30


class Quadrature(NamedTuple):
    """Weights and how well they do.

    Attributes:
        weights: q_j, ``(M,)``, of sum 1.
        residual: √M times the root mean square, over the conditions, of what is left of them. Equal weights leave about
            1 at points drawn at random, and 0 on a grid; weights that meet the conditions leave less than 0.01.
        amplification: M Σ_j q_j², by which noise and what lies beyond the modes are amplified; 1 for equal weights.
    """

    weights: Tensor
    residual: float
    amplification: float


@overload
def quadrature(
    x: Given, modes: Modes, *, period: Period | str = ..., positive: bool = ..., report: Literal[False] = ...
) -> Tensor: ...


@overload
def quadrature(
    x: Given, modes: Modes, *, period: Period | str = ..., positive: bool = ..., report: Literal[True]
) -> Quadrature: ...


@without_autocast()
def quadrature(
    x: Given, modes: Modes, *, period: Period | str = 2 * math.pi, positive: bool = False, report: bool = False
) -> Tensor | Quadrature:
    """Weights q_j of the points under which the modes do not alias into one another.

        Σ_j q_j e^{2πi k·x_j/period} = δ_k0  for |k| < N in each dimension, all differences of two of N modes

    Equal weights 1/M meet this on uniform points alone; on scattered ones each mode of a function is seen in all others
    at about 1/√M of its size, however well the points resolve both. Of all weights those nearest 1/M are taken, in the
    least squares of

        M^-1 Σ_k |Σ_j q_j e^{2πi k·x_j/period} - δ_k0|² + ε Σ_j (q_j - 1/M)²

    by conjugate gradients on nonuniform transforms, with the least ε of 1e-3, 1e-2, 0.1, 1 for which M Σ_j q_j² ≤ 1.5:
    by this factor they amplify noise and what lies beyond the modes. They meet the conditions to about ε where there
    are some times as many points as conditions, (2N - 1)^d, and no gaps beyond half a wavelength; fewer points do what
    they can. Some weights may be negative.

    Points that leave part of the box empty, as spokes and spirals of magnetic resonance imaging leave its corners,
    cannot meet the conditions, and least squares give up some of what was sampled for what was not. There take
    ``positive=True``: weights above zero that even the density of the points,

        Σ_l q_l φ(x_j - x_l) the same at all of them,  φ(x) = Σ_k Π(1 - |k|/N) e^{2πi k·x/period}, the Fejér kernel,

    by dividing q by that sum again and again (Pipe & Menon 1999, Magn. Reson. Med. 41, 179), known there as density
    compensation. An image of 32 x 32 from 50 spokes of 64 points, by one adjoint transform: off by 71 % with equal
    weights, by .2 % with least squares, by .02 % with these; from 24 spokes 71, 4.6 and .8 %. Where the points fill the
    box least squares keep waves apart better.

    For ``SpectralLoss(..., quadrature=q)`` and :func:`whitening_weight`.

    Args:
        x: points, real ``(M,)`` or ``(M, d)``, d = 1 to 3.
        modes: number of wavenumbers to keep apart, an int or one per dimension.
        period: length of the periodic box, a float or one per dimension, in units of x; or "data", the extent of the
            points and one mean gap.
        positive: even the density of the points instead, for those that leave part of the box empty.
        report: return the weights with their residual and amplification, as a :class:`Quadrature`.

    Returns:
        ``(M,)``, of sum 1, in x's dtype; or a :class:`Quadrature` of them.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """
    x = points("x", x)
    _check.points(x)
    _check.finite("x", x)
    if x.ndim == 3 or len(x) == 0:
        raise ValueError(f"x: shape was {tuple(x.shape)}, must be (M,) or (M, d) and not empty")
    d = 1 if x.ndim == 1 else x.shape[1]
    differences = tuple(2 * n - 1 for n in _check.modes(modes, d))
    plan = Plan(x.detach().double(), differences, period=period_of(period, x), eps=1e-8)
    q = _evened(plan) if positive else _kept_apart(plan)
    if not report:
        return q.to(x.dtype)
    left = _unmet(plan, q).abs().square().mean().sqrt().item() * math.sqrt(len(q))
    return Quadrature(q.to(x.dtype), left, len(q) * q.square().sum().item())


def _unmet(plan: Plan, q: Tensor) -> Tensor:
    """δ - A q, a row."""
    left = -plan.nufft1(q[None]).flatten(1)
    left[:, math.prod(plan.modes) // 2] += 1
    return left


def _kept_apart(plan: Plan) -> Tensor:
    for ridge in _RIDGES:
        q = _least_squares(plan, ridge)
        if len(q) * q.square().sum() <= _AMPLIFIED:
            break
    return q


def _evened(plan: Plan) -> Tensor:
    """q over the density of points that q makes, until that is the same at all of them, to a thousandth in the mean."""
    most = torch.tensor(plan.modes, device=plan.x.device) / 2 + 0.5
    fejer = (1 - plan.k.double().abs() / most).prod(-1)
    count = plan.x.shape[0]
    q = torch.full((1, count), 1 / count, dtype=torch.float64, device=plan.x.device)
    for _ in range(_DIVISIONS):
        density = plan.nufft2(plan.nufft1(q) * fejer).real
        density = density / (q * density).sum()
        q = q / density / (q / density).sum()
        if bool((q * (density - 1).square()).sum() < _EVEN**2):
            break
    return q[0]


def _least_squares(plan: Plan, ridge: float) -> Tensor:
    """q = 1/M + A^H u / M with (A A^H / M + ε) u = δ - A 1/M, over its sum."""
    count, k = plan.x.shape[0], plan.modes
    equal = torch.full((1, count), 1 / count, dtype=torch.float64, device=plan.x.device)
    wrong = _unmet(plan, equal[0])

    def matrix(u: Tensor) -> Tensor:
        return (plan.nufft1(plan.nufft2(u.reshape(-1, *k))) / count).flatten(1) + ridge * u

    u = solve(matrix, lambda r: r, wrong, _TOLERANCE, _ITERATIONS)[0]
    q = equal[0] + plan.nufft2(u.reshape(-1, *k))[0].real / count
    return q / q.sum()
