"""Weights of the spectral loss over wavenumbers.

The fixed ones are callables of the float wavenumbers (..., d), the adaptive ones of the error's magnitude |F| (...).
A wavenumber k counts cycles per period.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from . import _check
from ._lfp import lfp_rate


@dataclass(frozen=True)
class sobolev:
    """(1 + |k|^2)^s: the squared Sobolev norm of order s; s > 0 favours high wavenumbers, s < 0 low ones."""

    s: float

    def __post_init__(self) -> None:
        _finite("s", self.s)

    def __call__(self, k: Tensor) -> Tensor:
        return (1 + _wavenumbers(k).square().sum(-1)) ** float(self.s)


@dataclass(frozen=True)
class power:
    """|k|^p, and 1 at k = 0, where a negative power has none."""

    p: float

    def __post_init__(self) -> None:
        _finite("p", self.p)

    def __call__(self, k: Tensor) -> Tensor:
        norm = _wavenumbers(k).norm(dim=-1)
        return torch.where(norm > 0, norm, 1) ** float(self.p)


@dataclass(frozen=True)
class band:
    """1 where lo <= |k| <= hi, else 0."""

    lo: float
    hi: float

    def __post_init__(self) -> None:
        for name, value in (("lo", self.lo), ("hi", self.hi)):
            _number(name, value)
        if not 0 <= self.lo <= self.hi:
            raise ValueError(f"lo, hi: were {self.lo!r}, {self.hi!r}, must be 0 <= lo <= hi")

    def __call__(self, k: Tensor) -> Tensor:
        norm = _wavenumbers(k).norm(dim=-1)
        out: Tensor = ((norm >= float(self.lo)) & (norm <= float(self.hi))).to(norm.dtype)
        return out


def sample_sobolev(
    K: int,
    d: int,
    s: float,
    generator: torch.Generator | None = None,
    *,
    radius: float | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> Tensor:
    """K frequencies (K, d) drawn from the density p(k) = (1 + |k|^2)^s / Z, Z = its integral.

    For any F, the plain mean of |F(k)|^2 over them estimates the Sobolev norm of order s without bias, over Z:

        E[1/K sum_k |F(k)|^2] = 1/Z int (1 + |k|^2)^s |F(k)|^2 dk

    Over all of R^d the density is integrable for s < -d/2, where Z = pi^(d/2) Gamma(-s - d/2) / Gamma(-s): Student's t
    in d dimensions with -2s - d degrees of freedom. Larger s need a ``radius``: then the density and the integrals are
    those of the ball |k| <= radius.

    Args:
        K: number of frequencies.
        d: dimension.
        s: order; s > 0 favours high frequencies, s = 0 is uniform in the ball, s < 0 favours low ones.
        generator: of the random numbers, on ``device``; default torch's own.
        radius: largest |k|.
        dtype, device: of the result.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """
    for name, count in (("K", K), ("d", d)):
        if not isinstance(count, int) or count < 1:
            raise ValueError(f"{name}: was {count!r}, must be an int of at least 1")
    _finite("s", s)
    direction = torch.randn(K, d, generator=generator, dtype=torch.float64, device=device)
    if radius is None:
        if s >= -d / 2:
            raise ValueError(f"s: was {s!r}, must be below -d/2 = {-d / 2:g} unless a radius is given: not integrable")
        shape = torch.full((K, 1), -s - d / 2, dtype=torch.float64, device=device)
        k = direction / (2 * torch._standard_gamma(shape, generator)).sqrt()
    else:
        if not isinstance(radius, (int, float)) or not 0 < radius < math.inf:
            raise ValueError(f"radius: was {radius!r}, must be positive and finite")
        uniform = torch.rand(K, generator=generator, dtype=torch.float64, device=device)
        k = direction / direction.norm(dim=1, keepdim=True) * _radii(uniform, d, s, radius)[:, None]
    return k.to(dtype)


def _radii(uniform: Tensor, d: int, s: float, radius: float) -> Tensor:
    """From uniform numbers, by inverting the distribution of r on [0, radius], with density ~ r^(d - 1) (1 + r^2)^s."""
    nodes = torch.linspace(0, math.asinh(radius), 20_001, dtype=torch.float64, device=uniform.device).sinh()
    middle = (nodes[1:] + nodes[:-1]) / 2
    logarithm = (d - 1) * middle.log() + s * torch.log1p(middle.square()) + nodes.diff().log()
    mass = torch.cumsum(torch.exp(logarithm - logarithm.max()), 0)
    mass = torch.cat([mass.new_zeros(1), mass / mass[-1]])
    above = torch.searchsorted(mass, uniform).clamp(1, len(nodes) - 1)
    share = (uniform - mass[above - 1]) / (mass[above] - mass[above - 1])
    return nodes[above - 1] + share * (nodes[above] - nodes[above - 1])


class Adaptive(ABC):
    """A weight computed from the current error, detached.

    It is called with |F|, (R, ...): one row per member of the batch and channel, the modes after it in any arrangement,
    possibly only half of them, the others being equal; it returns the weight in the same shape.
    """

    @abstractmethod
    def __call__(self, magnitude: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class focal(Adaptive):
    """|F|^alpha over its maximum: what is worst now counts most (Jiang et al. 2021, arXiv 2012.12821).

    Args:
        alpha: exponent, not negative; 0 is a weight of 1.
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        _finite("alpha", self.alpha)
        if self.alpha < 0:
            raise ValueError(f"alpha: was {self.alpha!r}, must not be negative")

    def __call__(self, magnitude: Tensor) -> Tensor:
        _check.tensor("magnitude", magnitude)
        if not magnitude.is_floating_point():
            raise TypeError(f"magnitude: dtype was {magnitude.dtype}, must be real and floating: |F|")
        weight = magnitude.detach() ** self.alpha
        largest = weight.flatten(1).amax(1).reshape(-1, *[1] * (weight.ndim - 1))
        return torch.where(largest > 0, weight / largest, 1)


