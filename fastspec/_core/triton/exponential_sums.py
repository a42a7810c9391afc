"""Sums of exponentials in any dimension, F_bk = sum_j c_bj exp(sign i s_k.x_j), and their gradients.

Tiles of phases come from phase.py and never reach memory. Sums in float32: a lane adds at most DEPTH terms one by one,
lanes are added as a tree, and the chunks that this makes by Kahan's sum, so that for any number of points the rounding
error is below (DEPTH + 10) 2^-24 sum_j |c_bj|, beside that of sine and cosine, 5e-7 each at most.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad

import triton
import triton.language as tl

from ._tune import FUSED, MOST, config, tuned
from .phase import add, cycles_of, fast_cos_sin, padded, phase_slices, room, split, split_dot, width_of

FILL = 1024  # programs that keep a large GPU busy


@tuned(
    single=[
        config(BLOCK_K=64, BLOCK_M=32, DEPTH=16),
        config(BLOCK_K=64, BLOCK_M=64, DEPTH=16),
        config(BLOCK_K=64, BLOCK_M=32, DEPTH=16, num_warps=2, maxnreg=MOST),
        config(BLOCK_K=128, BLOCK_M=32, DEPTH=16),
    ],
    double=[config(BLOCK_K=32, BLOCK_M=32, DEPTH=16), config(BLOCK_K=64, BLOCK_M=32, DEPTH=16)],
    key=["WIDTH", "COMPLEX", "REAL"],
)
@triton.jit
def sums_kernel(
    t,
    x,
    strengths,
    unit,
    out,
    M,
    K,
    d,
    share,
    WIDTH: tl.constexpr,
    COMPLEX: tl.constexpr,
    REAL: tl.constexpr,
    BLOCK_K: tl.constexpr,
    BLOCK_M: tl.constexpr,
    DEPTH: tl.constexpr,
):
    """One row of strengths (B, M), real or pairs, to the sums over one share of the points: out (shares, B, K, 1 or 2).

    Of the sums only the real part is made where REAL.
    """
    k = tl.program_id(0) * BLOCK_K + tl.arange(0, BLOCK_K)
    b, part = tl.program_id(1).to(tl.int64), tl.program_id(2).to(tl.int64)
    unit = tl.load(unit)
    dtype: tl.constexpr = out.dtype.element_ty
    end = tl.minimum((part + 1) * share, M).to(tl.int32)  # a multiple of every BLOCK_M: strengths are padded
    strengths += b * M * (2 if COMPLEX else 1)
    re, re_lost = tl.zeros((BLOCK_K,), dtype), tl.zeros((BLOCK_K,), dtype)
    im, im_lost = tl.zeros((BLOCK_K,), dtype), tl.zeros((BLOCK_K,), dtype)
    for chunk in range((part * share).to(tl.int32), end, BLOCK_M * DEPTH):
        re_tile, im_tile = tl.zeros((BLOCK_K, BLOCK_M), dtype), tl.zeros((BLOCK_K, BLOCK_M), dtype)
        for first in range(chunk, tl.minimum(chunk + BLOCK_M * DEPTH, end), BLOCK_M):
            j = first + tl.arange(0, BLOCK_M)
            cosine, sine = fast_cos_sin(cycles_of(t, x, k, j, unit, d, WIDTH))
            if COMPLEX:
                c = tl.load(strengths + 2 * j)[None, :]
                c_im = tl.load(strengths + 2 * j + 1)[None, :]
                re_tile += c * cosine - c_im * sine
                if not REAL:
                    im_tile += c * sine + c_im * cosine
            else:
                c = tl.load(strengths + j)[None, :]
                re_tile += c * cosine
                if not REAL:
                    im_tile += c * sine
        re, re_lost = add(re, re_lost, tl.sum(re_tile, 1))
        if not REAL:
            im, im_lost = add(im, im_lost, tl.sum(im_tile, 1))
    out += (part * tl.num_programs(1) + b) * K * (1 if REAL else 2)
    if REAL:
        tl.store(out + k, re, mask=k < K)
    else:
        tl.store(out + 2 * k, re, mask=k < K)
        tl.store(out + 2 * k + 1, im, mask=k < K)


@tuned(
    single=[config(BLOCK_K=64, BLOCK_M=32), config(BLOCK_K=32, BLOCK_M=32, num_warps=2)],
    double=[config(BLOCK_K=32, BLOCK_M=16), config(BLOCK_K=64, BLOCK_M=32)],
    key=["WIDTH"],
)
@triton.jit
def many_kernel(
    t,
    x,
    strengths,
    unit,
    height,
    out,
    M,
    K,
    d,
    rows,
    share,
    WIDTH: tl.constexpr,
    PARTS: tl.constexpr,
    BLOCK_K: tl.constexpr,
    BLOCK_M: tl.constexpr,
):
    """16 rows of real strengths share each sine and cosine: out (shares, 2, K, rows), the sums of cosines and sines.

    In float32 strengths times ``height`` have room in float16.
    """
    k = tl.program_id(0) * BLOCK_K + tl.arange(0, BLOCK_K)
    r = tl.program_id(1) * 16 + tl.arange(0, 16)
    part = tl.program_id(2).to(tl.int64)
    unit, height = tl.load(unit), tl.load(height)
    dtype: tl.constexpr = out.dtype.element_ty
    end = tl.minimum((part + 1) * share, M).to(tl.int32)
    strengths += ((r // PARTS).to(tl.int64) * M * PARTS + r % PARTS)[None, :]
    re, re_lost = tl.zeros((BLOCK_K, 16), dtype), tl.zeros((BLOCK_K, 16), dtype)
    im, im_lost = tl.zeros((BLOCK_K, 16), dtype), tl.zeros((BLOCK_K, 16), dtype)
    for first in range((part * share).to(tl.int32), end, BLOCK_M):
        j = first + tl.arange(0, BLOCK_M)
        cosine, sine = fast_cos_sin(cycles_of(t, x, k, j, unit, d, WIDTH))
        c = tl.load(strengths + j[:, None] * PARTS, mask=(r < rows)[None, :], other=0)
        if dtype == tl.float32:
            c0, c1 = split(c * height)
            re, re_lost = add(re, re_lost, split_dot(cosine, c0, c1))
            im, im_lost = add(im, im_lost, split_dot(sine, c0, c1))
        else:
            re, re_lost = add(re, re_lost, tl.dot(cosine, c, input_precision="ieee", out_dtype=dtype))
            im, im_lost = add(im, im_lost, tl.dot(sine, c, input_precision="ieee", out_dtype=dtype))
    if dtype == tl.float32:
        re, im = re / height, im / height
    out += part * 2 * K * rows + k.to(tl.int64)[:, None] * rows + r[None, :]
    inside = (k < K)[:, None] & (r < rows)[None, :]
    tl.store(out, re, mask=inside)
    tl.store(out + K.to(tl.int64) * rows, im, mask=inside)


@tuned(
    single=[
        config(BLOCK_M=64, BLOCK_K=32),
        config(BLOCK_M=64, BLOCK_K=64),
        config(BLOCK_M=128, BLOCK_K=32, num_warps=8),
    ],
    double=[config(BLOCK_M=32, BLOCK_K=32), config(BLOCK_M=32, BLOCK_K=16)],
    key=["WIDTH", "COMPLEX"],
)
@triton.jit
def gradient_kernel(
    x,
    t,
    strengths,
    cotangent,
    frequencies,
    unit,
    height,
    heights,
    out,
    M,
    K,
    B,
    d,
    share,
    WIDTH: tl.constexpr,
    COMPLEX: tl.constexpr,
    D: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """sum_k h_jk s_k over one share of the frequencies, h_jk = sum_b Re(conj(g_bk) c_bj i e_jk): out (shares, M, d).

    D of the d dimensions of s are the program's. In float32 h times ``height`` and s times ``heights`` have room in
    float16.
    """
    j = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    a = tl.program_id(1) * D + tl.arange(0, D)
    part = tl.program_id(2).to(tl.int64)
    unit, height = tl.load(unit), tl.load(height)
    height_s = tl.load(heights + a, mask=a < d, other=1)
    dtype: tl.constexpr = out.dtype.element_ty
    PARTS: tl.constexpr = 2 if COMPLEX else 1
    end = tl.minimum((part + 1) * share, K).to(tl.int32)
    total, lost = tl.zeros((BLOCK_M, D), dtype), tl.zeros((BLOCK_M, D), dtype)
    for first in range((part * share).to(tl.int32), end, BLOCK_K):
        k = first + tl.arange(0, BLOCK_K)
        cosine, sine = fast_cos_sin(cycles_of(x, t, j, k, unit, d, WIDTH))
        h = tl.zeros((BLOCK_M, BLOCK_K), dtype)
        g, c = cotangent + 2 * k, strengths + PARTS * j
        for _ in range(B):
            g_re = tl.load(g, mask=k < end, other=0)[None, :]
            g_im = tl.load(g + 1, mask=k < end, other=0)[None, :]
            c_re = tl.load(c, mask=j < M, other=0)[:, None]
            toward = g_im * cosine - g_re * sine
            h += c_re * toward
            if COMPLEX:
                c_im = tl.load(c + 1, mask=j < M, other=0)[:, None]
                h -= c_im * (g_re * cosine + g_im * sine)
            g += 2 * K
            c += PARTS * M
        inside = (k < end)[:, None] & (a < d)[None, :]
        s = tl.load(frequencies + k.to(tl.int64)[:, None] * d + a[None, :], mask=inside, other=0)
        if dtype == tl.float32:
            s0, s1 = split(s * height_s[None, :])
            product = split_dot(h * height, s0, s1)
        else:
            product = tl.dot(h, s, input_precision="ieee", out_dtype=dtype)
        total, lost = add(total, lost, product)
    if dtype == tl.float32:
        total = (total / height) / height_s[None, :]
    out += (part * M + j.to(tl.int64)[:, None]) * d + a[None, :]
    tl.store(out, total, mask=(j < M)[:, None] & (a < d)[None, :])


def _shares(programs: int, terms: int) -> tuple[int, int]:
    """Into how many shares of how many terms a sum is cut so that all of a GPU works on it."""
    count = max(1, min(FILL // max(programs, 1), -(-terms // 1024)))
    share = padded(-(-terms // count))
    return -(-terms // share), share


def _numbers(t: Tensor) -> Tensor:
    """Contiguous, a complex number as a pair."""
    return torch.view_as_real(t.resolve_conj().contiguous()) if t.is_complex() else t.contiguous()


def _largest(numbers: Tensor, dim: int | None = None) -> Tensor:
    largest: Tensor = torch.linalg.vector_norm(numbers, float("inf"), dim=dim, dtype=torch.float64)
    return largest


class Sums:
    """The slices of points and frequencies, and the sums over them."""

    def __init__(self, points: Tensor, frequencies: Tensor, sign: int):
        self.x, self.t, self.unit = phase_slices(points, frequencies, sign)
        self.points, self.frequencies, self.sign = points.shape[0], frequencies.shape[0], sign
        self.d, self.width = points.shape[1], width_of(points.shape[1])

    def sums(self, strengths: Tensor, real: bool) -> Tensor:
        """(B, M) -> (B, K) complex, or its real part."""
        paired, short = strengths.is_complex(), self.x.shape[0] - self.points
        numbers = _numbers(pad(strengths, (0, short)) if short else strengths)
        if strengths.shape[0] > 2:
            return self._many(numbers, paired, real)
        rows, terms = numbers.shape[:2]
        shares, share = _shares(rows * (self.t.shape[0] // 64), terms)
        out = numbers.new_empty((shares, rows, self.frequencies) if real else (shares, rows, self.frequencies, 2))
        sums_kernel[lambda meta: (triton.cdiv(self.frequencies, meta["BLOCK_K"]), rows, shares)](
            self.t,
            self.x,
            numbers,
            self.unit,
            out,
            terms,
            self.frequencies,
            self.d,
            share,
            WIDTH=self.width,
            COMPLEX=paired,
            REAL=real,
            **FUSED,
        )
        out = out[0] if shares == 1 else out.sum(0)
        return out if real else torch.view_as_complex(out)

    def _many(self, numbers: Tensor, paired: bool, real: bool) -> Tensor:
        parts, terms = 1 + paired, numbers.shape[1]
        rows = numbers.shape[0] * parts
        shares, share = _shares(triton.cdiv(rows, 16) * (self.t.shape[0] // 64), terms)
        out = numbers.new_empty((shares, 2, self.frequencies, rows))
        many_kernel[lambda meta: (triton.cdiv(self.frequencies, meta["BLOCK_K"]), triton.cdiv(rows, 16), shares)](
            self.t,
            self.x,
            numbers,
            self.unit,
            room(_largest(numbers)),
            out,
            terms,
            self.frequencies,
            self.d,
            rows,
            share,
            WIDTH=self.width,
            PARTS=parts,
            **FUSED,
        )
        cosines, sines = (out[0] if shares == 1 else out.sum(0)).mT.contiguous().unbind(0)  # (rows, K)
        if not paired:
            return cosines if real else torch.complex(cosines, sines)
        re = cosines[0::2] - sines[1::2]
        return re if real else torch.complex(re, sines[0::2] + cosines[1::2])

    def gradient(self, strengths: Tensor, frequencies: Tensor, cotangent: Tensor) -> Tensor:
        """See exponential_sums_gradient."""
        numbers, g, d = _numbers(strengths), _numbers(cotangent), self.d
        block = min(32, max(16, triton.next_power_of_2(d)))
        blocks = triton.cdiv(d, block)
        shares, share = _shares(blocks * (padded(self.points) // 64), self.frequencies)
        out = numbers.new_empty((shares, self.points, d))
        gradient_kernel[lambda meta: (triton.cdiv(self.points, meta["BLOCK_M"]), blocks, shares)](
            self.x,
            self.t,
            numbers,
            g,
            frequencies,
            self.unit,
            room(2 * strengths.shape[0] * _largest(numbers) * _largest(g)),
            room(_largest(frequencies, 0)),
            out,
            self.points,
            self.frequencies,
            strengths.shape[0],
            d,
            share,
            WIDTH=self.width,
            COMPLEX=strengths.is_complex(),
            D=block,
            **FUSED,
        )
        out = out[0] if shares == 1 else out.sum(0)
        return out if self.sign > 0 else -out


def _check(points: Tensor, strengths: Tensor, frequencies: Tensor) -> None:
    torch._check(
        points.ndim == frequencies.ndim == strengths.ndim == 2 and points.shape[1] == frequencies.shape[1],
        lambda: "points, strengths, frequencies: shapes must be (M, d), (B, M), (K, d)",
    )
    torch._check(strengths.shape[1] == points.shape[0], lambda: "strengths: one for each point")
    torch._check(
        points.dtype == frequencies.dtype == strengths.real.dtype and points.dtype in (torch.float32, torch.float64),
        lambda: "points, strengths, frequencies: must all be of one precision",
    )


def exponential_sums(points: Tensor, strengths: Tensor, frequencies: Tensor, sign: int) -> Tensor:
    """F_bk = sum_j c_bj exp(sign i s_k.x_j). (M, d), (B, M) real or complex, (K, d) -> (B, K) complex.

    float32 or float64, all of one precision. With |x_a| and |s_a| the largest of each dimension and sum_a |x_a||s_a|
    up to 1e4, phases are right to 1e-6 in float32 and 1e-14 in float64.
    """
    _check(points, strengths, frequencies)
    rows, count = strengths.shape[0], frequencies.shape[0]
    dtype = torch.promote_types(strengths.dtype, torch.complex32)
    if not points.numel() or not frequencies.numel() or not rows:
        return torch.zeros(rows, count, dtype=dtype, device=points.device)
    return Sums(points.contiguous(), frequencies.contiguous(), sign).sums(strengths, real=False)


def exponential_sums_real(points: Tensor, strengths: Tensor, frequencies: Tensor, sign: int) -> Tensor:
    """The real part of exponential_sums, (B, K), without the work of the other."""
    _check(points, strengths, frequencies)
    if not points.numel() or not frequencies.numel() or not strengths.shape[0]:
        return points.new_zeros(strengths.shape[0], frequencies.shape[0])
    return Sums(points.contiguous(), frequencies.contiguous(), sign).sums(strengths, real=True)


def exponential_sums_gradient(
    points: Tensor, strengths: Tensor, frequencies: Tensor, gradient: Tensor, sign: int
) -> Tensor:
    """G_j = sum_bk Re(conj(g_bk) c_bj i sign s_k exp(i sign s_k.x_j)): the gradient of the sums in the points, (M, d).

    g (B, K), complex or real, is the gradient that comes in. By exchange of points and frequencies, and with conj(g)
    for strengths and conj(c) for g, it is the gradient in the frequencies.
    """
    _check(points, strengths, frequencies)
    torch._check(
        gradient.shape == (strengths.shape[0], frequencies.shape[0]) and gradient.real.dtype == points.dtype,
        lambda: "gradient: must be (B, K), of the points' precision",
    )
    if not points.numel() or not frequencies.numel() or not strengths.shape[0]:
        return torch.zeros_like(points)
    frequencies = frequencies.contiguous()
    gradient = gradient.to(torch.promote_types(gradient.dtype, torch.complex32))
    return Sums(points.contiguous(), frequencies, sign).gradient(strengths, frequencies, gradient)
