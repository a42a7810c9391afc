"""What stands for a plan where a loss is on frequencies of its own: the spectrum is a direct sum over them."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .. import _check
from .._core.exponential_sums import sums_of_sets
from .._core.modes import Period, wavenumbers
from .._core.planning import sets_of
from .._core.points import Points
from .._core.transform import as_sets

Frequencies = Tensor | Callable[[], Tensor]
MOST_DIRECT_MODES = 2**24


class Wavenumbers(NamedTuple):
    """In place of a ModeGrid."""

    k: Tensor  # (*modes, d)
    modes: tuple[int, ...]  # (K,) unless they are a grid in more than three dimensions

    @property
    def dim(self) -> int:
        return len(self.modes)

    def wavenumbers(self, device: torch.device | None = None) -> Tensor:
        return self.k


class AtFrequencies(NamedTuple):
    """Points and the frequencies of a loss on them."""

    points: Points
    s: Tensor  # (K, d), in radians per unit of x; (K, 2 d) where rounding took digits, see _radians
    grid: Wavenumbers
    sets: tuple[int, ...]  # as Planned's

    @property
    def batched(self) -> bool:
        return bool(self.sets)

    def spectrum(self, strengths: Tensor) -> Tensor:
        """(S, R, M) to (S, R, *modes), sign -1."""
        out: Tensor = sums_of_sets(self.points.x, strengths, self.s.unsqueeze(0), -1).unflatten(2, self.grid.modes)
        return out


def at_frequencies(x: Tensor, k: Tensor, period: Period, dtype: torch.dtype) -> AtFrequencies:
    """Points (M,), (M, d) or (B, M, d), wavenumbers (*modes, d) or (K,)."""
    _check.coordinates("x", x)
    if k.device.type == "cpu" and _check.may_read(k):
        _check.finite("frequencies", k)
    k, sets = k.unsqueeze(-1) if k.ndim == 1 else k, as_sets(x, dtype)
    if k.shape[-1] != sets.shape[-1]:
        raise ValueError(f"x: had {sets.shape[-1]} dimensions, must have {k.shape[-1]} as the loss's frequencies have")
    if k.device != x.device:
        raise ValueError(f"x: was on {x.device}, must be on {k.device} as the loss's frequencies are")
    return AtFrequencies(Points(sets), _radians(k, period, dtype), Wavenumbers(k, tuple(k.shape[:-1])), sets_of(x))


def _radians(k: Tensor, period: Period, dtype: torch.dtype) -> Tensor:
    """2 pi k / period. What float32 would round off is kept as d more coordinates, which meet the same points again."""
    period = _check.period(period, k.shape[-1])
    rates = [2 * math.pi / p for p in period]
    if dtype == torch.float64 or (k.dtype != torch.float64 and all(rate == 1 for rate in rates)):
        return k.flatten(0, -2).to(dtype) * torch.tensor(rates, dtype=dtype, device=k.device)
    exact = k.flatten(0, -2).double() * torch.tensor(rates, dtype=torch.float64, device=k.device)
    rounded = exact.to(dtype)
    return torch.cat([rounded, (exact - rounded).detach().to(dtype)], -1)


def checked_frequencies(value: Frequencies) -> Frequencies:
    """As given to the loss; those a callable returns are checked when it is asked."""
    if isinstance(value, Tensor):
        _check.coordinates("frequencies", value, (1, 2))
    elif not callable(value):
        raise TypeError(
            f"frequencies: was {type(value).__name__}, must be a tensor (K, d) or a callable that returns one"
        )
    return value


def grid_of_wavenumbers(modes: Sequence[int]) -> Tensor:
    """(*modes, d), for more dimensions than grids have."""
    if math.prod(modes) > MOST_DIRECT_MODES:
        raise ValueError(
            f"modes: was {tuple(modes)!r}, must be at most 2^24 in all in more than three dimensions: give frequencies"
        )
    return wavenumbers(modes, True).float()
