"""Direct sums between points and a grid of modes: exponentials of one axis each, multiplied as real matrices.

With theta = sign 2 pi x / period, and l the wavenumbers (k1, k2) of all axes but the first,

    T_mn = sum_j E_jm A_jn,    E_jm = cos or sin of kappa theta_j0,    A_jn = re or im of c_j exp(i (k1, k2).theta_j)

    F at +-kappa = T_cos +- i T_sin

so that a row m = (kappa, cosine or sine) and a column n = (l, real or imaginary part) serve two modes. Wavenumbers of
an even axis, -N/2 ... N/2 - 1, come in such pairs when shifted by a half: kappa = 1/2, 3/2, ..., and exp(-i theta_j0/2)
is taken into A. Type 2 is the same backwards, and slopes along other axes than the first need no product of their own.

Tiles of E and A never reach memory. A product sums a few dozen terms, and Kahan's sum adds products.
"""

import triton
import triton.language as tl

from ._tune import MOST, config, tuned
from .phase import add, cos_sin, rint

FIRST = ["modes0", "lefts", "pairs", "even", "alone", "centered"]
AXES = [*FIRST, "modes1", "modes2", "inner", "sign"]
PERIODS = ["inverse0", "low0", "inverse1", "low1", "inverse2", "low2"]
COUNTS = ["M", "share", "spectra", "channels"]


# --- exponentials -----------------------------------------------------------------------------------------------------


@triton.jit
def double(bits):
    return bits.to(tl.int64).to(tl.float64, bitcast=True)


@triton.jit
def leading(x):
    """The leading 26 bits: a product of two such is exact."""
    return (x.to(tl.int64, bitcast=True) & -134217728).to(tl.float64, bitcast=True)


@triton.jit
def folded(x, inside, inverse, low, sign, dtype: tl.constexpr):
    """theta in cycles, reduced: a head of few bits, whose products with wavenumbers are exact, and the rest."""
    x = tl.load(x, mask=inside, other=0).to(tl.float64)
    inverse = leading(double(inverse))
    high = leading(x)
    cycles = high * inverse
    cycles -= rint(cycles)
    rest = (x - high) * inverse + x * double(low)
    rest -= rint(rest)  # many periods away it is no longer small
    step: tl.constexpr = 4096.0 if dtype == tl.float32 else 67108864.0
    head = rint((cycles + rest) * step) * (1 / step)
    rest += cycles - head
    return (head * sign).to(dtype), (rest * sign).to(dtype)


@triton.jit
def cycles_of(k, head, rest):
    """k theta (j, k) in cycles, reduced."""
    k, head, rest = k.to(head.dtype)[None, :], head[:, None], rest[:, None]
    return tl.fma(k, rest, tl.fma(k, head, -rint(k * head)))


