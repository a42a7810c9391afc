"""The ops' shapes and dtypes alone, for tracing."""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.library import register_fake

from .fallback import Floats, Ints

F = TypeVar("F", bound=Callable[..., Any])


def _fake(name: str) -> Callable[[F], F]:
    register: Callable[[F], F] = register_fake(f"fastspec::{name}")
    return register


@_fake("sort")
def _(x: Tensor, period: Floats, cells: Ints, tile: Ints, width: int, single: bool) -> tuple[Tensor, Tensor, Tensor]:
    tiles = 1
    for n, t in zip(cells, tile, strict=True):
        tiles *= -(-n // t)
    sets, count, _ = x.shape
    return (
        x.new_empty(x.shape, dtype=torch.int32 if single else torch.int64),
        x.new_empty((sets, count), dtype=torch.int32),
        x.new_empty((sets, tiles + 1), dtype=torch.int32),
    )


@_fake("spread")
@_fake("spread_ordered")
def _(
    position: Tensor, order: Tensor, starts: Tensor, polynomials: Tensor, strengths: Tensor, cells: Ints, tile: Ints
) -> Tensor:
    return strengths.new_empty((*strengths.shape[:2], *cells))


@_fake("interpolate")
def _(position: Tensor, order: Tensor, starts: Tensor, polynomials: Tensor, grid: Tensor, tile: Ints) -> Tensor:
    return grid.new_empty((*grid.shape[:2], position.shape[1]))


@_fake("interpolate_slopes")
def _(
    position: Tensor, order: Tensor, starts: Tensor, polynomials: Tensor, grid: Tensor, tile: Ints
) -> tuple[Tensor, Tensor]:
    values = grid.new_empty((*grid.shape[:2], position.shape[1]))
    return values, grid.new_empty((*values.shape, position.shape[2]))


@_fake("interpolate_gradient")
def _(
    position: Tensor,
    order: Tensor,
    starts: Tensor,
    polynomials: Tensor,
    grid: Tensor,
    strengths: Tensor,
    tile: Ints,
    values: bool,
) -> tuple[Tensor, Tensor]:
    real = torch.float32 if position.dtype == torch.int32 else torch.float64
    shape = (*grid.shape[:2], position.shape[1]) if values else (0,)
    return grid.new_empty(shape), grid.new_empty(position.shape, dtype=real)


@_fake("grid_to_modes")
def _(grid: Tensor, factors: Tensor, modes: Ints, negative: Ints, centered: bool, sign: int) -> Tensor:
    return grid.new_empty((grid.shape[0], *modes), dtype=torch.promote_types(grid.dtype, torch.complex32))


@_fake("modes_to_grid")
def _(modes: Tensor, factors: Tensor, cells: Ints, negative: Ints, centered: bool, sign: int, whole: int) -> Tensor:
    return modes.new_empty((modes.shape[0], *cells), dtype=factors.dtype if whole else modes.dtype)


@_fake("hadamard")
def _(x: Tensor, scale: float) -> Tensor:
    return torch.empty_like(x)


@_fake("weigh")
def _(spectrum: Tensor, weight: Tensor, scale: float, modes: Ints, rule: int, parameter: float) -> Tensor:
    return spectrum.new_empty((spectrum.shape[0],), dtype=torch.float64)


@_fake("weigh_copy")
def _(
    spectrum: Tensor, weight: Tensor, scale: float, modes: Ints, rule: int, parameter: float
) -> tuple[Tensor, Tensor]:
    return spectrum.new_empty((spectrum.shape[0],), dtype=torch.float64), torch.empty_like(spectrum)


@_fake("loss_step")
@_fake("direct_loss_step")
def _(
    pred: Tensor, target: Tensor, quadrature: Tensor | None, reduce: bool, wanted: bool, *_: Any
) -> tuple[Tensor, Tensor]:
    rows = () if reduce or pred.ndim == 1 else (*pred.shape[:-2], pred.shape[-1])
    return pred.new_empty(rows), pred.new_empty(pred.shape if wanted else (0,))


@_fake("direct_type1")
def _(x: Tensor, strengths: Tensor, modes: Ints, period: Floats, centered: bool, sign: int) -> Tensor:
    last = modes[-1] if strengths.is_complex() else modes[-1] // 2 + 1
    dtype = torch.promote_types(strengths.dtype, torch.complex32)
    return strengths.new_empty((*strengths.shape[:2], *modes[:-1], last), dtype=dtype)


@_fake("direct_type2")
def _(x: Tensor, f: Tensor, modes: Ints, period: Floats, centered: bool, sign: int, real: bool) -> Tensor:
    return f.new_empty((*f.shape[:2], x.shape[1]), dtype=f.real.dtype if real else f.dtype)


@_fake("direct_type2_gradient")
def _(
    x: Tensor, f: Tensor, strengths: Tensor, modes: Ints, period: Floats, centered: bool, sign: int, values: bool
) -> tuple[Tensor, Tensor]:
    gradient = x.new_empty(x.shape, dtype=f.real.dtype)
    return torch.empty_like(strengths) if values else strengths.new_empty((0,)), gradient


@_fake("exponential_sums")
def _(points: Tensor, strengths: Tensor, frequencies: Tensor, sign: int) -> Tensor:
    dtype = torch.promote_types(strengths.dtype, torch.complex32)
    return strengths.new_empty((strengths.shape[0], frequencies.shape[0]), dtype=dtype)


@_fake("exponential_sums_real")
def _(points: Tensor, strengths: Tensor, frequencies: Tensor, sign: int) -> Tensor:
    return points.new_empty((strengths.shape[0], frequencies.shape[0]))


@_fake("exponential_sums_gradient")
def _(points: Tensor, strengths: Tensor, frequencies: Tensor, gradient: Tensor, sign: int) -> Tensor:
    return torch.empty_like(points)


@_fake("gaussian_filter")
def _(x: Tensor, y: Tensor, deltas: Tensor) -> tuple[Tensor, Tensor]:
    return x.new_empty((deltas.shape[0], *y.shape[1:])), x.new_empty((deltas.shape[0], x.shape[0]))


@_fake("gaussian_filter_rounded")
def _(x: Tensor, y: Tensor, deltas: Tensor, precision: str) -> tuple[Tensor, Tensor]:
    return x.new_empty((deltas.shape[0], *y.shape[1:])), x.new_empty((deltas.shape[0], x.shape[0]))


@_fake("gaussian_filter_gradient")
def _(x: Tensor, y: Tensor, deltas: Tensor, cotangent: Tensor) -> Tensor:
    return torch.empty_like(x)
