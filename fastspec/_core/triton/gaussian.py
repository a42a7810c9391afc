"""Gaussian filters over all pairs of points, many widths in one sweep, and their gradient in the points.

Squares of distances are |x_i|^2 + |x_j|^2 - 2 x_i.x_j by matrix product. In float32 that would lose the small ones, so
centred points are cut into slices that a tensor core multiplies without rounding (see phase.py), and of the three
parts the first digits cancel exactly.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

import triton
import triton.language as tl

from ._tune import FUSED, config, tuned
from .phase import add, padded, power_of_two, rint

MOST_COLUMNS = 32  # of widths times channels, the normaliser one of them


@triton.jit
def centred_kernel(
    x, centre, scale, slices, norms, n, d, N, BITS: tl.constexpr, WIDTH: tl.constexpr, D: tl.constexpr, R: tl.constexpr
):
    """Points (n, d) to slices (N, 3 or 1, WIDTH) of BITS and (2, N), the squared norm of the first and what it lacks.

    A norm beyond the last point is infinite, and the point far from all others.
    """
    i = tl.program_id(0).to(tl.int64) * R + tl.arange(0, R)[:, None]
    a = tl.arange(0, D)[None, :]
    inside = (i < n) & (a < d)
    v = tl.load(x + i * d + a, mask=inside, other=0).to(tl.float64) - tl.load(centre + a, mask=a < d, other=0)
    v = tl.where(inside, v * tl.load(scale), 0)
    if slices.dtype.element_ty == tl.float16:
        to = slices + i * (3 * WIDTH) + a
        first = tl.zeros((R, D), tl.float64)
        rest = tl.zeros((R, D), tl.float64)
        total = tl.zeros((R, D), tl.float64)
        for p in tl.static_range(3):
            v *= 2.0**BITS
            whole = rint(v)
            v -= whole
            whole *= 2.0 ** (16 - BITS * (p + 1))
            tl.store(to + p * WIDTH, whole.to(tl.float16), mask=a < WIDTH)
            if p == 0:
                first = whole
            elif p == 1:
                rest = 2 * first * whole + whole * whole
            else:
                rest += 2 * first * whole
        total = first * first
    else:
        tl.store(slices + i * WIDTH + a, v, mask=a < WIDTH)
        total = v * v
        rest = tl.zeros((R, D), tl.float64)
    row = tl.program_id(0).to(tl.int64) * R + tl.arange(0, R)
    kind: tl.constexpr = norms.dtype.element_ty
    tl.store(norms + row, tl.where(row < n, tl.sum(total, 1), float("inf")).to(kind))
    tl.store(norms + N + row, tl.sum(rest, 1).to(kind))


@triton.jit
def _squares_single(x, norms, i, j, N, WIDTH: tl.constexpr, CHUNK: tl.constexpr):
    a = tl.arange(0, CHUNK)
    left = x + i.to(tl.int64)[:, None] * (3 * WIDTH) + a[None, :]
    right = x + j.to(tl.int64)[None, :] * (3 * WIDTH) + a[:, None]
    coarse = tl.zeros((i.shape[0], j.shape[0]), tl.float32)
    fine = tl.zeros((i.shape[0], j.shape[0]), tl.float32)
    for first in range(0, WIDTH, CHUNK):
        l0, l1, l2 = tl.load(left + first), tl.load(left + first + WIDTH), tl.load(left + first + 2 * WIDTH)
        r0, r1, r2 = tl.load(right + first), tl.load(right + first + WIDTH), tl.load(right + first + 2 * WIDTH)
        fine = tl.dot(l2, r0, tl.dot(l1, r1, tl.dot(l0, r2, fine)))
        fine = tl.dot(l1, r0, tl.dot(l0, r1, fine))
        coarse = tl.dot(l0, r0, coarse)
    coarse = tl.fma(coarse, -2.0, tl.load(norms + i)[:, None] + tl.load(norms + j)[None, :])
    return coarse + tl.fma(fine, -2.0, tl.load(norms + N + i)[:, None] + tl.load(norms + N + j)[None, :])


@triton.jit
def _squares_double(x, norms, i, j, WIDTH: tl.constexpr, CHUNK: tl.constexpr):
    a = tl.arange(0, CHUNK)
    left = x + i.to(tl.int64)[:, None] * WIDTH + a[None, :]
    right = x + j.to(tl.int64)[None, :] * WIDTH + a[:, None]
    product = tl.zeros((i.shape[0], j.shape[0]), tl.float64)
    for first in range(0, WIDTH, CHUNK):
        product += tl.dot(tl.load(left + first), tl.load(right + first), input_precision="ieee", out_dtype=tl.float64)
    return tl.load(norms + i)[:, None] + tl.load(norms + j)[None, :] - 2 * product


@triton.jit
def squares_of(x, norms, i, j, N, WIDTH: tl.constexpr, CHUNK: tl.constexpr):
    """Squared distances between points i and points j, in the slices' scale."""
    if x.dtype.element_ty == tl.float16:
        squares = _squares_single(x, norms, i, j, N, WIDTH, CHUNK)
    else:
        squares = _squares_double(x, norms, i, j, WIDTH, CHUNK)
    return tl.where(i[:, None] == j[None, :], 0.0, tl.maximum(squares, 0.0))