@triton.jit
def wavenumber(place, modes, centered):
    k = place - modes // 2 * centered
    return tl.where(k > (modes - 1) // 2, k - modes, k)


@triton.jit
def wavenumbers(l, modes1, modes2, inner, centered, REAL: tl.constexpr):  # noqa: E741
    """k1 and k2 of l; of real strengths the last axis is halved."""
    k1, k2 = wavenumber(l // inner, modes1, centered), l % inner
    if not REAL:
        k2 = wavenumber(k2, modes2, centered)
    return k1, k2


@triton.jit
def interleaved(a, b):
    return tl.reshape(tl.join(a, b), (a.shape[0], 2 * a.shape[1]))


@triton.jit
def of_first_axis(row, head, rest, even, ROWS: tl.constexpr):
    """E (j, ROWS) from a row on."""
    kappa = (row // 2 + tl.arange(0, ROWS // 2)).to(head.dtype) + 0.5 * even
    cosine, sine = cos_sin(cycles_of(kappa, head, rest))
    return interleaved(cosine, sine)


@triton.jit
def thetas(x, inside, inverse0, low0, inverse1, low1, inverse2, low2, sign, D: tl.constexpr, dtype: tl.constexpr):
    """Of the first axis, of that between in 3-D, and of the last: heads and rests."""
    head0, rest0 = folded(x, inside, inverse0, low0, sign, dtype)
    head1, rest1 = head0, rest0
    head2, rest2 = head0, rest0
    if D > 1:
        head2, rest2 = folded(x + D - 1, inside, inverse2, low2, sign, dtype)
    if D > 2:
        head1, rest1 = folded(x + 1, inside, inverse1, low1, sign, dtype)
    return head0, rest0, head1, rest1, head2, rest2


@triton.jit
def of_others(k1, k2, head0, rest0, head1, rest1, head2, rest2, even, D: tl.constexpr):
    """Cosines and sines (j, l) of A for c = 1."""
    cycles = ((head0 + rest0) * (-0.5 * even))[:, None]
    if D > 1:
        cycles = cycles + cycles_of(k2, head2, rest2)
    if D > 2:
        cycles = cycles + cycles_of(k1, head1, rest1)
    cosine, sine = cos_sin(cycles)
    shape: tl.constexpr = (head0.shape[0], k2.shape[0])
    return tl.broadcast_to(cosine, shape), tl.broadcast_to(sine, shape)


# --- type 1 -----------------------------------------------------------------------------------------------------------


@tuned(
    single=[config(BLOCK_M=64, maxnreg=MOST), config(BLOCK_M=32, maxnreg=MOST)],
    double=[config(BLOCK_M=16, maxnreg=MOST), config(BLOCK_M=32, maxnreg=MOST)],
    key=["D", "ROWS", "COLUMNS", "REAL"],
)
@triton.jit(do_not_specialize=[*COUNTS, *AXES, *PERIODS])
def products_kernel(
    x,
    strengths,
    out,
    M,
    share,
    spectra,
    channels,
    modes0,
    lefts,
    pairs,
    even,
    alone,
    centered,
    modes1,
    modes2,
    inner,
    sign,
    inverse0,
    low0,
    inverse1,
    low1,
    inverse2,
    low2,
    D: tl.constexpr,
    REAL: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    BLOCK_M: tl.constexpr,
):
    """A tile of T of one spectrum, of one share of the points: out (shares, spectra, 2 pairs, 2 lefts)."""
    dtype: tl.constexpr = out.dtype.element_ty
    precision: tl.constexpr = "tf32x3" if dtype == tl.float32 else "ieee"
    spectrum, tile = tl.program_id(0) % spectra, tl.program_id(0) // spectra
    across = tl.cdiv(2 * lefts, COLUMNS)
    row, column = tile // across * ROWS, tile % across * COLUMNS
    l = column // 2 + tl.arange(0, COLUMNS // 2)  # noqa: E741
    k1, k2 = wavenumbers(l, modes1, modes2, inner, centered, REAL)
    x += (spectrum // channels).to(tl.int64) * M * D
    strengths += spectrum.to(tl.int64) * M * (1 if REAL else 2)
    total, lost = tl.zeros((ROWS, COLUMNS), dtype), tl.zeros((ROWS, COLUMNS), dtype)
    begin = tl.program_id(1) * share
    end = tl.minimum(begin + share, M)
    for first in range(begin, end, BLOCK_M):
        j = first + tl.arange(0, BLOCK_M)
        inside, at = j < end, x + j.to(tl.int64) * D
        head0, rest0, head1, rest1, head2, rest2 = thetas(
            at, inside, inverse0, low0, inverse1, low1, inverse2, low2, sign, D, dtype
        )
        right = tl.trans(of_first_axis(row, head0, rest0, even, ROWS))
        cosine, sine = of_others(k1, k2, head0, rest0, head1, rest1, head2, rest2, even, D)
        if REAL:
            c = tl.load(strengths + j, mask=inside, other=0)[:, None]
            left = interleaved(c * cosine, c * sine)
        else:
            c = tl.load(strengths + 2 * j.to(tl.int64), mask=inside, other=0)[:, None]
            c_im = tl.load(strengths + 2 * j.to(tl.int64) + 1, mask=inside, other=0)[:, None]
            left = interleaved(c * cosine - c_im * sine, c * sine + c_im * cosine)
        total, lost = add(total, lost, tl.dot(right, left, input_precision=precision, out_dtype=dtype))
    m, n = (row + tl.arange(0, ROWS))[:, None], (column + tl.arange(0, COLUMNS))[None, :]
    out += (tl.program_id(1).to(tl.int64) * spectra + spectrum) * (4 * pairs) * lefts
    tl.store(out + m * (2 * lefts) + n, total, mask=(m < 2 * pairs) & (n < 2 * lefts))


@triton.jit(do_not_specialize=["shares", "spectra", "blocks", *FIRST])
def modes_kernel(
    products,
    out,
    shares,
    spectra,
    blocks,
    modes0,
    lefts,
    pairs,
    even,
    alone,
    centered,
    SHARES: tl.constexpr,
    NUMBERS: tl.constexpr,
):
    """Products (shares, spectra, 2 pairs, 2 lefts), summed over shares, to modes out (spectra, modes0, 2 lefts)."""
    spectrum = (tl.program_id(0) // blocks).to(tl.int64)
    number = tl.program_id(0) % blocks * NUMBERS + tl.arange(0, NUMBERS)
    places = modes0 // 2 + 1 if alone else modes0
    place, n = number // (2 * lefts), number % (2 * lefts)
    k = place if alone else wavenumber(place, modes0, centered)
    pair = tl.where(k < 0, -k - even, k)
    toward = tl.where((k < 0) == (n % 2 == 0), 1, -1).to(out.dtype.element_ty)
    size = 2 * pairs * (2 * lefts).to(tl.int64)
    products += spectrum * size + 2 * pair * (2 * lefts).to(tl.int64)
    share = tl.arange(0, SHARES)[:, None]
    total = tl.zeros((NUMBERS,), out.dtype.element_ty)
    lost = tl.zeros((NUMBERS,), out.dtype.element_ty)
    for first in range(0, shares, SHARES):
        inside = (first + share < shares) & (place < places)[None, :]
        cosine = (products + n)[None, :] + (first + share) * (spectra * size)
        sine = (products + 2 * lefts + (n ^ 1))[None, :] + (first + share) * (spectra * size)
        term = tl.load(cosine, mask=inside, other=0) + toward[None, :] * tl.load(sine, mask=inside, other=0)
        total, lost = add(total, lost, tl.sum(term, 0))
    tl.store(out + spectrum * places * 2 * lefts + number, total, mask=place < places)


# --- type 2 -----------------------------------------------------------------------------------------------------------


@triton.jit
def paired(
    f,
    row,
    column,
    modes0,
    modes2,
    inner,
    lefts,
    pairs,
    even,
    alone,
    centered,
    REAL: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """A tile of modes (ROWS, COLUMNS) as E meets them, f_+ + f_- and i (f_+ - f_-), and one of theirs times k0."""
    m, n = (row + tl.arange(0, ROWS))[:, None], (column + tl.arange(0, COLUMNS))[None, :]
    ahead, sine = m // 2, m % 2
    behind = -ahead - even
    zero = modes0 // 2 * centered * (1 - alone)
    inside = (ahead < pairs) & (n < 2 * lefts)
    place = behind + zero
    place = tl.where(place < 0, place + modes0, place)
    f += n ^ sine
    plus = tl.load(f + (ahead + zero) * (2 * lefts), mask=inside, other=0)
    inside = inside & (behind < ahead) & (ahead < pairs * (1 - alone))
    minus = tl.load(f + place * (2 * lefts), mask=inside, other=0)
    times = tl.where((sine == 1) & (n % 2 == 0), -1, 1)
    if REAL:  # modes count twice but for those that are their own negatives
        k2 = n // 2 % inner
        times *= tl.where((k2 == 0) | (2 * k2 == modes2), 1, 2)
        times *= tl.where((ahead * alone == 0) | (2 * ahead == modes0), 1, 2)
    plus, minus = plus * times, minus * (times * (1 - 2 * sine))
    return plus + minus, plus * ahead + minus * behind


@triton.jit
def rate(inverse, sign):
    """d theta / dx."""
    return double(inverse) * 6.283185307179586 * sign


@triton.jit
def halves(product):
    """The real and imaginary columns."""
    return tl.split(tl.reshape(product, (product.shape[0], product.shape[1] // 2, 2)))


@tuned(
    single=[config(BLOCK_M=64, num_warps=8, maxnreg=MOST), config(BLOCK_M=16, maxnreg=MOST)],
    double=[config(BLOCK_M=16, maxnreg=MOST), config(BLOCK_M=32, num_warps=8, maxnreg=MOST)],
    key=["D", "ROWS", "COLUMNS", "REAL", "VALUES", "SLOPES"],
)
@triton.jit(do_not_specialize=[*COUNTS, *AXES, *PERIODS])
def values_kernel(
    x,
    f,
    strengths,
    out,
    slopes,
    M,
    share,
    spectra,
    channels,
    modes0,
    lefts,
    pairs,
    even,
    alone,
    centered,
    modes1,
    modes2,
    inner,
    sign,
    inverse0,
    low0,
    inverse1,
    low1,
    inverse2,
    low2,
    D: tl.constexpr,
    REAL: tl.constexpr,
    VALUES: tl.constexpr,
    SLOPES: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    BLOCK_M: tl.constexpr,
):
    """A share of the tiles of one spectrum at a block of points.

    VALUES go to out (shares, spectra, M, 1 or 2), and SLOPES, Re(conj(strengths) slope), to slopes (shares, spectra, M,
    D).
    """
    dtype: tl.constexpr = out.dtype.element_ty
    precision: tl.constexpr = "tf32x3" if dtype == tl.float32 else "ieee"
    spectrum, block = (tl.program_id(0) % spectra).to(tl.int64), tl.program_id(0) // spectra
    j = block * BLOCK_M + tl.arange(0, BLOCK_M)
    inside, at = j < M, x + (spectrum // channels * M + j) * D
    head0, rest0, head1, rest1, head2, rest2 = thetas(
        at, inside, inverse0, low0, inverse1, low1, inverse2, low2, sign, D, dtype
    )
    f += spectrum * (modes0 // 2 + 1 if alone else modes0) * (2 * lefts)
    PARTS: tl.constexpr = 1 if REAL else 2
    re, re_lost = tl.zeros((BLOCK_M,), dtype), tl.zeros((BLOCK_M,), dtype)
    im, im_lost = tl.zeros((BLOCK_M,), dtype), tl.zeros((BLOCK_M,), dtype)
    slope0, lost0 = tl.zeros((BLOCK_M,), dtype), tl.zeros((BLOCK_M,), dtype)
    slope1, lost1 = tl.zeros((BLOCK_M,), dtype), tl.zeros((BLOCK_M,), dtype)
    slope2, lost2 = tl.zeros((BLOCK_M,), dtype), tl.zeros((BLOCK_M,), dtype)
    if SLOPES:
        c = tl.load(strengths + (spectrum * M + j) * PARTS, mask=inside, other=0)[:, None]
        if not REAL:
            c_im = tl.load(strengths + (spectrum * M + j) * PARTS + 1, mask=inside, other=0)[:, None]
    across = tl.cdiv(2 * lefts, COLUMNS)
    begin = tl.program_id(1) * share
    for tile in range(begin, tl.minimum(begin + share, tl.cdiv(2 * pairs, ROWS) * across)):
        row, column = tile // across * ROWS, tile % across * COLUMNS
        l = column // 2 + tl.arange(0, COLUMNS // 2)  # noqa: E741
        k1, k2 = wavenumbers(l, modes1, modes2, inner, centered, REAL)
        cosine, sine = of_others(k1, k2, head0, rest0, head1, rest1, head2, rest2, even, D)
        right = of_first_axis(row, head0, rest0, even, ROWS)
        modes, sloped = paired(
            f, row, column, modes0, modes2, inner, lefts, pairs, even, alone, centered, REAL, ROWS, COLUMNS
        )
        a, b = halves(tl.dot(right, modes, input_precision=precision, out_dtype=dtype))
        if VALUES:
            re, re_lost = add(re, re_lost, tl.sum(a * cosine - b * sine, 1))
            if not REAL:
                im, im_lost = add(im, im_lost, tl.sum(a * sine + b * cosine, 1))
        if SLOPES:
            # of Re(conj(c) i k (a + i b) (cosine + i sine)) what a and b are multiplied with
            of_a, of_b = -c * sine, -c * cosine
            if not REAL:
                of_a, of_b = of_a + c_im * cosine, of_b - c_im * sine
            toward = a * of_a + b * of_b
            if D > 1:
                slope2, lost2 = add(slope2, lost2, tl.sum(toward * k2.to(dtype)[None, :], 1))
            if D > 2:
                slope1, lost1 = add(slope1, lost1, tl.sum(toward * k1.to(dtype)[None, :], 1))
            a, b = halves(tl.dot(right, sloped, input_precision=precision, out_dtype=dtype))
            slope0, lost0 = add(slope0, lost0, tl.sum(a * of_a + b * of_b, 1))
    to = (tl.program_id(1) * spectra + spectrum) * M + j
    if VALUES:
        tl.store(out + to * PARTS, re, mask=inside)
        if not REAL:
            tl.store(out + to * PARTS + 1, im, mask=inside)
    if SLOPES:
        tl.store(slopes + to * D, slope0 * rate(inverse0, sign).to(dtype), mask=inside)
        if D > 1:
            tl.store(slopes + to * D + D - 1, slope2 * rate(inverse2, sign).to(dtype), mask=inside)
        if D > 2:
            tl.store(slopes + to * D + 1, slope1 * rate(inverse1, sign).to(dtype), mask=inside)
