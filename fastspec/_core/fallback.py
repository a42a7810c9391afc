"""Plain torch for devices that no kernel serves: the same ops, those of pairs in chunks, so that no matrix of all pairs
is ever there.

Registered below every backend's own kernels, which take over where they are.
"""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, library

from .. import reference

Ints = Sequence[int]
Floats = Sequence[float]
CHUNK = 2**22  # pairs at a time
RULES = "table", "focal"  # as csrc/stages.h numbers them


def _chunks(x: Tensor, others: int) -> tuple[Tensor, ...]:
    out: tuple[Tensor, ...] = x.split(max(CHUNK // max(others, 1), 1))
    return out


def _exponentials(x: Tensor, s: Tensor, sign: int) -> Tensor:
    """(M, K): whole cycles are dropped in float64, where a float32 phase of thousands still has its digits."""
    if x.dtype == torch.float64:
        return _exponential(reference.cycles_of_pairs(s, x) * sign, x.dtype)
    turns = (x.double() @ s.double().mT) * (sign / (2 * math.pi))
    return _exponential(turns - turns.round(), x.dtype)


def _exponential(cycles: Tensor, dtype: torch.dtype) -> Tensor:
    angle = (cycles * (2 * math.pi)).to(dtype)
    return torch.complex(angle.cos(), angle.sin())


def exponential_sums(points: Tensor, strengths: Tensor, frequencies: Tensor, sign: int) -> Tensor:
    return _sum(points, strengths, frequencies, sign).contiguous()


def exponential_sums_real(points: Tensor, strengths: Tensor, frequencies: Tensor, sign: int) -> Tensor:
    out: Tensor = torch.ops.fastspec.exponential_sums(points, strengths, frequencies, sign).real.contiguous()
    return out


def _sum(points: Tensor, strengths: Tensor, frequencies: Tensor, sign: int) -> Tensor:
    complex_dtype = torch.promote_types(strengths.dtype, torch.complex32)
    parts = [strengths.to(complex_dtype) @ _exponentials(x, points, sign).mT for x in _chunks(frequencies, len(points))]
    return torch.cat(parts, -1)


def exponential_sums_gradient(
    points: Tensor, strengths: Tensor, frequencies: Tensor, gradient: Tensor, sign: int
) -> Tensor:
    strengths = strengths.to(torch.promote_types(strengths.dtype, torch.complex32))
    conjugate, out = gradient.to(strengths.dtype).conj(), []
    for x, c in zip(_chunks(points, len(frequencies)), _chunks(strengths.mT, len(frequencies)), strict=True):
        pairs = (_exponentials(x, frequencies, sign) * (c @ conjugate)).imag
        out.append(pairs @ frequencies * -sign)
    return torch.cat(out)


def direct_type1(x: Tensor, strengths: Tensor, modes: Ints, period: Floats, centered: bool, sign: int) -> Tensor:
    real, parts = not strengths.is_complex(), []
    strengths = strengths.to(torch.promote_types(strengths.dtype, torch.complex32))
    for some, c in _blocks(x, strengths, modes):
        first, others = _of_axes(some, modes, period, centered, sign, real)
        parts.append(first.mT.unsqueeze(1) @ (c.unsqueeze(-1) * others.unsqueeze(1)))
    last = modes[-1] // 2 + 1 if real else modes[-1]
    return sum(parts[1:], parts[0]).reshape(*strengths.shape[:2], *modes[:-1], last)


def direct_type2(x: Tensor, f: Tensor, modes: Ints, period: Floats, centered: bool, sign: int, real: bool) -> Tensor:
    sets, channels = f.shape[:2]
    if real:
        k = torch.arange(f.shape[-1], device=f.device)
        f = f * torch.where((k == 0) | (2 * k == modes[-1]), 1, 2)
    f = f.reshape(sets, channels, f.shape[2], math.prod(f.shape[3:]))
    parts = []
    for some, _ in _blocks(x, f.new_empty(sets, channels, x.shape[1]), modes):
        first, others = _of_axes(some, modes, period, centered, sign, real)
        parts.append(((first.unsqueeze(1) @ f) * others.unsqueeze(1)).sum(-1))
    out = torch.cat(parts, -1)
    return out.real.contiguous() if real else out


def direct_type2_gradient(
    x: Tensor,
    f: Tensor,
    strengths: Tensor,
    modes: Ints,
    period: Sequence[float],
    centered: bool,
    sign: int,
    values: bool,
) -> tuple[Tensor, Tensor]:
    real, gradient = not strengths.is_complex(), []
    given = modes, period, centered, sign, real
    for a, (n, p) in enumerate(zip(modes, period, strict=True)):
        k = _wavenumbers(n, centered, real and a == len(modes) - 1, x.device)
        rates = (1j * (k.double() * (sign * 2 * math.pi / p))).to(f.dtype).reshape(-1, *[1] * (len(modes) - 1 - a))
        gradient.append((strengths.conj() * direct_type2(x, f * rates, *given)).real.sum(1))
    out = direct_type2(x, f, *given) if values else strengths.new_empty(0)
    return out, torch.stack(gradient, -1)


def _wavenumbers(n: int, centered: bool, halved: bool, device: torch.device) -> Tensor:
    if halved:
        return torch.arange(n // 2 + 1, device=device)
    k = torch.arange(-(n // 2), (n + 1) // 2, device=device)
    return k if centered else k.roll(-(n // 2))


def _blocks(x: Tensor, strengths: Tensor, modes: Ints) -> Iterator[tuple[Tensor, Tensor]]:
    """Some of the points (S, M, d) with their strengths (S, C, M) at a time."""
    each = x.shape[0] * strengths.shape[1] * math.prod(modes[1:])
    count = max(CHUNK // max(each, 1), 1)
    return zip(x.split(count, 1), strengths.split(count, 2), strict=True)


def _of_axes(x: Tensor, modes: Ints, period: Floats, centered: bool, sign: int, real: bool) -> tuple[Tensor, Tensor]:
    """exp(sign i 2 pi k x / period) of the first axis' modes, (S, M, N), and products of all others', (S, M, L)."""
    axes = []
    for a, n in enumerate(modes):
        k = _wavenumbers(n, centered, real and a == len(modes) - 1, x.device)
        axes.append(_exponential(reference.cycles(x[..., a], k, period[a]) * sign, x.dtype))
    others = torch.ones_like(axes[0][..., :1])
    for axis in axes[1:]:
        others = (others.unsqueeze(-1) * axis.unsqueeze(-2)).flatten(2)
    return axes[0], others


def _squares(some: Tensor, x: Tensor) -> Tensor:
    return torch.cdist(some, x, compute_mode="donot_use_mm_for_euclid_dist").square()


def gaussian_filter(x: Tensor, y: Tensor, deltas: Tensor) -> tuple[Tensor, Tensor]:
    y, sums, normalisers = y.expand(len(deltas), -1, -1), [], []
    for some in _chunks(x, len(x)):
        squares = _squares(some, x)
        kernels = [torch.exp(squares / (-2 * delta)) for delta in deltas.tolist()]
        sums.append(torch.stack([kernel @ values for kernel, values in zip(kernels, y, strict=True)]))
        normalisers.append(torch.stack([kernel.sum(1) for kernel in kernels]))
    return torch.cat(sums, 1), torch.cat(normalisers, 1)


def gaussian_filter_rounded(x: Tensor, y: Tensor, deltas: Tensor, precision: str) -> tuple[Tensor, Tensor]:
    """Where there is nothing to gain by rounding."""
    out: tuple[Tensor, Tensor] = torch.ops.fastspec.gaussian_filter(x, y, deltas)
    return out


def gaussian_filter_gradient(x: Tensor, y: Tensor, deltas: Tensor, cotangent: Tensor) -> Tensor:
    out, rows = [], _chunks(torch.arange(len(x), device=x.device), len(x))
    for here in rows:
        squares = _squares(x[here], x)
        pairs = torch.zeros_like(squares)
        for delta, g in zip(deltas.tolist(), cotangent, strict=True):
            products = g[here] @ y[0].mT + y[0, here] @ g.mT
            pairs = pairs + torch.exp(squares / (-2 * delta)) * products / delta
        out.append(pairs @ x - pairs.sum(1, keepdim=True) * x[here])
    return torch.cat(out)


def weigh_copy(
    spectrum: Tensor, weight: Tensor, scale: float, modes: Ints, rule: int, parameter: float
) -> tuple[Tensor, Tensor]:
    return reference.weigh(spectrum, weight, scale, modes, RULES[rule], parameter)


def weigh(spectrum: Tensor, weight: Tensor, scale: float, modes: Ints, rule: int, parameter: float) -> Tensor:
    sums, weighed = weigh_copy(spectrum, weight, scale, modes, rule, parameter)
    spectrum.copy_(weighed)
    return sums


def hadamard(x: Tensor, scale: float) -> Tensor:
    rows, n, inner = x.shape
    out, stride = x.clone() if scale == 1 else x * scale, 1
    while stride < n:
        a, b = out.view(rows, n // (2 * stride), 2, stride * inner).unbind(2)
        out = torch.stack([a + b, a - b], 2)
        stride *= 2
    return out.view(rows, n, inner)


ON_MODES = direct_type1, direct_type2, direct_type2_gradient
PAIRS = (
    *(exponential_sums, exponential_sums_real, exponential_sums_gradient),
    *(gaussian_filter, gaussian_filter_gradient),
)
library.define(
    "fastspec::gaussian_filter_rounded", "(Tensor x, Tensor y, Tensor deltas, str precision) -> (Tensor, Tensor)"
)
for _op in (*ON_MODES, *PAIRS, gaussian_filter_rounded, weigh, weigh_copy, hadamard):
    library.impl(f"fastspec::{_op.__name__}", "CompositeExplicitAutograd")(_op)
