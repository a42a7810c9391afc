"""Spectra of scattered values at chosen frequencies, and grids of them; any dimension."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..nufft import nufft3


def spectrum(x: Tensor, values: Tensor, k: Tensor, period: Sequence[float]) -> Tensor:
    """x (M, d), values (M, C), real wavenumbers k (K, d) -> complex (K, C), mean_j v_j e^{-2πi k·x_j/period}.

    In the precision of values; phases are made in float64 whatever it is.
    """
    turns = x.double() / torch.tensor(period, dtype=torch.float64, device=x.device)
    s = 2 * math.pi * k.to(turns)
    dtype = torch.promote_types(values.dtype, torch.complex64)
    return nufft3(turns, values.mT, s).mT.to(dtype) / len(x)


def wavenumbers(modes: Sequence[int], device: torch.device | None) -> Tensor:
    """Those of a grid of modes, float64 (*modes, d), centered."""
    axes = [torch.arange(-(n // 2), (n + 1) // 2, device=device, dtype=torch.float64) for n in modes]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)