@tuned(
    single=[
        config(BLOCK=64, OTHERS=32),
        config(BLOCK=128, OTHERS=32, num_warps=8),
    ],
    double=[config(BLOCK=32, OTHERS=32)],
    key=["WIDTH", "GROUP", "PARTS"],
)
@triton.jit
def filter_kernel(
    x,
    norms,
    y,
    rates,
    out,
    n,
    N,
    D,
    channels,
    set_stride,
    WIDTH: tl.constexpr,
    CHUNK: tl.constexpr,
    GROUP: tl.constexpr,
    PARTS: tl.constexpr,
    COLUMNS: tl.constexpr,
    BLOCK: tl.constexpr,
    OTHERS: tl.constexpr,
):
    """GROUP widths and PARTS - 1 channels of y (sets, C, N) to out (D, C + 1, n), the normaliser before the channels.

    Sums of few tiles are made by themselves, and added to the others by Kahan's.
    """
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    width, channel = tl.program_id(1) * GROUP, tl.program_id(2) * (PARTS - 1)
    dtype: tl.constexpr = out.dtype.element_ty
    column = tl.arange(0, COLUMNS)[None, :]
    total, lost = tl.zeros((BLOCK, COLUMNS), dtype), tl.zeros((BLOCK, COLUMNS), dtype)
    for chunk in range(0, N, OTHERS * 8):
        sums = tl.zeros((BLOCK, COLUMNS), dtype)
        for first in range(chunk, tl.minimum(chunk + OTHERS * 8, N), OTHERS):
            j = first + tl.arange(0, OTHERS)
            squares = squares_of(x, norms, i, j, N, WIDTH, CHUNK)
            for w in range(GROUP):
                here = tl.minimum(width + w, D - 1).to(tl.int64)  # beyond the last it is done again, and not stored
                kernel = tl.exp2(-tl.load(rates + here) * squares)
                sums += tl.where(column == w * PARTS, tl.sum(kernel, 1)[:, None], 0.0)
                for c in tl.static_range(PARTS - 1):
                    values = y + here * set_stride + tl.minimum(channel + c, channels - 1).to(tl.int64) * N
                    product = tl.sum(kernel * tl.load(values + j)[None, :], 1)[:, None]
                    sums += tl.where(column == w * PARTS + c + 1, product, 0.0)
        total, lost = add(total, lost, sums)
    w, part = width + column // PARTS, column % PARTS
    row = tl.where(part == 0, 0, channel + part)
    inside = (column < GROUP * PARTS) & (w < D) & (row <= channels) & (i < n)[:, None]
    inside = inside & ((part > 0) | (part == channel))
    tl.store(out + (w * (channels + 1) + row).to(tl.int64) * n + i[:, None], total, mask=inside)


