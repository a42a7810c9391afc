"""Claim: the loss's FFTs, axis by axis and cropped in between, take no longer than torch's rfftn and irfftn whole.

The fine grids of the fused loss at 1e-6. Each side begins and ends with what the stages beside it take: a contiguous
real grid, and a contiguous half spectrum with its axes reversed. The limit is one read of the one and one write of the
other at the bandwidth of a large copy.
"""

from collections.abc import Iterator

import torch
from gpu import SIZES
from gpu_common import GpuRow, copy_bandwidth, medians, relative_error, row, write
from torch import Tensor

from fastspec._transform import Layout, choose, half_fft, half_grid

DEVICE, EPS = "cuda", 1e-6


def reversed_axes(t: Tensor) -> Tensor:
    return t.permute(0, 1, *range(t.ndim - 1, 1, -1))


def whole_fft(layout: Layout, grid: Tensor) -> Tensor:
    return torch.fft.rfftn(grid, dim=tuple(range(2, grid.ndim)))[..., : layout.half_modes[-1]]


def whole_grid(layout: Layout, fine: Tensor) -> Tensor:
    return torch.fft.irfftn(fine, s=layout.cells, dim=tuple(range(2, fine.ndim)), norm="forward")


def measure(size) -> Iterator[GpuRow]:
    layout = choose(size.modes, (1.0,) * size.dim, True, size.points, 1, EPS, True, True, False, "gridding", DEVICE)[0]
    grid = torch.randn(1, 1, *layout.cells, generator=torch.Generator(DEVICE).manual_seed(0), device=DEVICE)
    spectrum = reversed_axes(half_fft(layout, grid)).contiguous()
    limit = 1e3 * (grid.nbytes + spectrum.nbytes) / copy_bandwidth()
    cells = " x ".join(map(str, layout.cells))
    for name, ours, theirs, data, turned in (
        ("FFT", half_fft, whole_fft, grid, reversed_axes),
        ("inverse FFT", half_grid, whole_grid, reversed_axes(spectrum), lambda grid: grid),
    ):
        calls = {
            who: lambda f=f, data=data, turned=turned: turned(f(layout, data)).contiguous()
            for who, f in (("fastspec", ours), ("torch", theirs))
        }
        exact = turned(theirs(layout, data.to(torch.promote_types(data.dtype, torch.float64))))
        errors = {who: relative_error(call(), exact) for who, call in calls.items()}
        yield row(f"{name} of {cells} cells", medians(calls, 0.5), errors, "torch", 1.0, limit)


def rows() -> Iterator[GpuRow]:
    for size in SIZES:
        yield from measure(size)


if __name__ == "__main__":
    write("gpu_fft", rows)
