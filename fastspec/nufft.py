"""Nonuniform Fourier transforms: shapes, dtypes and plans. The transforms themselves are in _transform.py.

For points x_j (units of ``period``) and integer wavenumbers k:

    type 1   F_k = sum_j c_j exp(sign i 2 pi k.x_j / period)        scattered data to modes, default sign -1
    type 2   c_j = sum_k f_k exp(sign i 2 pi k.x_j / period)        modes to scattered points, default sign +1
    type 3   F_k = sum_j c_j exp(sign i s_k.x_j)                    to any frequencies, in any dimension: direct sums

Method of types 1 and 2: spreading with a prolate window on an upsampled grid, FFT, deconvolution (Dutt & Rokhlin 1993;
Barnett, Magland & af Klinteberg 2019, arXiv 1808.06736, for the error analysis); or, where points or modes are so few
that the planner expects it to take less time, direct sums, exact to rounding.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from . import _C, _check
from ._direct import direct_sets
from ._transform import (
    Kind,
    Layout,
    Points,
    Tables,
    axis_wavenumbers,
    choose,
    expectation,
    sort,
    type1,
    type2,
)

Modes = int | Sequence[int]
Period = float | Sequence[float]


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
        x: points, real, (M,), (M, d) or (B, M, d) with d = 1 to 3, in units of ``period``; folded into it.
        c: strengths, real or complex, (..., M); with x (B, M, d) the first axis is B.
        modes: number of wavenumbers, an int or one per dimension: k = -(N//2) ... (N-1)//2.
        sign: of the exponent, -1 or +1.
        eps: requested relative l2 error; default 1e-6 in float32 and 1e-12 in float64.
        period: length of the periodic box, a float or one per dimension.
        order: of the modes, "centered" or torch.fft's, "fft".

    Returns:
        Modes (..., *modes), complex, in the wider precision of x and c. float16 is computed in float32 and returned as
        complex32; bfloat16, which has no complex type, as complex64.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """
    _check.points(x)
    _check.data("c", c, x)
    _check.trailing("c", c, [x.shape[-1] if x.ndim == 1 else x.shape[-2]])
    planned = _once(x, _precision(x, c), modes, eps, period, order, real=False)
    return _type1(planned, c, _check.sign(sign), real=False)


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
        x: points, real, (M,), (M, d) or (B, M, d) with d = 1 to 3, in units of ``period``; folded into it.
        f: coefficients, real or complex, (..., *modes); with x (B, M, d) the first axis is B.
        sign, eps, period, order: as in nufft1.

    Returns:
        Values (..., M), complex.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """
    _check.points(x)
    _check.data("f", f, x)
    dim = _dim(x)
    if f.ndim < dim or 0 in f.shape[f.ndim - dim :]:
        raise ValueError(f"f: shape was {tuple(f.shape)}, must end with {dim} axes of at least one mode each")
    modes = tuple(int(n) for n in f.shape[f.ndim - dim :])  # plain numbers, also where shapes are symbolic
    planned = _once(x, _precision(x, f), modes, eps, period, order, real=False)
    return _type2(planned, f, _check.sign(sign), real=False)


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
    return _type1(_once(x, _precision(x, c), modes, eps, period, order, real=True), c, 1, real=True)


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
    planned = _once(x, _precision(x, f), modes, eps, period, order, real=True)
    _check.trailing("f", f, planned.layout.half_modes)
    return _type2(planned, f, 1, real=True)


def nufft3(x: Tensor, c: Tensor, s: Tensor, *, sign: int = -1, eps: float | None = None) -> Tensor:
    """Type 3: F_k = sum_j c_j exp(sign i s_k.x_j), from any points to any frequencies, in any dimension; no period.

    By direct sums, exact to rounding: O(M K) work, and no memory beyond input and output. Differentiable in c, x and s.

    Args:
        x: points, real, (M,), (M, d) or (B, M, d), d = 1, 2, ....
        c: strengths, real or complex, (..., M); with x (B, M, d) the first axis is B. Real ones halve the sums, but
            not the sines and cosines, which are most of the work of a single row.
        s: frequencies, real, (K,) or (K, d), in radians per unit of x.
        sign: of the exponent, -1 or +1.
        eps: as in nufft1, and met whatever it is: the relative l2 error is about 3e-7 in float32 and 1e-15 in float64,
            at phases of 10,000 radians too.

    Returns:
        (..., K), complex, in the widest precision of x, c and s; half precision as in nufft1.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """
    _check.coordinates("x", x, (1, 2, 3))
    _check.data("c", c, x)
    _check.trailing("c", c, [x.shape[-1] if x.ndim == 1 else x.shape[-2]])
    _check.sets("c", c, x, 1)
    _check.frequencies(s, x)
    dtype = torch.promote_types(_precision(x, c), s.dtype)
    _check.eps(eps, dtype)
    out = _type3(_as_sets(x, dtype), c, _as_sets(s, dtype)[0], _check.sign(sign))
    return _narrow(out.reshape(*c.shape[:-1], s.shape[0]), c)


def _type3(x: Tensor, c: Tensor, s: Tensor, sign: int) -> Tensor:
    """(S, M, d), (..., M), (K, d) to (S, R, K)."""
    rows = c.to(_complex_dtype(x.dtype) if c.is_complex() else x.dtype)
    return direct_sets(x, rows.reshape(len(x), math.prod(c.shape[:-1]) // max(len(x), 1), x.shape[1]), s, sign)


class Plan(nn.Module):
    """Points sorted once, for many transforms between them and the same modes.

    A bag of tensors: ``.to(device)`` moves it, it pickles and traces. The plan's precision is that of ``x``.

    Args:
        x: points, real, (M,), (M, d) or (B, M, d) with d = 1 to 3. Gradients flow to it; if you change its values in
            place, make a new plan.
        modes, eps, period, order: as in nufft1.
        algorithm: of the transforms and of the loss's step, "gridding", or "direct" for sums over all points, exact to
            rounding, or "auto" for the one that the planner expects to take less time; on CUDA that is gridding. What
            of the loss is not one step, under torch.compile or with a group, is by gridding in any case.

    Attributes:
        x: the points given. modes, period: a tuple each. eps, order, algorithm: as given.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """

    def __init__(
        self,
        x: Tensor,
        modes: Modes,
        *,
        eps: float | None = None,
        period: Period = 2 * math.pi,
        order: str = "centered",
        algorithm: str = "auto",
    ):
        super().__init__()
        _check.points(x)
        self.modes = _check.modes(modes, _dim(x))
        self.period = _check.period(period, _dim(x))
        self.eps, self.order, self.algorithm = eps, order, _check.algorithm(algorithm)
        self.register_buffer("x", x, persistent=False)
        self._planned = None
        self._sort()

    def _sort(self) -> None:
        given = self.modes, self.eps, self.period, self.order
        planned = _plan(self.x, _precision(self.x), *given, real=True, algorithm=self.algorithm)
        self.layout = planned.layout
        for name, t in planned.points._asdict().items():
            self.register_buffer("order_" if name == "order" else name, t, persistent=False)

    def _apply(self, fn, recurse=True):
        dtype, device = self.x.dtype, self.x.device.type
        super()._apply(fn, recurse)
        # the layout depends on the precision and on the kind of device
        if self.x.dtype != dtype or {device, self.x.device.type} == {"cpu", "cuda"}:
            self._sort()
        return self

    @property
    def planned(self) -> "Planned":
        """The plan as the plain tuples that transforms take."""
        held = self._buffers  # nn.Module's attributes are slow, and this is in every step
        if held["x"].requires_grad or torch.compiler.is_compiling():
            return self._as_tuples()
        if self._planned is None or self._planned.points.position is not held["position"]:
            self._planned = self._as_tuples()
        return self._planned

    def _as_tuples(self) -> "Planned":
        points = Points(self.position, self.order_, self.starts, self.polynomials, self.factors, self.half_factors)
        return Planned(_as_sets(self.x, self.polynomials.dtype), points, self.layout, self.x.ndim == 3)

    @property
    def k(self) -> Tensor:
        """The integer wavenumbers, int64, (*modes, d)."""
        axes = [axis_wavenumbers(n, self.layout.centered, self.x.device) for n in self.modes]
        return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)

    def explain(self) -> str:
        """What the planner chose for these points, modes and accuracy, and what it expects of it."""
        return explain(self.planned, _check.eps(self.eps, self.polynomials.dtype))

    def nufft1(self, c: Tensor, sign: int = -1) -> Tensor:
        """As fs.nufft1: strengths (..., M) to modes (..., *modes)."""
        self._check_strengths(c)
        return _type1(self.planned, c, _check.sign(sign), real=False)

    def nufft2(self, f: Tensor, sign: int = 1) -> Tensor:
        """As fs.nufft2: modes (..., *modes) to values (..., M)."""
        _check.data("f", f, self.x)
        _check.trailing("f", f, self.modes)
        self._check_precision("f", f)
        return _type2(self.planned, f, _check.sign(sign), real=False)

    def rnufft1(self, c: Tensor) -> Tensor:
        """As fs.rnufft1: real strengths (..., M) to the half spectrum."""
        self._check_strengths(c, real=True)
        return _type1(self.planned, c, 1, real=True)

    def rnufft2(self, f: Tensor) -> Tensor:
        """As fs.rnufft2: half spectrum to real values (..., M)."""
        _check.data("f", f, self.x, complex=True)
        _check.trailing("f", f, self.layout.half_modes)
        self._check_precision("f", f)
        return _type2(self.planned, f, 1, real=True)

    def _check_strengths(self, c: Tensor, real: bool = False) -> None:
        _check.data("c", c, self.x, real=real)
        _check.trailing("c", c, self.position.shape[1:2])
        self._check_precision("c", c)

    def _check_precision(self, name: str, data: Tensor) -> None:
        held = self._buffers["polynomials"].dtype
        if data.dtype != held and torch.promote_types(_real_dtype(data), held) != held:
            raise TypeError(f"{name}: dtype was {data.dtype}, must be no more precise than the plan's points, {held}")

    def extra_repr(self) -> str:
        return f"points={tuple(self.x.shape)}, modes={self.modes}, cells={self.layout.cells}, width={self.layout.width}"


def explain(planned: "Planned", eps: float) -> str:
    """The text of Plan.explain."""
    layout, (sets, count, _), dtype, cuda = planned.layout, planned.x.shape, planned.x.dtype, planned.x.is_cuda
    expected = expectation(layout, count, sets, eps, dtype == torch.float32, planned.x.requires_grad, cuda)
    return "\n".join(
        [
            f"{count:,} points, {_times(layout.modes)} modes, {str(dtype).removeprefix('torch.')}, eps {eps:.0e}",
            f"algorithm  {_algorithm('real strengths', layout.half_direct, *_times_of(expected, real=True))}",
            f"           {_algorithm('complex strengths', layout.direct, *_times_of(expected, real=False))}",
            f"           {_algorithm('the loss', layout.direct_step, expected.direct_step, expected.gridding_step)}, "
            "less what both share",
            f"           expected {'on the GPU' if cuda else 'on one thread'}; gridding: spread, FFT, deconvolve",
            f"window     {layout.width} cells wide, for an upsampling factor of {layout.sigma:.3g}",
            f"fine grid  {_times(layout.cells)} cells, in tiles of {_times(layout.tile)}",
            f"error      {expected.error:.1e} expected of gridding, relative l2; direct sums are exact to rounding",
            f"device     {planned.x.device}"
            if cuda
            else f"threads    {torch.get_num_threads()}, {_C.instruction_set()} kernels",
        ]
    )


def _times_of(expected: _C.PlanChoice, real: bool) -> tuple[float, float]:
    return expected.direct(real=real), expected.gridding(real=real)


def _algorithm(use: str, direct: bool, by_sums: float, by_gridding: float) -> str:
    """The way of a use, and what it and the other are expected to take."""
    ways = [("direct sums", by_sums), ("gridding", by_gridding)]
    (way, time), (other, others) = ways if direct else reversed(ways)
    return f"{way} for {use}, {_milliseconds(time)}; by {other} {_milliseconds(others)}"


def _milliseconds(nanoseconds: float) -> str:
    return f"{nanoseconds / 1e6:.3g} ms" if math.isfinite(nanoseconds) else "unknown"


def _times(counts: tuple[int, ...]) -> str:
    return " x ".join(f"{n:,}" for n in counts)


class Planned(NamedTuple):
    """Points ready for transforms: x as (S, M, d) in the precision of the computation."""

    x: Tensor
    points: Points | None  # sorted, unless for direct sums alone
    layout: Layout
    batched: bool


def _dim(x: Tensor) -> int:
    return 1 if x.ndim == 1 else x.shape[-1]


def _precision(x: Tensor, data: Tensor | None = None) -> torch.dtype:
    dtype = torch.promote_types(x.dtype, torch.float32)
    return dtype if data is None else torch.promote_types(dtype, _real_dtype(data))


def _real_dtype(data: Tensor) -> torch.dtype:
    return data.real.dtype if data.is_complex() else data.dtype


def _complex_dtype(real: torch.dtype) -> torch.dtype:
    return torch.complex128 if real == torch.float64 else torch.complex64


def _as_sets(x: Tensor, dtype: torch.dtype) -> Tensor:
    if x.ndim == 1:
        x = x.unsqueeze(-1)
    return (x if x.ndim == 3 else x.unsqueeze(0)).to(dtype)


def _plan(x: Tensor, dtype: torch.dtype, modes, eps, period, order, real: bool, algorithm: str = "auto") -> Planned:
    """For any use: the points are sorted in any case, for what is done by gridding alone."""
    layout, tables = _chosen(x, dtype, modes, eps, period, order, real, algorithm)
    return Planned(_as_sets(x, dtype), _sorted(x, dtype, layout, tables), layout, x.ndim == 3)


def _once(x: Tensor, dtype: torch.dtype, modes, eps, period, order, real: bool) -> Planned:
    """For one transform: the points are sorted only if it is by gridding."""
    layout, tables = _chosen(x, dtype, modes, eps, period, order, real, "auto")
    points = None if Kind(layout, 1, real).direct else _sorted(x, dtype, layout, tables)
    return Planned(_as_sets(x, dtype), points, layout, x.ndim == 3)


def _chosen(x: Tensor, dtype: torch.dtype, modes, eps, period, order, real, algorithm) -> tuple[Layout, Tables]:
    dim = _dim(x)
    modes, period = _check.modes(modes, dim), _check.period(period, dim)
    centered, eps = _check.order(order), _check.eps(eps, dtype)
    sets = x.shape[0] if x.ndim == 3 else 1
    count = x.shape[0 if x.ndim == 1 else -2]
    if torch.compiler.is_compiling():  # they may be symbolic, and only steer the choice
        sets, count = 1, math.prod(modes)
    single = dtype == torch.float32
    given = eps, single, real, x.requires_grad, _settled(algorithm), str(x.device)
    return choose(modes, period, centered, count, sets, *given)


def _settled(algorithm: str) -> str:
    """As asked for, but gridding in place of "auto" where the number of points is not known."""
    return "gridding" if algorithm == "auto" and torch.compiler.is_compiling() else algorithm


def _sorted(x: Tensor, dtype: torch.dtype, layout: Layout, tables: Tables) -> Points:
    # coordinates keep the precision they came in: they are folded and scaled in float64
    sets = _as_sets(x, torch.promote_types(x.dtype, torch.float32))
    return Points(*sort(sets, layout, dtype == torch.float32), *tables)


def _channels(data: Tensor, planned: Planned, core: tuple[int, ...], name: str) -> Tensor:
    """(..., *core) to (S, C, *core)."""
    sets = planned.x.shape[0]
    batch = data.shape[: data.ndim - len(core)]
    if planned.batched and (not batch or batch[0] != sets):
        raise ValueError(f"{name}: shape was {tuple(data.shape)}, must begin with {sets}, x's number of point sets")
    return data.reshape(sets, math.prod(batch) // sets if sets else 0, *core)


def _type1(planned: Planned, c: Tensor, sign: int, real: bool) -> Tensor:
    dtype, kind = planned.x.dtype, Kind(planned.layout, sign, real)
    strengths = _channels(c, planned, c.shape[-1:], "c").to(dtype if real else _complex_dtype(dtype))
    points = () if kind.direct else planned.points
    out = type1(planned.x, strengths, *points, kind)
    return _narrow(out.reshape(*c.shape[:-1], *kind.mode_shape()), c)


def _type2(planned: Planned, f: Tensor, sign: int, real: bool) -> Tensor:
    kind = Kind(planned.layout, sign, real)
    batch = f.shape[: f.ndim - planned.layout.dim]
    modes = _channels(f, planned, kind.mode_shape(), "f").to(_complex_dtype(planned.x.dtype))
    points = () if kind.direct else planned.points
    out = type2(planned.x, modes, *points, kind)
    return _narrow(out.reshape(*batch, out.shape[-1]), f)


def _narrow(out: Tensor, data: Tensor) -> Tensor:
    """Back to half precision where the data came in it."""
    if data.dtype in (torch.float16, torch.complex32):
        return out.to(torch.complex32 if out.is_complex() else torch.float16)
    return out.to(torch.bfloat16) if data.dtype == torch.bfloat16 and not out.is_complex() else out
