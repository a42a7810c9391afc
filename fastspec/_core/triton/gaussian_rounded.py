"""Gaussian filters of rounded points, by tensor cores: of 11 bits, as TF32 has ("tf32"), or 8 ("bf16").

Filters as gaussian.py has them, of points that are rounded once, after they are centred: the squares of their distances
are one product, and the norms are theirs, so that no distance is negative by more than float32's rounding. A kernel's
tile is rounded too, and multiplied with ones and with values, which are two numbers each and lose nothing. Numbers of
11 bits are float16, of a power of two times the points: tensor cores take it twice as fast as TF32 itself.

An exponential takes a special function, of which a processor makes 16 a cycle; every third width takes multiply-adds
instead, whose relative error is 7.5e-5.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

import triton
import triton.language as tl

from ._tune import FUSED, MOST, config, tuned
from .phase import INTERPRETED, padded, power_of_two, room

KINDS = {"tf32": torch.float16, "bf16": torch.bfloat16}
MOST_COLUMNS = 32  # of a product: widths times ones and values


@triton.jit
def exp2_by_products(x):
    """2^x for x to 0: of the nearest whole number by the exponent's bits, of what is left by a polynomial."""
    x = tl.maximum(x, -126.0)
    whole = x + 12582912.0
    left = x - (whole - 12582912.0)
    power = 0.99992807 + left * (0.69326099 + left * (0.24261113 + left * 0.05517167))
    return (power.to(tl.int32, bitcast=True) + (whole.to(tl.int32, bitcast=True) << 23)).to(tl.float32, bitcast=True)


@triton.jit
def dot(a, b, total):
    """Of 16-bit numbers; the interpreter takes those of bfloat16 for whole ones."""
    if INTERPRETED:
        a, b = a.to(tl.float32), b.to(tl.float32)
    return tl.dot(a, b, total)


