"""What a loss is of besides its points: weight, quadrature, reduction; and users' shapes made rows."""

import math
from typing import Any, NamedTuple

from torch import Tensor

from .. import _check
from .._core.transform import Planned
from .frequencies import AtFrequencies
from .reductions import Reduction


class Terms(NamedTuple):
    weight: Any  # as SpectralLoss's, or one of weighing.py
    quadrature: Tensor | None
    relative: bool
    reduction: Reduction
    group: Any  # of torch.distributed
    eps: float | None  # as asked


def check(planned: Planned | AtFrequencies, pred: Tensor, target: Tensor, terms: Terms) -> None:
    x, sets, quadrature = planned.points.x, planned.sets, terms.quadrature
    for name, value in (("pred", pred), ("target", target)):
        _check.data(name, value, x)
    if pred.shape != target.shape:
        raise ValueError(f"target: shape was {tuple(target.shape)}, must be pred's, {tuple(pred.shape)}")
    count, axis = x.shape[1], -1 if pred.ndim == 1 else -2
    if count == 0 and terms.group is None:  # a rank may have none: if it raised, the others would wait for it
        raise ValueError("x: had no points, must have at least one")
    if pred.ndim == 0 or pred.shape[axis] != count:
        raise ValueError(f"pred: shape was {tuple(pred.shape)}, must be ({count},) or (..., {count}, C)")
    if sets and (pred.ndim < 2 + len(sets) or tuple(pred.shape[: len(sets)]) != sets):
        said = ", ".join(map(str, sets))
        raise ValueError(f"pred: shape was {tuple(pred.shape)}, must be ({said}, ..., {count}, C)")
    if quadrature is not None:
        check_quadrature(quadrature, planned)


def check_quadrature(quadrature: Tensor, planned: Planned | AtFrequencies) -> None:
    x, sets = planned.points.x, planned.sets
    _check.data("quadrature", quadrature, x, real=True)
    shapes = [(x.shape[1],), *([(*sets, x.shape[1])] if sets else [])]
    if tuple(quadrature.shape) not in shapes:
        raise ValueError(f"quadrature: shape was {tuple(quadrature.shape)}, must be {' or '.join(map(str, shapes))}")


def of_rows(quadrature: Tensor, x: Tensor) -> Tensor:
    """(M,) or (..., M) of sets, to go with strengths (S, R, M)."""
    return quadrature if quadrature.ndim == 1 else quadrature.reshape(x.shape[0], 1, x.shape[1])


def rows(values: Tensor, x: Tensor) -> Tensor:
    """(M,) or (..., M, C) to strengths (S, R, M) at points (S, M, d)."""
    values = values.unsqueeze(-1) if values.ndim == 1 else values
    values = values.movedim(-1, -2)
    each = math.prod(values.shape[:-1]) // x.shape[0] if x.shape[0] else 0
    return values.reshape(x.shape[0], each, x.shape[1])


def rows_shape(values: Tensor) -> tuple[int, ...]:
    """Of the sums of rows."""
    return () if values.ndim == 1 else (*values.shape[:-2], values.shape[-1])


def at_points(values: Tensor, planned: Planned | AtFrequencies, channels: str) -> Tensor:
    """Images and channels first to (..., M, C); points on a grid may keep its axes."""
    count = planned.points.x.shape[1]
    if channels == "first":
        if values.ndim < 3:
            raise ValueError(f"pred: shape was {tuple(values.shape)}, must be (B, C, M) or (B, C, H, W)")
        return values.flatten(2).movedim(1, -1)
    if values.ndim < 3 or values.shape[-2] == count:
        return values
    for axes in range(2, min(values.ndim - 1, 3) + 1):
        if math.prod(values.shape[-1 - axes : -1]) == count:
            return values.reshape(*values.shape[: -1 - axes], count, values.shape[-1])
    return values