@dataclass(frozen=True)
class lfp:
    """γ(k / period)^-2 of the linear frequency principle: the norm that a wide two-layer network minimises.

    Of all functions that meet the data, training to the end finds the one for which Σ_k γ^-2 |ĥ_k - ĥ_0k|² is least
    (arXiv 2010.08153): give it to ``theory.min_norm_interpolant``. At k = 0, where γ is infinite, it is what it is at
    half a cycle per period.

    Args:
        activation, a, w, sigma_b: the network, as in ``theory.lfp_rate``.
        period: length of the periodic box, one for all dimensions, in units of x.
    """

    activation: str = "relu"
    a: Tensor | float = 1.0
    w: Tensor | float = 1.0
    sigma_b: float = 1.0
    period: float = 1.0

    def __post_init__(self) -> None:
        _check.period(self.period, 1)

    def __call__(self, k: Tensor) -> Tensor:
        norm = _wavenumbers(k).norm(dim=-1).clamp_min(0.5)
        xi, d = (norm / self.period).flatten(), k.shape[-1]
        rate = lfp_rate(xi, d=d, activation=self.activation, a=self.a, w=self.w, sigma_b=self.sigma_b)
        return rate.pow(-2).reshape(norm.shape)


def from_rates(rates: Tensor, exponent: float) -> Tensor:
    """(λ_k / max λ)^-p, p = ``exponent``: evens rates of decay, such as ``measure.ntk_rates``; 1 evens them wholly.

    Args:
        rates: λ_k > 0, ``(*modes)``.

    Returns:
        The weight, ``(*modes)``, at least 1.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be: rates positive and finite.
    """
    _finite("exponent", exponent)
    _check.tensor("rates", rates)
    if not rates.is_floating_point():
        raise TypeError(f"rates: dtype was {rates.dtype}, must be real and floating")
    if rates.numel() == 0:
        raise ValueError(f"rates: shape was {tuple(rates.shape)}, must not be empty")
    _check.finite("rates", rates)
    if not bool((rates > 0).all()):
        raise ValueError("rates: had some that were not positive and finite, must all be")
    return (rates / rates.max()) ** -float(exponent)


def _wavenumbers(k: Tensor) -> Tensor:
    """(..., d), floating."""
    _check.tensor("k", k)
    if k.is_complex() or k.dtype == torch.bool:
        raise TypeError(f"k: dtype was {k.dtype}, must be real")
    if k.ndim == 0:
        raise ValueError("k: was a scalar, must be (..., d)")
    return k if k.is_floating_point() else k.to(torch.get_default_dtype())


def _number(name: str, value: float) -> None:
    if not isinstance(value, (int, float)):
        raise TypeError(f"{name}: was {value!r}, must be a number")


def _finite(name: str, value: float) -> None:
    _number(name, value)
    if not math.isfinite(value):
        raise ValueError(f"{name}: was {value!r}, must be finite")
