"""The periodic box of data: its lengths, and whether the points fill it."""

from typing import Any

from torch import Tensor

from . import _check
from ._warn import warn

_LEAST, _MOST = 0.5, 1 + 1e-4  # of a period that points span: rounding of the ends is no second round
_DISTINCT = 1e-6  # of the extent: nearer coordinates are one, rounded


class PeriodWarning(UserWarning):
    """The points span less than half of the period, or more than all of it."""


def period_of(value: Any, x: Tensor, *, warns: bool = True) -> tuple[float, ...]:
    """Lengths of the box of points (M, d) or (M,): as given, or for "data" the extent of the points and one mean gap,
    so that the last is no neighbour nearer to the first than to others.

    Warns:
        PeriodWarning: where the points do not fill the lengths given. Not where they may not be read, as under
            torch.compile.
    """
    d = _check.dimension(x)
    if isinstance(value, str):
        if value != "data":
            raise ValueError(f"period: was {value!r}, must be a float, one per dimension, or 'data'")
        return tuple(_extent_and_gap(column) for column in _columns(x))
    period = _check.period(value, d)
    if warns and _check.may_read(x) and x.numel() and x.is_floating_point():
        _warn_unless_filled(x, period)
    return period


def _columns(x: Tensor) -> list[Tensor]:
    return list(x.detach().double().reshape(-1, _check.dimension(x)).unbind(1))


def _extent_and_gap(column: Tensor) -> float:
    low, high = (column.min().item(), column.max().item()) if len(column) else (0.0, 0.0)
    extent = high - low
    if not extent > 0:
        raise ValueError("x: had no extent along some dimension, must have some along each where period is 'data'")
    distinct = len(((column - low) / (_DISTINCT * extent)).round().unique())
    return extent * distinct / (distinct - 1)


def _warn_unless_filled(x: Tensor, period: tuple[float, ...]) -> None:
    for axis, (column, length) in enumerate(zip(_columns(x), period, strict=True)):
        extent = (column.max() - column.min()).item()
        if extent > 0 and not _LEAST * length <= extent <= _MOST * length:
            named = "x" if len(period) == 1 else f"dimension {axis} of x"
            warn(
                f"period: {named} spans {extent:.6g}, {'less than half of' if extent < length else 'more than'} the"
                f" period {length:.6g}: give period='data' (here {_extent_and_gap(column):.6g}), or x in units in which"
                " its box has this length",
                PeriodWarning,
            )
            return
