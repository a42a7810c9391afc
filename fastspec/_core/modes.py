"""A grid of modes in a periodic box, and the wavenumbers on it: all plain numbers, known before any data."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

Modes = int | Sequence[int]
Period = float | Sequence[float]


class ModeGrid(NamedTuple):
    """Wavenumbers -(N//2) ... (N-1)//2 along each axis of a box."""

    modes: tuple[int, ...]
    half_modes: tuple[int, ...]  # the last axis halved: its wavenumbers 0 ... N//2
    period: tuple[float, ...]
    centered: bool

    @property
    def dim(self) -> int:
        return len(self.modes)

    def wavenumbers(self, device: torch.device | None = None) -> Tensor:
        return wavenumbers(self.modes, self.centered, device)


def wavenumbers(modes: Sequence[int], centered: bool, device: torch.device | None = None) -> Tensor:
    """int64, (*modes, d)."""
    axes = [axis_wavenumbers(n, centered, device) for n in modes]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)


def axis_wavenumbers(n: int, centered: bool, device: torch.device | None = None) -> Tensor:
    k = torch.arange(-(n // 2), (n + 1) // 2, device=device)
    return k if centered else torch.fft.ifftshift(k)


def multiplicity(modes: int, like: Tensor) -> Tensor:
    """m_k along the halved axis of ``modes`` modes: 1 where a mode's partner is itself or not on the grid, else 2."""
    m = torch.full((modes // 2 + 1,), 2.0, dtype=like.real.dtype, device=like.device)
    m[0] = 1
    if modes % 2 == 0:
        m[-1] = 1
    return m


def phase_rates(grid: ModeGrid, sign: int, real: bool, like: Tensor) -> list[Tensor]:
    """t = sign 2 pi k / period along each axis of the modes, broadcastable against (..., *modes)."""
    rates = []
    for a, n in enumerate(grid.modes):
        if real and a == grid.dim - 1:
            k = torch.arange(n // 2 + 1, device=like.device)
        else:
            k = axis_wavenumbers(n, grid.centered, like.device)
        k = k.to(like.real.dtype) * (sign * 2 * math.pi / grid.period[a])
        rates.append(k.reshape(-1, *[1] * (grid.dim - 1 - a)))
    return rates
