"""What networks are fitted to before training: the frequencies that matter in scattered data."""

import math

import torch
from torch import Tensor

from .._core.plain import without_autocast
from ..measure.fits import least_squares, polynomials
from ..measure.peaks import dominant_frequencies

_LEAST = 0.05  # of the strongest line's amplitude
_TREND = 3


@without_autocast()
def significant_frequencies(x: Tensor, y: Tensor, n_frequencies: int, max_frequency: float | None = None) -> Tensor:
    """Of the strongest lines in the data, those of at least 5 % of the largest amplitude: float64 (K, d), cycles per
    unit of x, strongest first. See :func:`fastspec.measure.dominant_frequencies`, which finds them.
    """
    frequencies = dominant_frequencies(x, y, n_frequencies, max_frequency=max_frequency)
    rows_x, rows_y = (t.detach().double().reshape(len(t), -1) for t in (x, y))
    low, high = rows_x.amin(0), rows_x.amax(0)
    trend = polynomials((2 * rows_x - low - high) / (high - low), _TREND)
    phase = 2 * math.pi * (rows_x - low) @ frequencies.mT
    amplitudes = least_squares(torch.cat([trend, phase.cos(), phase.sin()], 1), rows_y)[trend.shape[1] :]
    size = amplitudes.square().reshape(2, len(frequencies), -1).sum((0, 2)).sqrt()
    return frequencies[size >= _LEAST * size.max()] if len(size) else frequencies


def half_extent(x: Tensor) -> Tensor:
    """Half of the largest less the smallest coordinate along each axis, float64 (d,)."""
    rows = x.detach().double().reshape(len(x), -1)
    return (rows.amax(0) - rows.amin(0)) / 2
