"""What people hold made into tensors: NumPy arrays, pandas' and xarray's objects, times."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

Given = Any  # a tensor, an array, a sequence of numbers, a Series, columns of a DataFrame, a DatetimeIndex, a DataArray

DAY = 86400e9  # nanoseconds


def numbers(name: str, value: Given) -> Tensor:
    """A tensor as it is, but integers as float64; anything else as a float64 or float32 tensor; times in days.

    Raises:
        TypeError: where it is nothing that holds numbers.
    """
    if not isinstance(value, Tensor):
        value = _from_array(name, value)
    whole = not value.is_floating_point() and not value.is_complex() and value.dtype != torch.bool
    return value.double() if whole else value


def is_time(value: Given) -> bool:
    """Whether its numbers are days since 1970 once :func:`numbers` has read it."""
    dtype = getattr(value, "dtype", None)
    return not isinstance(value, Tensor) and getattr(dtype, "kind", "") in "Mm" or hasattr(dtype, "tz")


def _from_array(name: str, value: Given) -> Tensor:
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
    if array.dtype.kind in "iu":
        array = array.astype(np.float64)
    return torch.from_numpy(np.ascontiguousarray(array))


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
