"""Weights of the spectral loss over wavenumbers.

The fixed ones are callables of the float wavenumbers (..., d), the adaptive ones of the error's magnitude |F| (...).
A wavenumber k counts cycles per period.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class sobolev:
    """(1 + |k|^2)^s: the squared Sobolev norm of order s; s > 0 favours high wavenumbers, s < 0 low ones."""

    s: float

    def __post_init__(self):
        _finite("s", self.s)

    def __call__(self, k: Tensor) -> Tensor:
        return (1 + k.square().sum(-1)) ** self.s


@dataclass(frozen=True)
class power:
    """|k|^p, and 1 at k = 0, where a negative power has none."""

    p: float

    def __post_init__(self):
        _finite("p", self.p)

    def __call__(self, k: Tensor) -> Tensor:
        norm = k.norm(dim=-1)
        return torch.where(norm > 0, norm, 1) ** self.p


@dataclass(frozen=True)
class band:
    """1 where lo <= |k| <= hi, else 0."""

    lo: float
    hi: float

    def __post_init__(self):
        if not 0 <= self.lo <= self.hi:
            raise ValueError(f"lo, hi: were {self.lo!r}, {self.hi!r}, must be 0 <= lo <= hi")

    def __call__(self, k: Tensor) -> Tensor:
        norm = k.norm(dim=-1)
        return ((norm >= self.lo) & (norm <= self.hi)).to(k.dtype)


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

    def __post_init__(self):
        _finite("alpha", self.alpha)
        if self.alpha < 0:
            raise ValueError(f"alpha: was {self.alpha!r}, must not be negative")

    def __call__(self, magnitude: Tensor) -> Tensor:
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

    def __call__(self, k: Tensor) -> Tensor:
        from .theory import lfp_rate  # imports this module, by way of the loss

        norm = k.norm(dim=-1).clamp_min(0.5)
        options = {"activation": self.activation, "a": self.a, "w": self.w, "sigma_b": self.sigma_b}
        return lfp_rate((norm / self.period).flatten(), d=k.shape[-1], **options).pow(-2).reshape(norm.shape)


def from_rates(rates: Tensor, exponent: float) -> Tensor:
    """(λ_k / max λ)^-p, p = ``exponent``: evens rates of decay, such as ``measure.ntk_rates``; 1 evens them wholly.

    Args:
        rates: λ_k > 0, ``(*modes)``.

    Returns:
        The weight, ``(*modes)``, at least 1.

    Raises:
        ValueError: where a rate is not positive and finite.
    """
    _finite("exponent", exponent)
    if not bool(((rates > 0) & rates.isfinite()).all()):
        raise ValueError("rates: had some that were not positive and finite, must all be")
    return (rates / rates.max()) ** -exponent


def _finite(name: str, value: float) -> None:
    if not isinstance(value, (int, float)):
        raise TypeError(f"{name}: was {value!r}, must be a number")
    if not math.isfinite(value):
        raise ValueError(f"{name}: was {value!r}, must be finite")
