"""What a monitor is given, checked and made ready: points, target, predictions, steps."""

import operator

import torch
from torch import Tensor

from .. import _check
from .._data import Given, as_held, numbers, points
from .checks import point_rows
from .classes import of_labels, of_probabilities

_LAST_STEP = 2**53  # up to which JSON's readers keep every integer


def checked_step(step: object) -> int:
    whole = int(step) if isinstance(step, float) and step.is_integer() else step
    try:
        count = operator.index(whole)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"step: was {step!r}, must be a whole number") from None
    if abs(count) > _LAST_STEP:
        raise ValueError(f"step: was {step!r}, must be at most 2^53 in size")
    return count


def checked_points(x: Given) -> Tensor:
    """(M,) or (M, d) -> (M, d), in single precision at least."""
    rows = point_rows(points("x", x))
    _check.finite("x", rows)
    return _at_least_single(rows)


def checked_values(name: str, values: Given, x: Tensor, real: bool = False) -> Tensor:
    """(M,) or (M, C) -> (M, C), in single precision at least."""
    values = numbers(name, values)
    _check.data(name, values, x, real=real)
    if values.ndim not in (1, 2) or len(values) != len(x):
        raise ValueError(f"{name}: shape was {tuple(values.shape)}, must be (M,) or (M, C) with M = {len(x)} as in x")
    return _at_least_single(values.detach())


def _at_least_single(values: Tensor) -> Tensor:
    single = torch.complex64 if values.is_complex() else torch.float32
    values = values.to(torch.promote_types(values.dtype, single))
    return values[:, None] if values.ndim == 1 else values


def checked_target(target: Given, x: Tensor, logits: bool) -> Tensor:
    """(M, C); of a classifier probabilities, of two classes at least."""
    if not isinstance(target, Tensor):
        target = as_held("target", target)
    if logits and not target.is_floating_point() and not target.is_complex():
        target = of_labels(target, len(x)).to(x.dtype)
    target = checked_values("target", target, x, real=logits)
    _check.finite("target", target)
    return of_probabilities(target) if logits else target
