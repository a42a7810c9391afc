"""What people hold made into tensors: NumPy arrays, pandas' and xarray's objects, times."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from . import _check
from ._warn import warn

Given = Any  # a tensor, an array, a sequence of numbers, a Series, columns of a DataFrame, a DatetimeIndex, a DataArray

DAY = 86400e9  # nanoseconds
_COARSE = 4  # steps of the dtype: coordinates mostly nearer than that were nearer still before they were rounded


class PrecisionWarning(UserWarning):
    """Points coincide because their dtype is too coarse."""


def numbers(name: str, value: Given) -> Tensor:
    """A tensor as it is, but integers as float64; anything else as a float64 or float32 tensor; times in days.

    Raises:
        TypeError: where it is nothing that holds numbers.
    """
    held = as_held(name, value)
    whole = not held.is_floating_point() and not held.is_complex() and held.dtype != torch.bool
    return held.double() if whole else held


def as_held(name: str, value: Given) -> Tensor:
    """A tensor of the same kind of numbers; times in days."""
    if not isinstance(value, Tensor):
        return _from_array(name, value)
    _check.tensor(name, value)
    return value


def points(name: str, value: Given) -> Tensor:
    """:func:`numbers` that are coordinates.

    Warns:
        PrecisionWarning: where neighbours coincide because their dtype cannot tell them apart, as seconds since 1970
            do in float32.
    """
    x = numbers(name, value)
    if _check.may_read(x) and x.is_floating_point() and x.dtype != torch.float64 and 0 < x.ndim <= 2:
        for column in (x.detach().reshape(len(x), -1) if x.numel() else x[:, None]).unbind(1):
            _warn_of_rounding(name, column)
    return x


def for_model(held: Tensor, given: Given, model: nn.Module) -> Tensor:
    """What :func:`points` or :func:`numbers` made of ``given``, as a model takes it: a user's floating tensor as it is,
    anything else on the device and in the precision of the model's parameters."""
    parameter = next((p for p in model.parameters() if p.is_floating_point()), None)
    if parameter is None or (isinstance(given, Tensor) and given.is_floating_point()):
        return held
    return held.to(parameter)


def _warn_of_rounding(name: str, column: Tensor) -> None:
    distinct = column.unique().double()
    if len(distinct) in (1, len(column)) or column.numel() == 0 or not bool(distinct.isfinite().all()):
        return
    step = torch.finfo(column.dtype).eps * distinct.abs().max().item()
    if distinct.diff().median().item() <= _COARSE * step:
        warn(
            f"{name}: {len(column) - len(distinct)} of {len(column)} neighbours coincide in {column.dtype}, whose steps"
            f" are {step:.3g} at {distinct.abs().max().item():.6g}: subtract the first point, or give float64",
            PrecisionWarning,
        )


def laid_out(value: Given) -> tuple[Tensor, Tensor, str | None]:
    """Points (M, d), values and the points' unit of what has its own places: a Series with its index, a DataArray with
    its coordinates, an image (H, W) or (H, W, C) in pixels, a regular series (M,)."""
    values = numbers("y", value)
    if values.ndim not in (1, 2, 3):
        raise ValueError(f"x: shape was {tuple(values.shape)}, must be points with y, or a series or an image alone")
    d = min(values.ndim, 2)
    places = _own_places(value)[:d]
    axes = [points("x", place) for place in places] or [torch.arange(n).double() for n in values.shape[:d]]
    grid = torch.stack(torch.meshgrid(*[axis.to(values.device) for axis in axes], indexing="ij"), -1).reshape(-1, d)
    return grid, values.reshape(len(grid), -1), unit_of(places[0]) if places else None


def _own_places(value: Given) -> list[Given]:
    if hasattr(value, "coords") and hasattr(value, "dims"):  # of xarray
        return [value.coords[name].values if name in value.coords else range(n) for name, n in value.sizes.items()]
    index = getattr(value, "index", None)  # a list's is a method
    return [] if index is None or callable(index) or value.ndim > 1 else [index]


def unit_of(value: Given) -> str | None:
    return "day" if is_time(value) else None


def is_time(value: Given) -> bool:
    """Whether its numbers are days, since 1970 or in all, once :func:`numbers` has read it."""
    dtype = getattr(value, "dtype", None)
    return getattr(dtype, "kind", "") in ("M", "m") or hasattr(dtype, "tz")


def _from_array(name: str, value: Given) -> Tensor:
    if value is None:
        raise TypeError(f"{name}: was None, must be a tensor or an array of numbers")
    if is_time(value):
        return torch.from_numpy(_days(value))
    try:
        array = np.asarray(value)
    except Exception as error:
        raise TypeError(f"{name}: was {type(value).__name__}, must be a tensor or an array of numbers") from error
    if array.dtype.kind in "Mm":
        return torch.from_numpy(_days(array))
    if array.dtype.kind not in "fiuc" or array.dtype.itemsize > 16:
        if array.dtype.kind != "O":
            raise TypeError(f"{name}: dtype was {array.dtype}, must be a tensor or an array of numbers")
        try:
            array = array.astype(np.float64)  # pandas keeps decimals and missing numbers as objects
        except (TypeError, ValueError):
            raise TypeError(f"{name}: was {type(value).__name__} of objects, must be of numbers") from None
    if array.dtype.kind == "u":
        array = array.astype(np.int64)
    return torch.from_numpy(np.array(array, order="C"))  # a copy: torch shares no array that may not be written to


def _days(value: Given) -> np.ndarray:
    """Of times, float64, since 1970; exact to a microsecond for centuries."""
    array = np.asarray(value)
    if array.dtype.kind == "O":  # with a time zone
        array = np.asarray(value.tz_convert("UTC").tz_localize(None))
    if array.dtype.kind == "m":
        return array.astype("timedelta64[ns]").astype(np.int64) / DAY
    return array.astype("datetime64[ns]").astype(np.int64) / DAY


def grain_of(value: Given) -> float:
    """What coordinates are rounded to, beside their extent: that of their own dtype."""
    value = value if isinstance(value, Tensor) else numbers("x", value)
    if not value.is_floating_point() or value.numel() == 0:
        return 1e-9
    extent = (value.max() - value.min()).double().item()
    step = torch.finfo(value.dtype).eps * value.abs().max().double().item()
    return max(1e-9, 4 * step / extent) if extent > 0 else 1e-9
