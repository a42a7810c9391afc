"""Sums at some wavenumbers whose phases no rounding touches: cycles as fractions of 2^BITS, in Python's integers."""

import math

import numpy as np
import torch
from torch import Tensor

BITS = 160


def _inverse(period: float) -> tuple[int, int]:
    """1 / period as a fraction, exactly; 1 / 2 pi, of which the nearest float64 is as good, to 99 digits."""
    if period == math.tau:
        return (
            10**98,
            628318530717958647692528676655900576839433879875021164194988918461563281257241799725606965068423413,
        )
    over, under = period.as_integer_ratio()
    return under, over


def cycles(x: float, period: float) -> int:
    (over, under), (first, second) = x.as_integer_ratio(), _inverse(period)
    return ((over * first << BITS) // (under * second)) % (1 << BITS)


def exponentials(x: Tensor, k: Tensor, period: list[float]) -> Tensor:
    """exp(-2 pi i k.x / period): points (M, d) in float64, wavenumbers (K, d) -> (K, M)."""
    folded = [[cycles(v, p) for v, p in zip(point, period, strict=True)] for point in x.tolist()]
    phases = np.array(
        [
            [sum(n * c for n, c in zip(wave, point, strict=True)) % (1 << BITS) / 2**BITS for point in folded]
            for wave in k.tolist()
        ]
    )
    return torch.from_numpy(np.exp(-2j * np.pi * (phases - np.round(phases))))
