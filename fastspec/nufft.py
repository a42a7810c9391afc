"""Nonuniform Fourier transforms: shapes and dtypes. The transforms themselves are in _core/.

For points x_j (units of ``period``) and integer wavenumbers k:

    type 1   F_k = sum_j c_j exp(sign i 2 pi k.x_j / period)        scattered data to modes, default sign -1
    type 2   c_j = sum_k f_k exp(sign i 2 pi k.x_j / period)        modes to scattered points, default sign +1
    type 3   F_k = sum_j c_j exp(sign i s_k.x_j)                    to any frequencies, in any dimension: direct sums
"""

import math

import torch
from torch import Tensor

from . import _check
from ._core.exponential_sums import sums_of_sets
from ._core.modes import Modes, Period
from ._core.planning import plan_once, sets_of
from ._core.transform import HALVES, as_sets, complex_dtype, narrow, with_sets
from .plan import Plan

__all__ = ["Modes", "Period", "Plan", "nufft1", "nufft2", "nufft3", "rnufft1", "rnufft2"]


def nufft1(
    x: Tensor,
    c: Tensor,
    modes: Modes,
    *,
    sign: int = -1,
    eps: float | None = None,
    period: Period = 2 * math.pi,
    order: str = "centered",
) -> Tensor:
    """Type 1: F_k = sum_j c_j exp(sign i 2 pi k.x_j / period), unscaled.

    Args:
        x: points, real, (M,), (M, d) or (..., M, d) with d = 1 to 3, in units of ``period``; folded into it. The axes
            before M are sets of points.
        c: strengths, real or complex, (..., M). With several sets of points c begins with their axes; where it lacks
            them or has them of size 1, it is for all sets. Sets of unequal size are padded, with any finite points of
            strength zero: jagged tensors by ``to_padded_tensor(0.0)``.
        modes: number of wavenumbers, an int for all dimensions or one for each: k = -(N//2) ... (N-1)//2.
        sign: of the exponent, -1 or +1.
        eps: requested relative l2 error, a number; default 1e-6 in float32 and 1e-12 in float64.
        period: length of the periodic box, a number or one per dimension; also NumPy's, or a tensor's.
        order: of the modes, "centered" or torch.fft's, "fft".

    Returns:
        Modes (..., *modes), complex, in the precision of c, from the points as they are: float64 points are folded and
        scaled in float64 also for float32 strengths. float16 is computed in float32 and returned as complex32;
        bfloat16, which has no complex type, as complex64.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """
    _check.points(x)
    _check.data("c", c, x)
    _check.trailing("c", c, [x.shape[-1] if x.ndim == 1 else x.shape[-2]])
    sign, wanted = _check.sign(sign), _check.wanted(x, c, modes, eps, period, order)
    return plan_once(x, wanted, real=False).type1(c, sign)


def nufft2(
    x: Tensor,
    f: Tensor,
    *,
    sign: int = 1,
    eps: float | None = None,
    period: Period = 2 * math.pi,
    order: str = "centered",
) -> Tensor:
    """Type 2: c_j = sum_k f_k exp(sign i 2 pi k.x_j / period), the adjoint of type 1 at the default signs.

    Args:
        x: points, real, (M,), (M, d) or (..., M, d) with d = 1 to 3, in units of ``period``; folded into it.
        f: coefficients, real or complex, (..., *modes), for sets of points as in nufft1.
        sign, eps, period, order: as in nufft1.

    Returns:
        Values (..., M), complex.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """
    _check.points(x)
    _check.data("f", f, x)
    dim = _check.dimension(x)
    if f.ndim < dim or 0 in f.shape[f.ndim - dim :]:
        raise ValueError(f"f: shape was {tuple(f.shape)}, must end with {dim} axes of at least one mode each")
    modes = tuple(f.shape[f.ndim - dim :])
    sign, wanted = _check.sign(sign), _check.wanted(x, f, modes, eps, period, order)
    return plan_once(x, wanted, real=False).type2(f, sign)


