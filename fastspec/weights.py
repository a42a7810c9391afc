"""Weights of the spectral loss over wavenumbers.

The fixed ones are callables of the float wavenumbers (..., d), the adaptive ones of the error's magnitude |F| (...).
A wavenumber k counts cycles per period.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

Weight = Callable[[Tensor], Tensor]


def sobolev(s: float) -> Weight:
    """(1 + |k|^2)^s: the squared Sobolev norm of order s; s > 0 favours high wavenumbers, s < 0 low ones."""
    _finite("s", s)
    return lambda k: (1 + k.square().sum(-1)) ** s


def power(p: float) -> Weight:
    """|k|^p, and 1 at k = 0, where a negative power has none."""
    _finite("p", p)

    def weight(k: Tensor) -> Tensor:
        norm = k.norm(dim=-1)
        return torch.where(norm > 0, norm, 1) ** p

    return weight


def band(lo: float, hi: float) -> Weight:
    """1 where lo <= |k| <= hi, else 0."""
    if not 0 <= lo <= hi:
        raise ValueError(f"lo, hi: were {lo!r}, {hi!r}, must be 0 <= lo <= hi")
    return lambda k: ((k.norm(dim=-1) >= lo) & (k.norm(dim=-1) <= hi)).to(k.dtype)


class Adaptive(ABC):
    """A weight computed from the current error, detached.

    It is called with |F|, (R, ...): one row per member of the batch and channel, the modes after it in any arrangement,
    possibly only half of them, the others being equal; it returns the weight in the same shape.
    """

    @abstractmethod
    def __call__(self, magnitude: Tensor) -> Tensor: ...


class focal(Adaptive):
    """|F|^alpha over its maximum: what is worst now counts most (Jiang et al. 2021, arXiv 2012.12821).

    Args:
        alpha: exponent, not negative; 0 is a weight of 1.
    """

    def __init__(self, alpha: float = 1.0):
        _finite("alpha", alpha)
        if alpha < 0:
            raise ValueError(f"alpha: was {alpha!r}, must not be negative")
        self.alpha = alpha

    def __call__(self, magnitude: Tensor) -> Tensor:
        weight = magnitude.detach() ** self.alpha
        largest = weight.flatten(1).amax(1).reshape(-1, *[1] * (weight.ndim - 1))
        return torch.where(largest > 0, weight / largest, 1)

    def __repr__(self) -> str:
        return f"focal(alpha={self.alpha})"


def _finite(name: str, value: float) -> None:
    if not isinstance(value, (int, float)):
        raise TypeError(f"{name}: was {value!r}, must be a number")
    if not math.isfinite(value):
        raise ValueError(f"{name}: was {value!r}, must be finite")
