"""Plain torch for devices that no kernel serves: the same ops, those of pairs in chunks, so that no matrix of all pairs
is ever there.

Registered below every backend's own kernels, which take over where they are.
"""

import math

import torch
from torch import Tensor, library

CHUNK = 2**22  # pairs at a time


def _chunks(x: Tensor, others: int):
    return x.split(max(CHUNK // max(others, 1), 1))


def _exponentials(x: Tensor, s: Tensor, sign: int) -> Tensor:
    """(M, K): whole turns are dropped in float64, where a float32 phase of thousands still has its digits."""
    turns = (x.double() @ s.double().mT) * (sign / (2 * math.pi))
    angle = ((turns - turns.round()) * (2 * math.pi)).to(x.dtype)
    return torch.complex(angle.cos(), angle.sin())


def direct(points: Tensor, strengths: Tensor, frequencies: Tensor, sign: int) -> Tensor:
    return _sum(points, strengths, frequencies, sign).contiguous()


def direct_real(points: Tensor, strengths: Tensor, frequencies: Tensor, sign: int) -> Tensor:
    return torch.ops.fastspec.direct(points, strengths, frequencies, sign).real.contiguous()


def _sum(points: Tensor, strengths: Tensor, frequencies: Tensor, sign: int) -> Tensor:
    complex_dtype = torch.promote_types(strengths.dtype, torch.complex32)
    parts = [strengths.to(complex_dtype) @ _exponentials(x, points, sign).mT for x in _chunks(frequencies, len(points))]
    return torch.cat(parts, -1)


def direct_gradient(points: Tensor, strengths: Tensor, frequencies: Tensor, gradient: Tensor, sign: int) -> Tensor:
    strengths = strengths.to(torch.promote_types(strengths.dtype, torch.complex32))
    conjugate, out = gradient.to(strengths.dtype).conj(), []
    for x, c in zip(_chunks(points, len(frequencies)), _chunks(strengths.mT, len(frequencies)), strict=True):
        pairs = (_exponentials(x, frequencies, sign) * (c @ conjugate)).imag
        out.append(pairs @ frequencies * -sign)
    return torch.cat(out)


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


def gaussian_filter_gradient(x: Tensor, y: Tensor, deltas: Tensor, cotangent: Tensor) -> Tensor:
    out, rows = [], _chunks(torch.arange(len(x), device=x.device), len(x))
    for here in rows:
        squares, pairs = _squares(x[here], x), 0
        for delta, g in zip(deltas.tolist(), cotangent, strict=True):
            products = g[here] @ y[0].mT + y[0, here] @ g.mT
            pairs = pairs + torch.exp(squares / (-2 * delta)) * products / delta
        out.append(pairs @ x - pairs.sum(1, keepdim=True) * x[here])
    return torch.cat(out)


def weigh(spectrum: Tensor, weight: Tensor, scale: float) -> Tensor:
    bands = [[(0, weight.shape[1])]]
    for n, band in zip(spectrum.shape[2:], weight.shape[2:], strict=True):
        bands.append([(0, band - band // 2), (n - band // 2, n)])
    whole = torch.zeros((len(weight), *spectrum.shape[1:]), dtype=weight.dtype, device=weight.device)
    _scatter(whole, weight, bands)
    power = whole * (spectrum.real.square() + spectrum.imag.square())
    power[:, 1:] *= 2
    sums = scale * power.flatten(1).sum(1, dtype=torch.float64)
    spectrum.copy_(torch.where(whole > 0, spectrum * (whole * (2 * scale)), 0))
    return sums


def _scatter(whole: Tensor, part: Tensor, bands, axis: int = 1) -> None:
    if not bands:
        whole.copy_(part)
        return
    start = 0
    for first, end in bands[0]:
        length = end - first
        _scatter(whole.narrow(axis, first, length), part.narrow(axis, start, length), bands[1:], axis + 1)
        start += length


def weigh_focal(spectrum: Tensor, factors: Tensor, modes, scale: float, alpha: float) -> Tensor:
    return weigh(spectrum, focal_table(spectrum, factors, modes, alpha), scale)


def focal_table(spectrum: Tensor, factors: Tensor, modes, alpha: float) -> Tensor:
    """The weights that weigh_focal weighs by, as weigh takes them."""
    table = factors.new_ones(1)
    above = below = torch.zeros(1, dtype=torch.bool, device=factors.device)
    start = 0
    for axis, n in enumerate(modes):
        k = torch.arange(n // 2 + 1, device=factors.device)
        k = k if axis == 0 else torch.cat([k, -k[1:].flip(0)])
        table = table.unsqueeze(-1) * factors[start : start + len(k)]
        start += len(k)
        above = above.unsqueeze(-1) | (2 * k == n)
        below = below.unsqueeze(-1) | (-2 * k == n)
    counts = 1 - (above.to(table) + below.to(table)) / 2
    power = band_of(spectrum, table.shape)
    power = table * (power.real.square() + power.imag.square()) * (counts > 0)
    largest = power.flatten(1).amax(1).reshape(-1, *[1] * len(modes))
    focal = torch.where(largest > 0, power / largest, 1) ** (alpha / 2)
    return focal * counts * table


def band_of(spectrum: Tensor, shape) -> Tensor:
    """The part of (R, K, *cells) that weights of this shape (1, K or less, *band) are for."""
    part = spectrum[:, : shape[1]]
    for axis in range(2, part.ndim):
        half = shape[axis] // 2
        part = torch.cat([part.narrow(axis, 0, half + 1), part.narrow(axis, part.shape[axis] - half, half)], axis)
    return part


def weigh_copy(spectrum: Tensor, weight: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    weighed = spectrum.clone()
    return weigh(weighed, weight, scale), weighed


def hadamard(x: Tensor, scale: float) -> Tensor:
    rows, n, inner = x.shape
    out, stride = x.clone() if scale == 1 else x * scale, 1
    while stride < n:
        a, b = out.view(rows, n // (2 * stride), 2, stride * inner).unbind(2)
        out = torch.stack([a + b, a - b], 2)
        stride *= 2
    return out.view(rows, n, inner)


SUMS = direct, direct_real, direct_gradient, gaussian_filter, gaussian_filter_gradient
for _op in (*SUMS, weigh, weigh_copy, weigh_focal, hadamard):
    library.impl(f"fastspec::{_op.__name__}", "CompositeExplicitAutograd")(_op)
