"""Spectra of scattered values at chosen frequencies: mean_j v_j e^{-2πi k·x_j/period}, any dimension."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

_ENTRIES = 2**22  # exponentials held at a time


def spectrum(x: Tensor, values: Tensor, k: Tensor, period: Sequence[float]) -> Tensor:
    """x (M, d), values (M, C), real wavenumbers k (K, d) -> complex (K, C), in the precision of values.

    Phases are made in float64 whatever the precision.
    """
    turns = x.double() / torch.tensor(period, dtype=torch.float64, device=x.device)
    s = 2 * math.pi * k.to(turns)
    dtype = torch.promote_types(values.dtype, torch.complex64)
    return type3(turns, values.mT.to(dtype), s).mT / len(x)


def type3(x: Tensor, c: Tensor, s: Tensor) -> Tensor:
    """F_s = Σ_j c_j e^{-is·x_j}: x (M, d) float64, c (C, M) complex, s (K, d) -> (C, K)."""
    parts = []
    for part in s.split(max(1, _ENTRIES // max(1, len(x)))):
        phase = -(x @ part.mT)
        parts.append(c @ torch.polar(torch.ones_like(phase), phase).to(c.dtype))
    return torch.cat(parts, 1)