def rnufft1(
    x: Tensor,
    c: Tensor,
    modes: Modes,
    *,
    eps: float | None = None,
    period: Period = 2 * math.pi,
    order: str = "centered",
) -> Tensor:
    """Type 1 of real strengths: the half spectrum, sign -1, without the work and memory of the other half.

    Args:
        x, modes, eps, period: as in nufft1.
        c: strengths, real, (..., M).
        order: of all axes of modes but the last, whose wavenumbers are 0 ... N//2 either way.

    Returns:
        (..., *modes[:-1], modes[-1]//2 + 1), complex.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """
    _check.points(x)
    _check.data("c", c, x, real=True)
    _check.trailing("c", c, [x.shape[-1] if x.ndim == 1 else x.shape[-2]])
    return plan_once(x, _check.wanted(x, c, modes, eps, period, order), real=True).real_type1(c)


def rnufft2(
    x: Tensor,
    f: Tensor,
    modes: Modes,
    *,
    eps: float | None = None,
    period: Period = 2 * math.pi,
    order: str = "centered",
) -> Tensor:
    """Type 2 of a half spectrum: Re sum_k m_k f_k exp(+i 2 pi k.x / period) over the half grid.

    m_k is 1 where the last wavenumber is 0, and at N/2 of an even N; 2 elsewhere: so a half spectrum stands for the
    full one of a real signal.

    Args:
        x, eps, period: as in nufft1.
        f: half spectrum, complex, (..., *modes[:-1], modes[-1]//2 + 1).
        modes: of the full spectrum, an int or one per dimension.
        order: as in rnufft1.

    Returns:
        Values (..., M), real.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """
    _check.points(x)
    _check.data("f", f, x, complex=True)
    planned = plan_once(x, _check.wanted(x, f, modes, eps, period, order), real=True)
    _check.trailing("f", f, planned.choice.gridding.grid.half_modes)  # torch 2.10 traces no property here
    return planned.real_type2(f)


def nufft3(x: Tensor, c: Tensor, s: Tensor, *, sign: int = -1, eps: float | None = None) -> Tensor:
    """Type 3: F_k = sum_j c_j exp(sign i s_k.x_j), from any points to any frequencies, in any dimension; no period.

    By direct sums, exact to rounding: O(M K) work, and no memory beyond input and output. Differentiable in c, x and s.

    Args:
        x: points, real, (M,), (M, d) or (..., M, d), d = 1, 2, ....
        c: strengths, real or complex, (..., M), as in nufft1. Real ones halve the sums, but not the sines and cosines,
            which are most of the work of a single row.
        s: frequencies, real, (K,) or (K, d), in radians per unit of x; (..., K, d) for each point set its own, or
            several for the same points.
        sign: of the exponent, -1 or +1.
        eps: as in nufft1, and met whatever it is: the relative l2 error is about 3e-7 in float32 and 1e-15 in float64,
            at phases of 10,000 radians too.

    Returns:
        (..., K), complex, in the wider precision of c and s; half precision as in nufft1.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """
    _check.coordinates("x", x)
    _check.data("c", c, x)
    _check.trailing("c", c, [x.shape[-1] if x.ndim == 1 else x.shape[-2]])
    _check.frequencies(s, x)
    _check.eps(eps, _check.precision(x, c))
    # in the widest precision of the three: sums have no positions on a grid, whose digits are kept beside the data's
    dtype = torch.promote_types(torch.promote_types(x.dtype, _check.precision(x, c)), s.dtype)
    sets = sets_of(x) or sets_of(s)
    strengths = c.to(complex_dtype(dtype) if c.is_complex() else dtype)
    rows, batch = with_sets("c", strengths, 1, sets)
    points = as_sets(x, dtype).expand(len(rows), -1, -1)
    out = sums_of_sets(points, rows, as_sets(s, dtype), _check.sign(sign))
    out = out.reshape(*batch, s.shape[0 if s.ndim == 1 else -2])
    widened = s.dtype == torch.float64 and c.dtype not in HALVES
    return out if widened else narrow(out, c)
