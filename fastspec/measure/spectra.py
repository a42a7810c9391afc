"""Spectra of scattered values at chosen frequencies: mean_j v_j e^{-2πi k·x_j/period}, any dimension."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..nufft import nufft3


def spectrum(x: Tensor, values: Tensor, k: Tensor, period: Sequence[float]) -> Tensor:
    """x (M, d), values (M, C), real wavenumbers k (K, d) -> complex (K, C), in the precision of values.

    Phases are made in float64 whatever the precision.
    """
    turns = x.double() / torch.tensor(period, dtype=torch.float64, device=x.device)
    s = 2 * math.pi * k.to(turns)
    dtype = torch.promote_types(values.dtype, torch.complex64)
    return nufft3(turns, values.mT, s).mT.to(dtype) / len(x)