@tuned(
    single=[config(BLOCK=64, OTHERS=32), config(BLOCK=128, OTHERS=32, num_warps=8)],
    double=[config(BLOCK=32, OTHERS=16)],
    key=["WIDTH", "A"],
)
@triton.jit
def gradient_kernel(
    x,
    norms,
    points,
    y,
    g,
    rates,
    slopes,
    out,
    n,
    N,
    d,
    D,
    channels,
    WIDTH: tl.constexpr,
    CHUNK: tl.constexpr,
    A: tl.constexpr,
    BLOCK: tl.constexpr,
    OTHERS: tl.constexpr,
):
    """A of the d dimensions of sum_j v_ij (x_j - x_i), v_ij = sum_wc K_w(i, j) / delta_w (g_wic y_jc + g_wjc y_ic)."""
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    a = tl.program_id(1) * A + tl.arange(0, A)
    dtype: tl.constexpr = out.dtype.element_ty
    precision: tl.constexpr = "tf32x3" if dtype == tl.float32 else "ieee"
    total, lost = tl.zeros((BLOCK, A), dtype), tl.zeros((BLOCK, A), dtype)
    around, around_lost = tl.zeros((BLOCK,), dtype), tl.zeros((BLOCK,), dtype)
    for first in range(0, N, OTHERS):
        j = first + tl.arange(0, OTHERS)
        squares = squares_of(x, norms, i, j, N, WIDTH, CHUNK)
        pairs = tl.zeros((BLOCK, OTHERS), dtype)
        cotangent = g
        for w in range(D):
            both = tl.zeros((BLOCK, OTHERS), dtype)
            values = y
            for _ in range(channels):
                both += tl.load(cotangent + i)[:, None] * tl.load(values + j)[None, :]
                both += tl.load(values + i)[:, None] * tl.load(cotangent + j)[None, :]
                values += N
                cotangent += N
            pairs += tl.exp2(-tl.load(rates + w) * squares) * (both * tl.load(slopes + w))
        inside = (j < n)[:, None] & (a < d)[None, :]
        others = tl.load(points + j.to(tl.int64)[:, None] * d + a[None, :], mask=inside, other=0)
        total, lost = add(total, lost, tl.dot(pairs, others, input_precision=precision, out_dtype=dtype))
        around, around_lost = add(around, around_lost, tl.sum(pairs, 1))
    inside = (i < n)[:, None] & (a < d)[None, :]
    at = i.to(tl.int64)[:, None] * d + a[None, :]
    total -= around[:, None] * tl.load(points + at, mask=inside, other=0)
    tl.store(out + at, total, mask=inside)