@tuned(
    single=[
        config(BLOCK=64, OTHERS=32, maxnreg=MOST),
        config(BLOCK=64, OTHERS=64, maxnreg=MOST),
        config(BLOCK=128, OTHERS=64, num_warps=8, maxnreg=MOST),
    ],
    double=[],
    key=["WIDTH", "GROUP", "COLUMNS"],
)
@triton.jit
def rounded_kernel(
    x,
    norms,
    values,
    rates,
    out,
    n,
    N,
    D,
    WIDTH: tl.constexpr,
    CHUNK: tl.constexpr,
    GROUP: tl.constexpr,
    PARTS: tl.constexpr,
    COLUMNS: tl.constexpr,
    BLOCK: tl.constexpr,
    OTHERS: tl.constexpr,
):
    """GROUP of D widths: points (N, WIDTH), values (groups, N, COLUMNS), PARTS a width, to out (groups, n, COLUMNS)."""
    i, a, column = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK), tl.arange(0, CHUNK), tl.arange(0, COLUMNS)
    group = tl.program_id(1)
    values += group.to(tl.int64) * N * COLUMNS + column[None, :]
    left, here = x + i.to(tl.int64)[:, None] * WIDTH + a[None, :], tl.load(norms + i)[:, None]
    total = tl.zeros((BLOCK, COLUMNS), tl.float32)
    for chunk in range(0, N, OTHERS * 8):
        sums = tl.zeros((BLOCK, COLUMNS), tl.float32)
        for first in range(chunk, tl.minimum(chunk + OTHERS * 8, N), OTHERS):
            j = first + tl.arange(0, OTHERS)
            right = x + j.to(tl.int64)[None, :] * WIDTH + a[:, None]
            product = tl.zeros((BLOCK, OTHERS), tl.float32)
            for start in range(0, WIDTH, CHUNK):
                product = dot(tl.load(left + start), tl.load(right + start), product)
            squares = tl.maximum(tl.fma(product, -2.0, here + tl.load(norms + j)[None, :]), 0.0)
            squares = tl.where(i[:, None] == j[None, :], 0.0, squares)
            given = tl.load(values + j.to(tl.int64)[:, None] * COLUMNS)
            for w in tl.static_range(GROUP):
                exponent = -tl.load(rates + tl.minimum(group * GROUP + w, D - 1)) * squares
                kernel = exp2_by_products(exponent) if w % 3 == 2 else tl.exp2(exponent)
                own = tl.where((column // PARTS == w)[None, :], given, 0.0)
                sums = dot(kernel.to(own.dtype), own, sums)
        total += sums
    to = (group.to(tl.int64) * n + i[:, None]) * COLUMNS + column[None, :]
    tl.store(out + to, total, mask=(i < n)[:, None])


def _rounded_points(x: Tensor, kind: torch.dtype, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """(n, d) to points (size, width), their squared norms, infinite beyond the last, and the unit of squares."""
    d = x.shape[1]
    width = max(16, triton.next_power_of_2(d)) if d <= 64 else -(-d // 64) * 64
    centred = x - x.mean(0, dtype=torch.float64)
    exponent = torch.frexp(centred.abs().amax())[1]
    points = pad(centred * power_of_two(-exponent), (0, width - d, 0, size - len(x))).to(kind)
    norms = points.double().square().sum(1)
    norms[len(x) :] = math.inf
    return points, norms.float(), power_of_two(2 * exponent)


def _columns(y: Tensor, widths: int, group: int, columns: int, kind: torch.dtype, size: int) -> Tensor:
    """(1 or D, n, C) to (groups, size, columns): for each width ones, and the values as two numbers each."""
    first = y.to(kind)
    parts = torch.cat([torch.ones_like(first[..., :1]), first, (y - first.float()).to(kind)], -1)
    groups = triton.cdiv(widths, group)
    each = pad(parts.expand(widths, -1, -1), (0, 0, 0, size - y.shape[1], 0, groups * group - widths))
    laid = each.unflatten(0, (groups, group)).transpose(1, 2).flatten(2)
    return pad(laid, (0, columns - laid.shape[2])).contiguous()


def gaussian_filter_rounded(x: Tensor, y: Tensor, deltas: Tensor, precision: str) -> tuple[Tensor, Tensor]:
    """As gaussian.gaussian_filter, in float32, of points and kernels of fewer bits."""
    torch._check(x.dtype == torch.float32 == y.dtype and x.ndim == 2, lambda: "x, y: must be float32, x of rank 2")
    torch._check(
        deltas.ndim == 1 and y.ndim == 3 and y.shape[0] in (1, len(deltas)) and y.shape[1] == len(x),
        lambda: "y: shape must be (1 or D, n, C)",
    )
    (n, channels), widths, kind = y.shape[1:], deltas.shape[0], KINDS[precision]
    most = (MOST_COLUMNS - 1) // 2
    if channels > most:
        some = [gaussian_filter_rounded(x, part, deltas, precision) for part in y.split(most, -1)]
        return torch.cat([sums for sums, _ in some], -1), some[0][1]
    if not x.numel() or not widths:
        return x.new_zeros(widths, n, channels), x.new_zeros(widths, n)
    points, norms, unit = _rounded_points(x, kind, padded(n))
    height = room(y.abs().amax() if channels else y.new_ones(()))
    parts = 1 + 2 * channels
    group = min(widths, MOST_COLUMNS // parts)
    columns, groups = max(16, triton.next_power_of_2(group * parts)), triton.cdiv(widths, group)
    out = x.new_empty(groups, n, columns)
    rates = deltas.to(x.device, torch.float64).reciprocal() * (unit / math.log(4))
    rounded_kernel[lambda meta: (triton.cdiv(n, meta["BLOCK"]), groups)](
        points,
        norms,
        _columns(y * height, widths, group, columns, kind, len(points)),
        rates.float(),
        out,
        n,
        len(points),
        widths,
        WIDTH=points.shape[1],
        CHUNK=min(points.shape[1], 64),
        GROUP=group,
        PARTS=parts,
        COLUMNS=columns,
        **FUSED,
    )
    each = out[..., : group * parts].unflatten(2, (group, parts)).transpose(1, 2).flatten(0, 1)[:widths]
    normalisers, first, second = each.split((1, channels, channels), -1)
    return (first + second) / height, normalisers[..., 0].contiguous()
