"""The loss for any input, composed of differentiable parts: of the fused pass, or of the public transforms."""

from typing import Any

import torch
from torch import Tensor

from .. import _check
from .._core.modes import ModeGrid
from .._core.ranks import differentiable_sum
from .._core.transform import Planned, complex_dtype
from ..weights import Adaptive
from . import distributed
from .frequencies import AtFrequencies
from .fused import fused_sums
from .terms import Terms, of_rows, rows, rows_shape
from .weighing import Table, Weighing, wants_transforms, weight_values


def composed(planned: Planned | AtFrequencies, pred: Tensor, target: Tensor, terms: Terms) -> Tensor:
    x = planned.points.x
    dtype = x.dtype if not pred.is_complex() and not target.is_complex() else complex_dtype(x.dtype)
    strengths, quadrature = rows(pred.to(dtype) - target.to(dtype), x), terms.quadrature
    scale, total = 1.0, x.shape[1]
    if terms.group is not None:
        total = distributed.point_count(total, _shard(planned, pred, dtype, terms), x.device, terms.group)
    if quadrature is not None:
        quadrature = of_rows(quadrature.to(x.dtype), x)
        strengths = strengths * quadrature
    elif torch.compiler.is_compiling() and terms.group is None:
        strengths = strengths / x.shape[1]  # a symbol there: as an op's argument it would be this call's number
    else:
        scale = 1 / total
    by_transforms = strengths.is_complex() or wants_transforms(planned, terms.weight)
    sums: Any = transformed_sums if by_transforms else fused_sums
    if 0 in strengths.shape[:2]:  # no rows: an empty sum of each, and what the reduction makes of none
        return terms.reduction.apply(strengths.real.sum(-1).reshape(rows_shape(pred))).to(_check.real_dtype(pred))
    above, used = sums(planned, strengths, terms.weight, scale, terms.group)
    if terms.relative:
        below = rows(target.to(dtype), x)
        if quadrature is not None:
            below = below * quadrature
        elif scale == 1.0:
            below = below / x.shape[1]
        above = above / sums(planned, below, used, scale, terms.group)[0]
    out = terms.reduction.apply(above.reshape(rows_shape(pred)))
    return out.to(_check.real_dtype(pred))


def _shard(planned: Planned | AtFrequencies, pred: Tensor, dtype: torch.dtype, terms: Terms) -> distributed.Shard:
    grid = planned.grid
    box = grid.period if isinstance(grid, ModeGrid) else float(grid.k.sum())
    shape = (*rows_shape(pred), pred.ndim)
    return distributed.Shard(grid.modes, box, terms.eps, dtype, shape, terms.relative, terms.quadrature is not None)


def transformed_sums(
    planned: Planned | AtFrequencies, strengths: Tensor, weight: Any, scale: float, group: Any
) -> tuple[Tensor, Tensor]:
    """(S, R) sums by the transforms, for complex residuals and gradients in points or weight, and the weight used."""
    spectrum = differentiable_sum(planned.spectrum(strengths) * scale, group)
    values = _values(weight, planned, spectrum)
    power = spectrum.real.square() + spectrum.imag.square()
    return (values * power).flatten(2).sum(-1), values


def _values(weight: Any, planned: Planned | AtFrequencies, spectrum: Tensor) -> Tensor:
    """Over the modes, (*modes), or (S, R, *modes) where they were found from a spectrum (S, R, *modes)."""
    if isinstance(weight, Adaptive):
        return weight(spectrum.flatten(0, 1).detach().abs()).reshape(spectrum.shape)
    if isinstance(weight, Table):
        return weight.values
    if isinstance(weight, Weighing):
        return weight_values(weight.weight, planned.grid, spectrum)
    if isinstance(weight, Tensor) and weight.ndim > planned.grid.dim:
        return weight
    return weight_values(weight, planned.grid, spectrum)
