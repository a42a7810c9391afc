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
    frequencies, _ = _modes_of(kind, x)
    sign = -1 if kind.real else kind.sign
    return direct_sets(x, c, frequencies, sign).unflatten(2, kind.mode_shape())


def type2(x: Tensor, f: Tensor, kind: Kind) -> Tensor:
    """As _transform.type2."""
    frequencies, times = _modes_of(kind, x)
    f = f * times if kind.real else f
    try:
        return direct_sets(frequencies, f.flatten(2), x, kind.sign, real=kind.real)
    except ValueError:  # which calls the outputs' places s
        raise ValueError(NON_FINITE) from None


def _modes_of(kind: Kind, x: Tensor) -> tuple[Tensor, Tensor]:
    layout, single = kind.layout, x.dtype == torch.float32
    frequencies, times = _modes(layout.modes, layout.period, layout.centered, kind.real, single, str(x.device))
    # of a constant the compiler does not know whether it needs gradients
    return frequencies.detach() if torch.compiler.is_compiling() else frequencies, times


@torch._dynamo.assume_constant_result
def _modes(*given) -> tuple[Tensor, Tensor]:
    return _made(*given)  # the compiler would look through a cache


@lru_cache(maxsize=64)
def _made(modes, period, centered: bool, real: bool, single: bool, device: str) -> tuple[Tensor, Tensor]:
    """2 pi k / period of all modes, (K, d), and the times that each counts in a real type 2, along the last axis.

    Where 2 pi / period is no whole number, what rounding takes from them is in d more columns.
    """
    dtype = np.float32 if single else np.float64
    axes = [np.arange(-(n // 2), (n + 1) // 2) for n in modes]
    if not centered:
        axes = [np.fft.ifftshift(k) for k in axes]
    if real:
        axes[-1] = np.arange(modes[-1] // 2 + 1)
    k = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(modes))
    rates = [1 if p == 2 * math.pi else TURN / p for p in period]
    exact = k * np.array(rates, np.longdouble)
    rounded = exact.astype(dtype)
    rest = (exact - rounded).astype(dtype)
    columns = np.concatenate([rounded, rest], 1) if rest.any() else rounded
    times = np.where((axes[-1] == 0) | (2 * axes[-1] == modes[-1]), 1, 2).astype(dtype)
    return torch.from_numpy(columns).to(device), torch.from_numpy(times).to(device)
