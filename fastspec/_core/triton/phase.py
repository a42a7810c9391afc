"""Phases by matrix product, range-reduced inside the product, and their sine and cosine.

float32 keeps 24 bits of a phase, and at 1e4 radians only 10 of them are after the point. So x and t = s / (2 pi) are
each cut into three slices of 11 bits, which float16 holds: x = x0 + x1 + x2. A tensor core multiplies and adds these
without any rounding, 16 dimensions at a time (Ozaki et al. 2012; Mukunoki et al. 2020), so whole cycles leave t0 x0
exactly, and what is left is small. float64 is cut into 24 bits and the rest.
"""

import torch
from torch import Tensor

import triton
import triton.language as tl

CHUNK = 16  # dimensions of one exact sum: 16 products of two integers up to 2^10
INTERPRETED = tl.constexpr(triton.knobs.runtime.interpret)
ROWS = 128  # to whose multiple slices are padded, and which every tile divides


@triton.jit
def rint(x):
    """The nearest integer, by the addition that leaves no bits after the point: the instruction is 8 times slower."""
    shift: tl.constexpr = 12582912.0 if x.dtype == tl.float32 else 6755399441055744.0
    return (x + shift) - shift


@triton.jit
def _power_of_two(e):
    return ((e.to(tl.int64) + 1023) << 52).to(tl.float64, bitcast=True)


@triton.jit
def _exponent(x):
    """The least e such that |x| < 2^e, between -900 and 900."""
    e = ((x.to(tl.int64, bitcast=True) >> 52) & 2047).to(tl.int32) - 1022
    return tl.minimum(tl.maximum(e, -900), 900)


@triton.jit
def scales_kernel(point_extent, frequency_extent, point_scale, frequency_scale, unit, d, D: tl.constexpr):
    """Powers of two that bring each dimension of x, and s / (2 pi) as a whole, below 1/2; their product's inverse."""
    a = tl.arange(0, D)
    x = tl.load(point_extent + a, mask=a < d, other=0).to(tl.float64)
    s = tl.load(frequency_extent + a, mask=a < d, other=0).to(tl.float64)
    e = _exponent(x) + 1
    t = s * 0.15915494309189535 * _power_of_two(e)
    common = tl.maximum(tl.max(_exponent(t), 0), -100) + 1
    tl.store(point_scale + a, _power_of_two(-e), mask=a < d)
    tl.store(frequency_scale + a, _power_of_two(tl.maximum(e - common, -1000)), mask=a < d)
    tl.store(unit, _power_of_two(common).to(unit.dtype.element_ty))


@triton.jit
def slices_kernel(
    rows, scale, slices, count, d, sign, FREQUENCY: tl.constexpr, WIDTH: tl.constexpr, D: tl.constexpr, R: tl.constexpr
):
    """Rows (count, d), times their scale and 1 / (2 pi) if frequencies, to slices (padded, 3 or 2, WIDTH)."""
    i = tl.program_id(0).to(tl.int64) * R + tl.arange(0, R)[:, None]
    a = tl.arange(0, D)[None, :]
    inside = (i < count) & (a < d)
    v = tl.load(rows + i * d + a, mask=inside, other=0).to(tl.float64)
    v *= tl.load(scale + a, mask=a < d, other=0) * sign
    if slices.dtype.element_ty == tl.float16:
        if FREQUENCY:
            v *= 0.15915494309189535
        to = slices + i * (3 * WIDTH) + a
        for n in tl.static_range(3):  # of 65536 v, so that none is below what float16 resolves
            v *= 2048
            whole = rint(v)
            tl.store(to + n * WIDTH, (whole * 2.0 ** (5 - 11 * n)).to(tl.float16), mask=a < WIDTH)
            v -= whole
    else:
        head = rint(v * 16777216)
        if FREQUENCY:  # times 1 / (2 pi) = p1 + p2 + p3, products exact but for what is below the last bit
            high = head * 5.9604644775390625e-08
            low = v - high
            head = rint(v * 0.15915494309189535 * 16777216)
            left = high * 0.15915494412183762 - head * 5.9604644775390625e-08
            left += high * -1.0299422842363626e-09 + low * 0.15915494412183762
            left += low * -1.0299422842363626e-09 + v * 4.038449470223213e-18
        else:
            left = v - head * 5.9604644775390625e-08
        to = slices + i * (2 * WIDTH) + a
        tl.store(to, head * 5.9604644775390625e-08, mask=a < WIDTH)
        tl.store(to + WIDTH, left, mask=a < WIDTH)


