"""The stages of a held plan, one by one: the only benchmarks' file that knows fastspec's insides."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

import fastspec as fs
from fastspec._core import fallback, ops
from fastspec._core.gridding import Gridding


def gridding(plan: fs.Plan) -> Gridding:
    return plan.choice.gridding


def sorted_points(plan: fs.Plan) -> tuple[Tensor, ...]:
    """What ops on the fine grid take of the points: positions, order, starts, and the window's polynomials."""
    return plan.planned.points.sorted


def takes_direct_sums(plan: fs.Plan, work: str) -> bool:
    """Whether the plan does "nufft1", "rnufft1" or the "loss" so."""
    use = {"nufft1": "complex", "rnufft1": "real", "loss": "step"}[work]
    return getattr(plan.choice, use).name == "direct"


def sort(plan: fs.Plan) -> Callable[[], Any]:
    held, x = gridding(plan), plan.x.reshape(1, -1, len(plan.modes))
    single = x.dtype == torch.float32
    return lambda: ops.sort(x, plan.period, held.cells, held.tile, held.width, single)


def spread(plan: fs.Plan, strengths: Tensor) -> Tensor:
    """(1, C, M) to (1, C, *cells)."""
    return ops.spread(sorted_points(plan), strengths, gridding(plan).cells, gridding(plan).tile)


def interpolate(plan: fs.Plan, grid: Tensor) -> Tensor:
    return ops.interpolate(sorted_points(plan), grid, gridding(plan).tile)


def interpolate_slopes(plan: fs.Plan, grid: Tensor) -> tuple[Tensor, Tensor]:
    return ops.interpolate_slopes(sorted_points(plan), grid, gridding(plan).tile)


def reversed_axes(t: Tensor) -> Tensor:
    """The loss keeps its spectrum with the grid's axes reversed."""
    return t.permute(0, 1, *range(t.ndim - 1, 1, -1))


def fft(plan: fs.Plan, grid: Tensor) -> Tensor:
    """A real grid (1, C, *cells) to the half spectrum of the loss, cropped along the last axis."""
    return gridding(plan).fft(grid).contiguous()


def inverse_fft(plan: fs.Plan, spectrum: Tensor) -> Tensor:
    return gridding(plan).inverse_fft(spectrum)


def weigh(spectrum: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """The loss's pass between its FFTs, in place."""
    return ops.weigh(spectrum.flatten(0, 1), ops.Rule(weight), 1.0)


def weight_that_changes_nothing(plan: fs.Plan) -> Tensor:
    """For weigh: the spectrum that comes out within the band is the one that went in."""
    shape = 1, plan.modes[-1] // 2 + 1, *(n // 2 * 2 + 1 for n in plan.modes[-2::-1])
    return torch.full(shape, 0.5, dtype=plan.x.dtype, device=plan.x.device)


def direct_sums(x: Tensor, c: Tensor, f: Tensor, g: Tensor, modes: tuple[int, ...], in_torch: bool) -> dict[str, Any]:
    """Calls of the ops between points (M, d) and modes, period 1: of strengths c, and of modes f towards g.

    ``in_torch``: what stands in for them on devices without kernels.
    """
    home, given = fallback if in_torch else ops, (modes, [1.0] * len(modes), True)
    x, c, f, g = x[None], c[None, None], f[None, None], g[None, None]
    return {
        "type 1": lambda: home.direct_type1(x, c, *given, -1)[0, 0],
        "gradient of type 2": lambda: home.direct_type2_gradient(x, f, g, *given, 1, False)[1][0],
    }
