"""Direct sums between points and a grid of modes: what the kernels of direct_kernels.py are launched with."""

import math
import struct
from fractions import Fraction
from functools import lru_cache

import torch
from torch import Tensor

import triton

from ..fallback import Floats, Ints
from ._tune import FUSED
from .direct_kernels import modes_kernel, products_kernel, values_kernel

FILL = 512  # programs that keep a large GPU busy
STEP = 128  # points of which a share is a multiple
INVERSE_TAU = Fraction("0.15915494309189533576888376337251436203445964574046")


def _bits(number: float) -> int:
    bits: int = struct.unpack("<q", struct.pack("<d", number))[0]
    return bits


@lru_cache
def _inverse(period: float) -> tuple[int, int]:
    """The bits of 1 / period in float64, and of what its leading 26 lack; -0.0, for 0 would be of another type.

    The float64 nearest to 2 pi stands for 2 pi, so that phases are k.x without rounding.
    """
    exact = INVERSE_TAU if period == math.tau else 1 / Fraction(period)
    inverse = _bits(float(exact))
    high = struct.unpack("<d", struct.pack("<q", inverse & -(1 << 27)))[0]
    return inverse, _bits(float(exact - Fraction(high)) or -0.0)


class Grid:
    """The modes as the kernels take them: the first axis, and two others, which may be of one mode."""

    def __init__(self, modes: Ints, period: Floats, centered: bool, sign: int, real: bool):
        d, alone = len(modes), real and len(modes) == 1
        first, middle, last = modes[0], modes[1] if d == 3 else 1, modes[-1] if d > 1 else 1
        inner = last // 2 + 1 if real else last
        even = first % 2 == 0 and not alone
        self.pairs, self.lefts = first // 2 if even else first // 2 + 1, middle * inner
        self.axes = first, self.lefts, self.pairs, int(even), int(alone), int(centered), middle, last, inner, sign
        self.periods = *_inverse(period[0]), *_inverse(period[d // 2]), *_inverse(period[-1])
        self.real = real

    def tiles(self) -> tuple[int, int, int]:
        """Rows and columns of a tile, and how many of them there are."""
        rows, columns = (16 if n <= 8 else 32 for n in (self.pairs, self.lefts))
        return rows, columns, triton.cdiv(2 * self.pairs, rows) * triton.cdiv(2 * self.lefts, columns)


def _shares(programs: int, terms: int, step: int) -> tuple[int, int]:
    """Into how many shares of how many terms a sum is cut so that all of a GPU works on it."""
    count = max(1, min(FILL // programs, triton.cdiv(terms, step)))
    share = triton.cdiv(triton.cdiv(terms, count), step) * step
    return triton.cdiv(terms, share), share


def _numbers(t: Tensor) -> Tensor:
    return torch.view_as_real(t.contiguous()) if t.is_complex() else t.contiguous()


def _check(x: Tensor, data: Tensor, modes: Ints, period: Floats, sign: int) -> None:
    torch._check(
        x.ndim == 3 and x.shape[0] == data.shape[0], lambda: "x: must be (S, M, d), a set for each of the data"
    )
    torch._check(
        x.dtype == data.real.dtype and x.dtype in (torch.float32, torch.float64),
        lambda: "x: wrong dtype, must be float32 or float64, of the data's precision",
    )
    torch._check(
        1 <= len(modes) == len(period) <= 3 and x.shape[2] == len(modes) and min(modes) >= 1,
        lambda: "modes and period: one number per axis, modes at least 1",
    )
    torch._check(sign in (-1, 1), lambda: "sign: must be -1 or +1")


def _check_spectrum(f: Tensor, modes: Ints, real: bool) -> None:
    kept = (*modes[:-1], modes[-1] // 2 + 1) if real else tuple(modes)
    torch._check(f.is_complex() and tuple(f.shape[2:]) == kept, lambda: f"spectrum: must be complex, (S, C, *{kept})")


def direct_type1(x: Tensor, strengths: Tensor, modes: Ints, period: Floats, centered: bool, sign: int) -> Tensor:
    """As ops.direct_type1, in two launches: products of shares of the points, and their sums over shares as modes."""
    _check(x, strengths, modes, period, sign)
    torch._check(strengths.shape[2] == x.shape[1], lambda: "strengths: one for each point")
    real, (sets, channels, count) = not strengths.is_complex(), strengths.shape
    kept = (*modes[:-1], modes[-1] // 2 + 1) if real else modes
    if not strengths.numel():
        return torch.zeros(sets, channels, *kept, dtype=torch.promote_types(x.dtype, torch.complex32), device=x.device)
    grid, spectra = Grid(modes, period, centered, sign, real), sets * channels
    rows, columns, tiles = grid.tiles()
    shares, share = _shares(spectra * tiles, count, STEP)
    products = x.new_empty(shares, spectra, 2 * grid.pairs, 2 * grid.lefts)
    products_kernel[(spectra * tiles, shares)](
        x.contiguous(),
        _numbers(strengths),
        products,
        count,
        share,
        spectra,
        channels,
        *grid.axes,
        *grid.periods,
        D=len(modes),
        REAL=real,
        ROWS=rows,
        COLUMNS=columns,
        **FUSED,
    )
    out = x.new_empty(sets, channels, *kept, 2)
    blocks = triton.cdiv(out[0, 0].numel(), 64)
    modes_kernel[(spectra * blocks,)](products, out, shares, spectra, blocks, *grid.axes[:6], SHARES=16, NUMBERS=64)
    return torch.view_as_complex(out)


def direct_type2(x: Tensor, f: Tensor, modes: Ints, period: Floats, centered: bool, sign: int, real: bool) -> Tensor:
    """As ops.direct_type2, in one launch, and one to add where few points need shares of the modes."""
    _check(x, f, modes, period, sign)
    _check_spectrum(f, modes, real)
    return _type2(x, f, None, Grid(modes, period, centered, sign, real), True)[0]


def direct_type2_gradient(
    x: Tensor, f: Tensor, strengths: Tensor, modes: Ints, period: Floats, centered: bool, sign: int, values: bool
) -> tuple[Tensor, Tensor]:
    """As ops.direct_type2_gradient, values and gradient in the same sweep."""
    real = not strengths.is_complex()
    _check(x, f, modes, period, sign)
    _check_spectrum(f, modes, real)
    torch._check(
        strengths.shape == (*f.shape[:2], x.shape[1]) and strengths.real.dtype == x.dtype,
        lambda: "strengths: must be (S, C, M), of the spectrum's precision",
    )
    out, slopes = _type2(x, f, strengths, Grid(modes, period, centered, sign, real), values)
    return out if values else strengths.new_empty(0), slopes


def _type2(x: Tensor, f: Tensor, strengths: Tensor | None, grid: Grid, values: bool) -> tuple[Tensor, Tensor]:
    """Values (S, C, M) where wanted, and the gradient (S, M, d) where there are strengths; else an empty tensor."""
    (sets, channels), (count, d) = f.shape[:2], x.shape[1:]
    spectra = sets * channels
    rows, columns, tiles = grid.tiles()
    shares, share = _shares(max(1, spectra * triton.cdiv(count, 64)), tiles, 1)
    sums = (shares, sets, channels, count)
    out = x.new_empty((sums if grid.real else (*sums, 2)) if values else 0)
    slopes = x.new_empty(0 if strengths is None else (*sums, d))
    if spectra and count:
        somewhere = out if values else slopes
        values_kernel[lambda meta: (spectra * triton.cdiv(count, meta["BLOCK_M"]), shares)](
            x.contiguous(),
            _numbers(f),
            somewhere if strengths is None else _numbers(strengths),
            somewhere,
            somewhere if strengths is None else slopes,
            count,
            share,
            spectra,
            channels,
            *grid.axes,
            *grid.periods,
            D=d,
            REAL=grid.real,
            VALUES=values,
            SLOPES=strengths is not None,
            ROWS=rows,
            COLUMNS=columns,
            **FUSED,
        )
    if values:
        out = out[0] if shares == 1 else out.sum(0)
        out = out if grid.real else torch.view_as_complex(out)
    if strengths is not None:
        slopes = slopes[0, :, 0] if shares == channels == 1 else slopes.sum((0, 2))
    return out, slopes
