"""Direct sums in plain torch: the oracle that tests and users compare with.

Every function has the name, arguments and meaning of the transform it stands for (``eps`` aside: these sums are exact
to rounding), costs O(points x modes), runs on any device in any dtype, and is differentiable by torch itself.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import partial, reduce

import torch
from torch import Tensor

Modes = int | Sequence[int]
Period = float | Sequence[float]
PAIRS = 2**20  # of points and modes at a time, which also lets Ctrl-C through
INVERSE_TAU = Fraction("0.15915494309189533576888376337251436203445964574046")


def wavenumbers(n: int, order: str = "centered") -> Tensor:
    """The ``n`` integer wavenumbers of one axis, int64: ``-(n//2) .. (n-1)//2``, or torch.fft's order of the same."""
    k = torch.arange(-(n // 2), (n + 1) // 2)
    return k if order == "centered" else torch.fft.ifftshift(k)


def nufft1(
    x: Tensor, c: Tensor, modes: Modes, *, sign: int = -1, period: Period = 2 * math.pi, order: str = "centered"
) -> Tensor:
    """F_k = sum_j c_j exp(sign i 2 pi k.x_j / period). ``x`` (M, d), ``c`` (..., M) -> (..., *modes) complex."""
    axes = [wavenumbers(n, order) for n in _tuple(modes)]
    return _per_set(lambda points, strengths: _type1(points, strengths, axes, sign, period), x, c)


def nufft2(x: Tensor, f: Tensor, *, sign: int = 1, period: Period = 2 * math.pi, order: str = "centered") -> Tensor:
    """c_j = sum_k f_k exp(sign i 2 pi k.x_j / period). ``f`` (..., *modes) -> (..., M) complex."""
    d = 1 if x.ndim == 1 else x.shape[-1]
    axes = [wavenumbers(n, order) for n in f.shape[f.ndim - d :]]
    return _per_set(lambda points, coefficients: _type2(points, coefficients, axes, sign, period), x, f)


def nufft3(x: Tensor, c: Tensor, s: Tensor, *, sign: int = -1) -> Tensor:
    """F_s = sum_j c_j exp(sign i s.x_j). ``x`` (M, d), ``s`` (K, d), ``c`` (..., M) -> (..., K) complex."""
    x, s = (t[:, None] if t.ndim == 1 else t for t in (x, s))
    blocks = zip(*(_blocks(t, dim, len(s)) for t, dim in ((x, 0), (_complex(c), -1))), strict=True)
    return _total(part @ _phases_of_pairs(points, s, sign).mT for points, part in blocks)


def rnufft1(x: Tensor, c: Tensor, modes: Modes, *, period: Period = 2 * math.pi, order: str = "centered") -> Tensor:
    """Real strengths to the half spectrum (..., *modes[:-1], modes[-1]//2 + 1), sign -1."""
    axes = _half_axes(_tuple(modes), order)
    return _per_set(lambda points, strengths: _type1(points, strengths, axes, -1, period), x, c)


def rnufft2(x: Tensor, f: Tensor, modes: Modes, *, period: Period = 2 * math.pi, order: str = "centered") -> Tensor:
    """Half spectrum to real values: Re sum_k m_k f_k exp(+i 2 pi k.x / period) over the half grid.

    m_k is 1 where the last wavenumber is 0, and at N/2 of an even N; 2 elsewhere.
    """
    modes = _tuple(modes)
    axes = _half_axes(modes, order)
    m = torch.full((modes[-1] // 2 + 1,), 2.0, dtype=f.real.dtype, device=f.device)
    m[0] = 1
    if modes[-1] % 2 == 0:
        m[-1] = 1
    return _per_set(lambda points, coefficients: _type2(points, coefficients, axes, 1, period).real, x, f * m)


def fwht(x: Tensor, dim: int = -1, normalized: bool = False) -> Tensor:
    """F_f = sum_t (-1)^<f,t> x_t, <f,t> the number of bits that f and t have in common; over sqrt(n) if normalized."""
    n = x.shape[dim]
    index = torch.arange(n, device=x.device)
    common, signs = index[:, None] & index, torch.ones(n, n, device=x.device, dtype=x.dtype)
    for bit in range(n.bit_length()):
        signs = signs * (1 - 2 * ((common >> bit) & 1)).to(x.dtype)
    return (x.movedim(dim, -1) @ signs).movedim(-1, dim) * (n**-0.5 if normalized else 1)


def weigh(
    spectrum: Tensor,
    weight: Tensor,
    scale: float,
    modes: Sequence[int] = (),
    rule: str = "table",
    parameter: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """The loss's pass over half spectra (R, K, *cells), axes reversed, so the halved one first, in FFT order.

    Returns the sums (R,) of m * W * |spectrum|^2 in float64, with W = scale * weight, m = 1 at K = 0 and 2 elsewhere,
    and the gradient's spectrum, 2 * W * spectrum. ``weight`` (1 or R, K or less, *band), band odd: outside it the
    gradient's spectrum is zero. By the rule "focal" it is what ``focal_table`` makes of ``weight``, with
    alpha = parameter.
    """
    if rule == "focal":
        weight = focal_table(spectrum, weight, modes, parameter)
    band = band_of(spectrum, weight.shape)
    if rule == "focal":  # what the modes have not at all
        band = torch.where(weight == 0, 0, band)
    counts = torch.full((weight.shape[1],), 2.0, dtype=weight.dtype, device=weight.device)
    counts[0] = 1
    power = weight * (band.real.square() + band.imag.square()) * counts.reshape(-1, *[1] * (band.ndim - 2))
    return scale * power.flatten(1).sum(1, dtype=torch.float64), padded(band * (weight * (2 * scale)), spectrum.shape)


def focal_table(spectrum: Tensor, factors: Tensor, modes: Sequence[int], alpha: float) -> Tensor:
    """|F|^alpha over its maximum in each row, times |F|^2 / |spectrum|^2: weights as ``weigh`` takes them.

    F = factors^(1/2) * spectrum, ``factors`` of each axis' wavenumbers in turn: 0 ... n//2 of the halved one of
    ``modes``, axes reversed, and -(n//2) ... n//2, in FFT order, of the others. A wavenumber counts half where the
    modes have only it or its negative.
    """
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
    power = torch.where(counts > 0, table * (power.real.square() + power.imag.square()), 0)
    largest = power.flatten(1).amax(1).reshape(-1, *[1] * len(modes))
    focal = torch.where(largest > 0, power / largest, 1) ** (alpha / 2)
    return focal * counts * table


def band_of(spectrum: Tensor, shape: Sequence[int]) -> Tensor:
    """The part of (R, K, *cells) that weights of this shape (1 or R, K or less, *band) are for."""
    part = spectrum[:, : shape[1]]
    for axis in range(2, part.ndim):
        half = shape[axis] // 2
        part = torch.cat([part.narrow(axis, 0, half + 1), part.narrow(axis, part.shape[axis] - half, half)], axis)
    return part


def padded(part: Tensor, shape: Sequence[int]) -> Tensor:
    """The transpose of band_of: zero outside the band."""
    for axis in range(1, part.ndim):
        half = 0 if axis == 1 else part.shape[axis] // 2
        low, high = part.split([part.shape[axis] - half, half], axis)
        gap = part.new_zeros((*part.shape[:axis], shape[axis] - part.shape[axis], *part.shape[axis + 1 :]))
        part = torch.cat([low, gap, high], axis)
    return part


def _tuple(modes: Modes) -> tuple[int, ...]:
    return (modes,) if isinstance(modes, int) else tuple(modes)


def _half_axes(modes: tuple[int, ...], order: str) -> list[Tensor]:
    return [wavenumbers(n, order) for n in modes[:-1]] + [torch.arange(modes[-1] // 2 + 1)]


def _complex(t: Tensor) -> Tensor:
    return t if t.is_complex() else torch.complex(t, torch.zeros_like(t))


def _per_set(transform: Callable[[Tensor, Tensor], Tensor], x: Tensor, data: Tensor) -> Tensor:
    if x.ndim == 3:
        return torch.stack([transform(points, row) for points, row in zip(x, data, strict=True)])
    return transform(x, data)


def _exponentials(x: Tensor, axes: list[Tensor], sign: int, period: Period) -> list[Tensor]:
    x = x[:, None] if x.ndim == 1 else x
    periods = [period] * x.shape[1] if isinstance(period, (int, float)) else list(period)
    exponentials = []
    for a, (k, p) in enumerate(zip(axes, periods, strict=True)):
        phase = (sign * 2 * math.pi / p) * x[:, a, None] * k.to(x.device, x.dtype)
        exponentials.append(_exponential(phase, partial(_signed_cycles, x[:, a], k, p, sign)))
    return exponentials


def _signed_cycles(x: Tensor, k: Tensor, period: float, sign: int) -> Tensor:
    return sign * cycles(x, k.to(x.device), period)


def _exponential(phase: Tensor, exact: Callable[[], Tensor]) -> Tensor:
    """exp(i phase); of float64 it has the value of exp(2 pi i exact()) and the derivatives of exp(i phase)."""
    if phase.dtype == torch.float64:
        phase = 2 * math.pi * exact() + (phase - phase.detach())
    return torch.polar(torch.ones_like(phase), phase)


def cycles(x: Tensor, k: Tensor, period: float = 2 * math.pi) -> Tensor:
    """k x / period less whole numbers, in float64, no gradients: ``x`` (..., M), integers ``k`` (N,) -> (..., M, N).

    A product of float64 numbers loses behind the point what it has before it. Here it is the sum of one that is exact,
    of numbers of 24 bits, and of a small one (Dekker 1971). The float64 nearest to 2 pi stands for 2 pi.
    """
    exact, rest = _product(x, INVERSE_TAU if period == 2 * math.pi else 1 / Fraction(period))
    exact, rest = exact - exact.round(), rest - rest.round()
    head = ((exact + rest) * 2**22).round() / 2**22
    turns, rest = head.unsqueeze(-1) * k, ((exact - head) + rest).unsqueeze(-1) * k
    turns = (turns - turns.round()) + rest
    return turns - turns.round()


def cycles_of_pairs(x: Tensor, s: Tensor) -> Tensor:
    """As cycles, s.x / 2 pi: ``x`` (M, d), ``s`` (K, d) -> (K, M)."""
    turns = x.new_zeros(len(s), len(x), dtype=torch.float64)
    for along, of in zip(x.detach().double().unbind(-1), s.unbind(-1), strict=True):
        exact, rest = (part.unsqueeze(-1) for part in _product(of, INVERSE_TAU))
        head, leading = _leading(exact + rest), _leading(along)
        whole = head * leading
        turns = turns + (whole - whole.round()) + (head * (along - leading) + ((exact - head) + rest) * along)
    return turns - turns.round()


def _product(x: Tensor, factor: Fraction) -> tuple[Tensor, Tensor]:
    """x times a number: a product without error, and what that lacks."""
    x, (mantissa, exponent) = x.detach().double(), math.frexp(factor)
    high, leading = math.ldexp(round(mantissa * 2**24), exponent - 24), _leading(x)
    return leading * high, (x - leading) * high + x * float(factor - Fraction(high))


def _leading(x: Tensor) -> Tensor:
    """The leading 24 bits: products of two such numbers are exact."""
    return x.float().double()


def _type1(x: Tensor, c: Tensor, axes: list[Tensor], sign: int, period: Period) -> Tensor:
    letters = "abc"[: len(axes)]
    terms = ",".join("m" + letter for letter in letters)
    modes = math.prod(len(k) for k in axes)
    blocks = zip(_blocks(x, 0, modes), _blocks(_complex(c), -1, modes), strict=True)
    return _total(
        torch.einsum(f"...m,{terms}->...{letters}", part, *_exponentials(points, axes, sign, period))
        for points, part in blocks
    )


def _type2(x: Tensor, f: Tensor, axes: list[Tensor], sign: int, period: Period) -> Tensor:
    letters = "abc"[: len(axes)]
    terms = ",".join("m" + letter for letter in letters)
    values = [
        torch.einsum(f"...{letters},{terms}->...m", _complex(f), *_exponentials(points, axes, sign, period))
        for points in _blocks(x, 0, math.prod(len(k) for k in axes))
    ]
    return torch.cat(values, -1)


def _phases_of_pairs(x: Tensor, s: Tensor, sign: int) -> Tensor:
    return _exponential(sign * (s @ x.mT), lambda: sign * cycles_of_pairs(x, s))


def _blocks(t: Tensor, dim: int, modes: int) -> tuple[Tensor, ...]:
    """Of its points, at least one block."""
    blocks: tuple[Tensor, ...] = t.split(max(1, PAIRS // max(1, modes)), dim)
    return blocks


def _total(parts: Iterable[Tensor]) -> Tensor:
    return reduce(torch.add, parts)
