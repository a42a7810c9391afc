"""Frequencies that the points of a sample cannot tell from each other."""

import torch
from torch import Tensor

from ..nufft import nufft1

_ALIKE = 0.7  # of the whole sample, that goes along with the other frequency
_MOST = 2**18


def aliases(x: Tensor, frequencies: Tensor, highest: float) -> list[float | None]:
    """For each frequency (K,) at points (M,), the one up to twice the highest that most looks like it, or None.

    The sample's own spectrum has a peak at the difference of two that are alike, as 52 a year of weekly data.
    """
    span = (x.max() - x.min()).item()
    half = min(_MOST, int(4 * 2 * highest * span))
    if half < 16:
        return [None] * len(frequencies)
    turns = (x.double() - x.min().double()) / (4 * span)
    size = nufft1(turns, torch.full_like(turns, 1 / len(x)), 2 * half + 1, period=1.0, eps=1e-6).abs()[half:]
    size[:16] = 0  # about zero
    best = int(size.argmax())
    if size[best] < _ALIKE:
        return [None] * len(frequencies)
    shift = best / (4 * span)
    return [abs(shift - f) for f in frequencies.tolist()]
