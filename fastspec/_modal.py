"""The transforms between points and a grid of modes as direct sums, for where few of them make that cheaper.

Exact to rounding, whatever the eps. Points (S, M, d), strengths (S, C, M) and modes (S, C, *modes) as in _transform.py,
derivatives those of _direct.py.
"""

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ._direct import direct_sets
from ._ops import NON_FINITE
from ._transform import Kind

TURN = np.longdouble("6.28318530717958647692528676655900577")


def type1(x: Tensor, c: Tensor, kind: Kind) -> Tensor:
    """As _transform.type1."""
    frequencies, _ = _modes(kind, x.dtype == torch.float32, str(x.device))
    sign = -1 if kind.real else kind.sign
    return direct_sets(x, c, frequencies, sign).unflatten(2, kind.mode_shape)


def type2(x: Tensor, f: Tensor, kind: Kind) -> Tensor:
    """As _transform.type2."""
    frequencies, times = _modes(kind, x.dtype == torch.float32, str(x.device))
    f = f * times if kind.real else f
    try:
        return direct_sets(frequencies, f.flatten(2), x, kind.sign, real=kind.real)
    except ValueError:  # which calls the outputs' places s
        raise ValueError(NON_FINITE) from None


@torch._dynamo.assume_constant_result
@lru_cache(maxsize=64)
def _modes(kind: Kind, single: bool, device: str) -> tuple[Tensor, Tensor]:
    """2 pi k / period of all modes, (K, d), and the times that each counts in a real type 2, along the last axis.

    Where 2 pi / period is no whole number, what rounding takes from them is in d more columns.
    """
    layout, dtype = kind.layout, np.float32 if single else np.float64
    axes = [np.arange(-(n // 2), (n + 1) // 2) for n in layout.modes]
    if not layout.centered:
        axes = [np.fft.ifftshift(k) for k in axes]
    if kind.real:
        axes[-1] = np.arange(layout.half_modes[-1])
    k = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, layout.dim)
    rates = [1 if p == 2 * math.pi else TURN / p for p in layout.period]
    exact = k * np.array(rates, np.longdouble)
    rounded = exact.astype(dtype)
    rest = (exact - rounded).astype(dtype)
    columns = np.concatenate([rounded, rest], 1) if rest.any() else rounded
    times = np.where((axes[-1] == 0) | (2 * axes[-1] == layout.modes[-1]), 1, 2).astype(dtype)
    return torch.from_numpy(columns).to(device), torch.from_numpy(times).to(device)
