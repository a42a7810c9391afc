"""Transforms by gridding: spreading with a window on a finer grid, FFT, deconvolution (Dutt & Rokhlin 1993; Barnett,
Magland & af Klinteberg 2019, arXiv 1808.06736, for the error analysis).

The slopes of type 2 come from the window's derivative in the same interpolation, so a gradient in the points costs one
FFT in any dimension.
"""

from functools import lru_cache
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from .._C import PlanChoice, Window
from . import ops
from .modes import ModeGrid, axis_wavenumbers
from .ops import Sorted
from .plain import plainly
from .points import Points

Use = Literal["real", "complex", "step"]  # strengths of a transform, or the loss's step


class Gridding(NamedTuple):
    """The fine grid and window for a grid of modes. Methods take points (S, M, d), strengths (S, C, M), modes."""

    grid: ModeGrid
    cells: tuple[int, ...]  # of the fine grid
    tile: tuple[int, ...]
    width: int  # of the window, in cells
    sigma: float  # the upsampling factor

    @property
    def name(self) -> str:
        return "gridding"

    def type1(self, points: Points, c: Tensor, sign: int, real: bool) -> Tensor:
        factors, modes = (points.half_factors, self.grid.half_modes) if real else (points.factors, self.grid.modes)
        band = modes, self._negative(real), self.grid.centered
        if 0 in c.shape[:2]:  # FFT libraries refuse a batch of none
            return c.new_zeros((*c.shape[:2], *modes), dtype=torch.promote_types(c.dtype, torch.complex32))
        grid = ops.spread(points.sorted, c.contiguous(), self.cells, self.tile).flatten(0, 1)
        out: Tensor = ops.grid_to_modes(grid, factors, *band, -1 if real else sign).unflatten(0, c.shape[:2])
        return out

    def type2(self, points: Points, f: Tensor, sign: int, real: bool) -> Tensor:
        return ops.interpolate(points.sorted, self._fine_grid(points, f, sign, real), self.tile)

    def slopes(self, points: Points, f: Tensor, sign: int, real: bool) -> tuple[Tensor, Tensor]:
        """Type 2 and its slopes in the points, (S, C, M, d)."""
        grid = self._fine_grid(points, f, sign, real)
        values, slopes = ops.interpolate_slopes(points.sorted, grid, self.tile)
        return values, slopes * self._cells_per_unit(values)

    def gradient(self, points: Points, f: Tensor, strengths: Tensor, sign: int, values: bool) -> tuple[Tensor, Tensor]:
        """Type 2 where ``values`` are wanted, and Re(conj(strengths) slopes), summed over channels, (S, M, d)."""
        grid = self._fine_grid(points, f, sign, not strengths.is_complex())
        found = ops.interpolate_gradient(points.sorted, grid, strengths.contiguous(), self.tile, values)
        return found[0], found[1] * self._cells_per_unit(found[1])

    def step(self, points: Points, residual: ops.Residual, rule: ops.Rule, scale: float) -> tuple[Tensor, Tensor]:
        """The loss's step in one op: the rows' sums and their gradient."""
        return ops.loss_step(residual, points.sorted, self.cells, self.tile, rule, scale)

    @staticmethod
    def steps_on(device: torch.device) -> bool:
        """Whether there is a step on this device."""
        return device.type in ("cpu", "cuda")

    @staticmethod
    def cost(expected: PlanChoice, use: Use) -> float:
        """Nanoseconds that the planner expects it to take; of the loss's step, less what all algorithms share."""
        out: float = getattr(expected.gridding, use)
        return out

    def _fine_grid(self, points: Points, f: Tensor, sign: int, real: bool) -> Tensor:
        factors = points.half_factors if real else points.factors
        if 0 in f.shape[:2]:
            return f.new_zeros((*f.shape[:2], *self.cells), dtype=factors.dtype if real else f.dtype)
        band = self.cells, self._negative(real), self.grid.centered
        whole = self.grid.modes[-1] if real else 0
        grid = ops.modes_to_grid(f.flatten(0, 1).contiguous(), factors, *band, sign, whole)
        out: Tensor = grid.unflatten(0, f.shape[:2])
        return out

    def _negative(self, real: bool) -> list[int]:
        """How many wavenumbers of each axis are negative."""
        negative = [n // 2 for n in self.grid.modes]
        return [*negative[:-1], 0] if real else negative

    def _cells_per_unit(self, like: Tensor) -> float | Tensor:
        per_unit = [n / p for n, p in zip(self.cells, self.grid.period, strict=True)]
        if len(set(per_unit)) == 1:
            return per_unit[0]
        # filled in where they are: a copy from the host would hold up the stream
        return torch.cat([torch.full((1,), n, dtype=like.real.dtype, device=like.device) for n in per_unit])

    def half_spectrum(self, points: Sorted, c: Tensor) -> Tensor:
        """Real strengths (S, C, M) to the fine spectrum that ops.weigh takes, (S, C, K, *cells reversed)."""
        return self.fft(ops.spread(points, c.contiguous(), self.cells, self.tile))

    def half_values(self, points: Sorted, spectrum: Tensor) -> Tensor:
        """The transpose of half_spectrum: (S, C, K, *cells reversed) to values (S, C, M)."""
        return ops.interpolate(points, self.inverse_fft(spectrum), self.tile)

    def fft(self, grid: Tensor) -> Tensor:
        """A real grid (S, C, *cells) to (S, C, K, *cells reversed), cropped along the last axis."""
        fine = ops.transformed(torch.fft.rfft, grid, dim=-1)[..., : self.grid.half_modes[-1]]
        others = tuple(range(2, fine.ndim - 1))
        fine = ops.transformed(torch.fft.fftn, fine, dim=others) if others else fine
        out: Tensor = fine.permute(0, 1, *range(fine.ndim - 1, 1, -1))
        return out

    def inverse_fft(self, spectrum: Tensor) -> Tensor:
        fine = spectrum.permute(0, 1, *range(spectrum.ndim - 1, 1, -1))
        others = tuple(range(2, fine.ndim - 1))
        fine = ops.transformed(torch.fft.ifftn, fine, dim=others, norm="forward") if others else fine
        out: Tensor = torch.fft.irfft(fine, n=self.cells[-1], dim=-1, norm="forward").contiguous()
        return out

    def deconvolution(self, points: Points) -> list[Tensor]:
        """The window's, per axis of half_spectrum's band: 0 ... N//2, of the others -(N//2) ... N//2, FFT order."""
        axes = []
        for n, factors in zip(self.grid.modes, points.factors.split(list(self.grid.modes)), strict=True):
            one_sided = factors[: n // 2 + 1]
            one_sided = one_sided.flip(0) if self.grid.centered else one_sided
            axes.append(torch.cat([one_sided, one_sided[1:].flip(0)]))
        return [axes[-1][: self.grid.modes[-1] // 2 + 1], *reversed(axes[:-1])]


class Tables(NamedTuple):
    """The window as ops take it: see Sorted and Points."""

    polynomials: Tensor
    factors: Tensor
    half_factors: Tensor


def window_tables(gridding: Gridding, single: bool, device: str) -> Tables:
    # a mode that sees all that is made, as fake tensors' does, must see these too
    return (_tables if torch._C._len_torch_dispatch_stack() else _kept_tables)(gridding, single, device)


@lru_cache(maxsize=64)
def _kept_tables(gridding: Gridding, single: bool, device: str) -> Tables:
    with plainly():
        return _tables(gridding, single, device)


def _tables(gridding: Gridding, single: bool, device: str) -> Tables:
    window, grid = Window(gridding.width, gridding.sigma), gridding.grid
    sizes = list(zip(grid.modes, gridding.cells, strict=True))
    cpu = torch.device("cpu")
    one_sided = [_tensor(window.deconvolution(n // 2, cells)) for n, cells in sizes]
    axes = [
        table[axis_wavenumbers(n, grid.centered, cpu).abs()] for n, table in zip(grid.modes, one_sided, strict=True)
    ]
    tables = (
        torch.tensor(window.polynomials(), dtype=torch.float64, device=cpu),
        torch.cat(axes),
        torch.cat([*axes[:-1], one_sided[-1]]),
    )
    return Tables(*(t.to(device=device, dtype=torch.float32 if single else torch.float64) for t in tables))


def _tensor(numbers: bytearray) -> Tensor:
    if torch._C._len_torch_dispatch_stack():  # modes see only what is made of numbers
        return torch.tensor(memoryview(numbers).cast("d").tolist(), dtype=torch.float64, device="cpu")
    return torch.frombuffer(numbers, dtype=torch.float64)


def forget() -> None:
    """Empties the cache of tables, for tests."""
    _kept_tables.cache_clear()
