"""What a loss is of besides its points: weight, quadrature, reduction; and users' shapes made rows."""

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


def check(planned: Planned | AtFrequencies, pred: Tensor, target: Tensor, quadrature: Tensor | None) -> None:
    x = planned.points.x
    for name, value in (("pred", pred), ("target", target)):
        _check.data(name, value, x)
    if pred.shape != target.shape:
        raise ValueError(f"target: shape was {tuple(target.shape)}, must be pred's, {tuple(pred.shape)}")
    count, axis = x.shape[1], -1 if pred.ndim == 1 else -2
    if count == 0:
        raise ValueError("x: had no points, must have at least one")
    if pred.ndim == 0 or pred.shape[axis] != count:
        raise ValueError(f"pred: shape was {tuple(pred.shape)}, must be ({count},) or (..., {count}, C)")
    if planned.batched and (pred.ndim < 3 or pred.shape[0] != x.shape[0]):
        raise ValueError(f"pred: shape was {tuple(pred.shape)}, must be ({x.shape[0]}, ..., {count}, C)")
    if quadrature is not None:
        _check.data("quadrature", quadrature, x, real=True)
        _check.trailing("quadrature", quadrature, [count])


def rows(values: Tensor, x: Tensor) -> Tensor:
    """(M,) or (..., M, C) to strengths (S, R, M) at points (S, M, d)."""
    values = values if values.ndim == 1 else values.movedim(-1, -2)
    return values.reshape(x.shape[0], -1, x.shape[1])


def rows_shape(values: Tensor) -> tuple[int, ...]:
    """Of the sums of rows."""
    return () if values.ndim == 1 else (*values.shape[:-2], values.shape[-1])