def width_of(d: int) -> int:
    return -(-d // CHUNK) * CHUNK


def padded(count: int) -> int:
    return -(-count // ROWS) * ROWS


def phase_slices(points: Tensor, frequencies: Tensor, sign: int) -> tuple[Tensor, Tensor, Tensor]:
    """Slices of the points and of sign s / (2 pi), and the unit of their products, in cycles."""
    d, device = points.shape[1], points.device
    extents = [torch.linalg.vector_norm(rows, float("inf"), dim=0) for rows in (points, frequencies)]
    scales = torch.empty(2, d, dtype=torch.float64, device=device)
    unit = torch.empty((), dtype=points.dtype, device=device)
    scales_kernel[(1,)](*extents, scales[0], scales[1], unit, d, D=triton.next_power_of_2(d))
    return cut(points, scales[0], 1, False), cut(frequencies, scales[1], sign, True), unit


def cut(rows: Tensor, scale: Tensor, sign: int, frequency: bool) -> Tensor:
    count, d = rows.shape
    width, block = width_of(d), triton.next_power_of_2(width_of(d))
    single = rows.dtype == torch.float32
    shape, dtype = (padded(count), 3 if single else 2, width), torch.float16 if single else torch.float64
    slices = torch.empty(shape, dtype=dtype, device=rows.device)
    step = max(1, min(ROWS, 2048 // block))
    slices_kernel[(shape[0] // step,)](
        rows, scale, slices, count, d, sign, FREQUENCY=frequency, WIDTH=width, D=block, R=step
    )
    return slices


@triton.jit
def _cycles_of_chunk(t, x, unit, WIDTH: tl.constexpr):
    t0, t1, t2 = tl.load(t), tl.load(t + WIDTH), tl.load(t + 2 * WIDTH)
    x0, x1, x2 = tl.load(x), tl.load(x + WIDTH), tl.load(x + 2 * WIDTH)
    fine = tl.dot(t0, x2, tl.dot(t2, x1, tl.dot(t1, x2)))
    fine = tl.dot(t2, x0, tl.dot(t1, x1, fine))
    fine = tl.dot(t1, x0, tl.dot(t0, x1, fine))
    coarse, fine = tl.dot(t0, x0), fine * unit
    whole = rint(tl.fma(coarse, unit, fine))
    return tl.fma(coarse, unit, -whole) + fine


@triton.jit
def _cycles_single(t, x, k, j, unit, WIDTH: tl.constexpr):
    chunk = tl.arange(0, 16)
    t += k.to(tl.int64)[:, None] * (3 * WIDTH) + chunk[None, :]
    x += j.to(tl.int64)[None, :] * (3 * WIDTH) + chunk[:, None]
    unit *= 2.3283064365386963e-10  # 2^-32
    cycles = _cycles_of_chunk(t, x, unit, WIDTH)
    for first in range(16, WIDTH, 16):
        cycles += _cycles_of_chunk(t + first, x + first, unit, WIDTH)
    return cycles - rint(cycles) if WIDTH > 16 else cycles


@triton.jit
def _cycles_double(t, x, k, j, unit, d, WIDTH: tl.constexpr):
    t += k.to(tl.int64) * (2 * WIDTH)
    x += j.to(tl.int64) * (2 * WIDTH)
    cycles = tl.zeros((k.shape[0], j.shape[0]), tl.float64)
    for a in range(d):
        t0, t1 = tl.load(t + a)[:, None], tl.load(t + WIDTH + a)[:, None]
        x0, x1 = tl.load(x + a)[None, :], tl.load(x + WIDTH + a)[None, :]
        whole = t0 * x0 * unit
        cycles += (whole - rint(whole)) + (t0 * x1 + t1 * (x0 + x1)) * unit
    return cycles


@triton.jit
def cycles_of(t, x, k, j, unit, d, WIDTH: tl.constexpr):
    """Phases in cycles, whole cycles taken out: of slices t at rows k and slices x at rows j, (k, j)."""
    if t.dtype.element_ty == tl.float16:
        cycles = _cycles_single(t, x, k, j, unit, WIDTH)
    else:
        cycles = _cycles_double(t, x, k, j, unit, d, WIDTH)
    return cycles


@triton.jit
def _cos_sin_single(cycles):
    n = tl.fma(cycles, 2.0, 12582912.0)
    flip = n.to(tl.int32, bitcast=True) << 31
    r = tl.fma(cycles, 2.0, 12582912.0 - n)
    z = r * r
    c = -1.3318729400634766 + z * 0.21968242526054382
    c = 0.9999999403953552 + z * (-4.934792995452881 + z * (4.05841064453125 + z * c))
    s = -0.5982903838157654 + z * 0.07765591144561768
    s = r * (3.1415927410125732 + z * (-5.167710304260254 + z * (2.550077438354492 + z * s)))
    c = (c.to(tl.int32, bitcast=True) ^ flip).to(tl.float32, bitcast=True)
    s = (s.to(tl.int32, bitcast=True) ^ flip).to(tl.float32, bitcast=True)
    return c, s


@triton.jit
def _cos_sin_double(cycles):
    half = cycles + cycles
    n = half + 6755399441055744.0
    flip = n.to(tl.int64, bitcast=True) << 63
    r = half - (n - 6755399441055744.0)
    z = r * r
    c = 4.301250904031715e-06 + z * -1.348061013556555e-07
    c = -0.025806891386141152 + z * (0.0019295742521260677 + z * (-0.00010463766970291741 + z * c))
    c = 4.0587121264167685 + z * (-1.3352627688545908 + z * (0.23533063035879928 + z * c))
    c = 1.0 + z * (-4.934802200544679 + z * c)
    s = -2.1903353185070918e-05 + z * 7.696460816735777e-07
    s = 0.08214588657145014 + z * (-0.007370430492257511 + z * (0.0004662997546118564 + z * s))
    s = 2.5501640398772976 + z * (-0.5992645293188409 + z * s)
    s = r * (3.141592653589793 + z * (-5.167712780049969 + z * s))
    c = (c.to(tl.int64, bitcast=True) ^ flip).to(tl.float64, bitcast=True)
    s = (s.to(tl.int64, bitcast=True) ^ flip).to(tl.float64, bitcast=True)
    return c, s


@triton.jit
def cos_sin(cycles):
    """cos and sin of 2 pi cycles, to 2e-7 or 4e-16: polynomials in what whole half cycles leave; odd ones flip both."""
    if cycles.dtype == tl.float32:
        c, s = _cos_sin_single(cycles)
    else:
        c, s = _cos_sin_double(cycles)
    return c, s


@triton.jit
def _special_functions(cycles):
    angle = cycles * 6.2831854820251465
    if INTERPRETED:
        c, s = _to_bound(tl.cos(angle)), _to_bound(tl.sin(angle))
    else:
        c, s = tl.inline_asm_elementwise(
            "cos.approx.f32 $0, $2; sin.approx.f32 $1, $2;",
            "=f,=f,f",
            [angle],
            dtype=(tl.float32, tl.float32),
            is_pure=True,
            pack=1,
        )
    return c, s


@triton.jit
def _to_bound(x):
    """As far from exact as the special functions are at most, 2^-21."""
    return rint(x * 1048576.0) * 9.5367431640625e-07


@triton.jit
def fast_cos_sin(cycles):
    """As cos_sin, of cycles to 1/2 in size: in float32 to 5e-7 by special functions, at a third of its work."""
    if cycles.dtype == tl.float32:
        c, s = _special_functions(cycles)
    else:
        c, s = _cos_sin_double(cycles)
    return c, s


# --- sums of products -------------------------------------------------------------------------------------------------


@triton.jit
def split(x):
    """x as the sum of two float16 numbers, to 2^-22 of it, or to 2^-25."""
    first = x.to(tl.float16)
    return first, (x - first.to(tl.float32)).to(tl.float16)


@triton.jit
def split_dot(a, b0, b1):
    """a times b0 + b1, of float16 by tensor cores: tf32x3, whose numbers change places, takes three times the work."""
    a0, a1 = split(a)
    return tl.dot(a0, b0, tl.dot(a1, b0, tl.dot(a0, b1)))


def power_of_two(exponent: Tensor) -> Tensor:
    """Exact, which torch.ldexp is not."""
    return ((exponent.long() + 1023) << 52).view(torch.float64)


def room(bound: Tensor) -> Tensor:
    """The power of two that brings a bound of some numbers to 2^15, as float16 has room for."""
    return power_of_two((15 - torch.frexp(bound)[1]).clamp(-120, 120)).float()


@triton.jit
def add(total, lost, term):
    """Kahan's sum: what rounding took from the total is given back with the next term."""
    term -= lost
    after = total + term
    return after, (after - total) - term