class Pairs:
    """Centred points in slices, and the rates log2(e) / (2 delta) in their scale."""

    def __init__(self, x: Tensor, deltas: Tensor):
        self.n, self.d = x.shape
        single = x.dtype == torch.float32
        self.width = max(16, triton.next_power_of_2(self.d)) if self.d <= 64 else -(-self.d // 64) * 64
        self.chunk = min(self.width, 64 if single else 16)
        bits = min(11, (24 - math.ceil(math.log2(self.d))) // 2)
        centre = x.mean(0, dtype=torch.float64)
        self.points = (x - centre).to(x.dtype)
        exponent = torch.frexp(self.points.abs().amax())[1] + 1  # so that all are below 1/2
        size = padded(self.n)
        shape, dtype = ((size, 3, self.width), torch.float16) if single else ((size, self.width), torch.float64)
        self.slices = torch.empty(shape, dtype=dtype, device=x.device)
        self.norms = x.new_empty(2, size)
        block = triton.next_power_of_2(self.width)
        step = max(1, min(128, 2048 // block))
        centred_kernel[(size // step,)](
            x,
            centre,
            power_of_two(-exponent),
            self.slices,
            self.norms,
            self.n,
            self.d,
            size,
            BITS=bits,
            WIDTH=self.width,
            D=block,
            R=step,
        )
        self.slopes = deltas.to(x.device, torch.float64).reciprocal()
        unit = power_of_two(2 * exponent - (32 if single else 0))
        self.rates = (self.slopes * unit / math.log(4)).to(x.dtype)

    def over_points(self, values: Tensor) -> Tensor:
        """(S, n, C) -> (S, C, padded)."""
        return pad(values.mT, (0, self.norms.shape[1] - self.n)).contiguous()


def _check(x: Tensor, y: Tensor, deltas: Tensor) -> None:
    torch._check(x.ndim == 2 and x.dtype in (torch.float32, torch.float64), lambda: "x: must be real, of rank 2")
    torch._check(y.dtype == x.dtype, lambda: "y: dtype must be x's")
    torch._check(
        deltas.ndim == 1 and y.ndim == 3 and y.shape[0] in (1, len(deltas)) and y.shape[1] == len(x),
        lambda: "y: shape must be (1 or D, n, C)",
    )


def gaussian_filter(x: Tensor, y: Tensor, deltas: Tensor) -> tuple[Tensor, Tensor]:
    """sum_j K_w(i, j) y_jc and the normalisers sum_j K_w(i, j), with K_w(i, j) = exp(-|x_i - x_j|^2 / (2 delta_w)).

    x (n, d), y (1 or D, n, C), one set of values or one for each width, deltas (D) -> (D, n, C), (D, n).
    """
    _check(x, y, deltas)
    (n, channels), widths = y.shape[1:], deltas.shape[0]
    if not x.numel() or not widths:
        return x.new_zeros(widths, n, channels), x.new_zeros(widths, n)
    pairs, parts = Pairs(x.contiguous(), deltas), 4 if channels > 1 else 1 + channels
    values = pairs.over_points(y)
    groups = triton.cdiv(widths * parts, MOST_COLUMNS)
    group = triton.cdiv(widths, groups)
    out = x.new_empty(widths, channels + 1, n)
    filter_kernel[
        lambda meta: (triton.cdiv(n, meta["BLOCK"]), groups, max(1, triton.cdiv(channels, max(1, parts - 1))))
    ](
        pairs.slices,
        pairs.norms,
        values,
        pairs.rates,
        out,
        n,
        pairs.norms.shape[1],
        widths,
        channels,
        0 if y.shape[0] == 1 else values[0].numel(),
        WIDTH=pairs.width,
        CHUNK=pairs.chunk,
        GROUP=group,
        PARTS=parts,
        COLUMNS=triton.next_power_of_2(group * parts),
        **FUSED,
    )
    return out[:, 1:].mT.contiguous(), out[:, 0].contiguous()


def gaussian_filter_gradient(x: Tensor, y: Tensor, deltas: Tensor, cotangent: Tensor) -> Tensor:
    """The gradient in x of sum_wic g_wic sums_wic, (n, d), for y (1, n, C) and the cotangent g (D, n, C).

    That of the normalisers is had by a channel of ones.
    """
    _check(x, y, deltas)
    torch._check(
        cotangent.shape == (*deltas.shape, *y.shape[1:]) and cotangent.dtype == x.dtype, lambda: "cotangent: shape"
    )
    if not x.numel() or not cotangent.numel():
        return torch.zeros_like(x)
    pairs = Pairs(x.contiguous(), deltas)
    values, g = pairs.over_points(y), pairs.over_points(cotangent)
    out = torch.empty_like(pairs.points)
    block = min(64, max(16, triton.next_power_of_2(pairs.d)))
    gradient_kernel[lambda meta: (triton.cdiv(pairs.n, meta["BLOCK"]), triton.cdiv(pairs.d, block))](
        pairs.slices,
        pairs.norms,
        pairs.points,
        values,
        g,
        pairs.rates,
        pairs.slopes.to(x.dtype),
        out,
        pairs.n,
        pairs.norms.shape[1],
        pairs.d,
        deltas.shape[0],
        y.shape[2],
        WIDTH=pairs.width,
        CHUNK=pairs.chunk,
        A=block,
        **FUSED,
    )
    return out
