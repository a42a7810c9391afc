"""What networks are fitted to before training: the frequencies that matter in scattered data."""

import warnings

from torch import Tensor

from .._data import Given, numbers, points
from ..measure.lines import InsignificantWarning, Lines, find_lines

TREND = 3  # degree
_LEAST = 0.05  # of the strongest line's amplitude


def read(x: Given, y: Given) -> tuple[Tensor, Tensor]:
    """Points and values as tensors of real numbers, whatever holds them; times as days since 1970."""
    return points("x", x), numbers("y", y)


def lines_of(x: Tensor, y: Tensor, n_frequencies: int | None, max_frequency: float | None = None) -> Lines:
    """The significant lines of data on a cubic trend, at most ``n_frequencies``, without a word where they are fewer.

    See :func:`fastspec.measure.dominant_frequencies`, whose defaults these are.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsignificantWarning)
        return find_lines(x, y, n_frequencies, max_frequency=max_frequency, trend_degree=TREND, min_separation=2.0)


def significant_frequencies(x: Tensor, y: Tensor, n_frequencies: int, max_frequency: float | None = None) -> Tensor:
    """Of the strongest lines in the data, those of at least 5 % of the largest amplitude: float64 (K, d), cycles per
    unit of x, strongest first; where none is significant the strongest alone.
    """
    lines = lines_of(x, y, n_frequencies, max_frequency)
    if len(lines) == 0:
        lines = find_lines(
            x, y, 1, max_frequency=max_frequency, trend_degree=TREND, min_separation=2.0, false_alarm=1.0
        )
    size = lines.amplitude.norm(dim=1)
    return lines.frequency[size >= _LEAST * size.max()]


def half_extent(x: Tensor) -> Tensor:
    """Half of the largest less the smallest coordinate along each axis, float64 (d,)."""
    rows = x.detach().double().reshape(len(x), -1)
    return (rows.amax(0) - rows.amin(0)) / 2
