"""The transforms as autograd functions, on points (S, M, d), strengths (S, C, M) and modes (S, C, *modes).

By gridding each transform is a short composition of raw ops and torch's FFT, and type 2's slopes come from the window's
derivative in the same interpolation, so a gradient in the points costs one FFT in any dimension. As a direct sum, exact
to rounding whatever the eps, it is one op, and slopes are d more transforms. Every backward is written with these same
functions, so any order of derivative is there.

With t = sign * 2 pi k / period and G for the gradient that comes in:

    type 1   F_k = sum_j c_j e^(i t.x_j)    in c: type2(G, -sign)    in x_j: Re(conj(c_j) slopes(G, -sign)_j)
    type 2   c_j = sum_k f_k e^(i t.x_j)    in f: type1(G, -sign)    in x_j: Re(conj(G_j) slopes(f, sign)_j)
    slopes   s_ja = type2(i t_a f)_j, so their gradients are those of type 2 at i t_a f

The real transforms are the same sums over half the modes: with m_k the times a mode counts (1 where its partner is not
on the grid or is itself, else 2), type 1 is the half spectrum and type 2 is Re sum_k m_k f_k e^(i t.x_j).
"""

import math
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from . import _C, _ops


class Layout(NamedTuple):
    """What is fixed about a transform before its data come: all plain numbers."""

    modes: tuple[int, ...]
    half_modes: tuple[int, ...]  # the last axis halved: its wavenumbers 0 ... N//2
    period: tuple[float, ...]
    centered: bool
    cells: tuple[int, ...]
    tile: tuple[int, ...]
    width: int
    sigma: float
    direct: bool  # whether transforms are direct sums, rather than by gridding
    half_direct: bool  # the same of real strengths and half the modes
    direct_step: bool  # the same of the loss's step in one op

    @property
    def dim(self) -> int:
        return len(self.modes)


class Points(NamedTuple):
    """Points sorted on the fine grid, and the window there. See _ops.sort and Tables. Direct sums have none."""

    position: Tensor  # (S, M, d) int32 or int64
    order: Tensor  # (S, M) int32
    starts: Tensor  # (S, tiles + 1) int32
    polynomials: Tensor  # these three from Tables
    factors: Tensor
    half_factors: Tensor


class Kind(NamedTuple):
    """Which transform of a layout: the sign of the exponent, and whether strengths are real and modes halved."""

    layout: Layout
    sign: int
    real: bool

    def mode_shape(self) -> tuple[int, ...]:  # no property: torch 2.10 does not trace one that holds a tuple
        return self.layout.half_modes if self.real else self.layout.modes

    @property
    def direct(self) -> bool:
        return self.layout.half_direct if self.real else self.layout.direct

    def flipped(self) -> "Kind":
        return self if self.real else self._replace(sign=-self.sign)


# --- planning ---------------------------------------------------------------------------------------------------------


class Tables(NamedTuple):
    """The window of a layout: its taps' polynomials, and the deconvolution factors of the modes and the half modes."""

    polynomials: Tensor  # (degree + 1, width)
    factors: Tensor  # of each axis' modes in turn
    half_factors: Tensor  # the same, the last axis halved


def choose(
    modes,
    period,
    centered: bool,
    points: int,
    sets: int,
    eps: float,
    single: bool,
    real: bool,
    slopes: bool,
    algorithm: str,
    device: str,
):
    """The planner's (Layout, Tables) for these modes, accuracy, precision and kind of strengths. Remembered.

    ``points``: in each of the sets. ``slopes``: whether the slopes in the points must meet eps too. ``algorithm``: as
    Plan's.
    """
    wanted = modes, period, centered, points, sets, eps, single, real, slopes, algorithm, device
    if torch.compiler.is_compiling():
        layout, tables = _constants(*wanted)
        return Layout(*layout), Tables(*tables)
    return _chosen(*wanted)


def _chosen(modes, period, centered, points, sets, eps, single, real, slopes, algorithm, device: str):
    wanted = eps, single, real, slopes, algorithm
    layout = _layout(modes, period, centered, points, sets, *wanted, device.startswith("cuda"))
    return layout, _tables(layout, single, device)


@torch._dynamo.assume_constant_result
def _constants(*wanted) -> tuple[tuple, tuple]:
    """As plain tuples: torch 2.11 cannot trace the attributes of any other constant."""
    layout, tables = _chosen(*wanted)
    return tuple(layout), tuple(tables)


def expectation(layout: Layout, points: int, sets: int, eps, single: bool, slopes: bool, cuda: bool) -> _C.PlanChoice:
    """The planner's choice behind a layout for real strengths, with the error and time it expects."""
    return _C.choose_plan(layout.modes, points, eps, single=single, complex=False, slopes=slopes, cuda=cuda, sets=sets)


@lru_cache(maxsize=256)
def _layout(modes, period, centered, points, sets, eps, single, real, slopes, algorithm, cuda) -> Layout:
    choice = _C.choose_plan(modes, points, eps, single=single, complex=not real, slopes=slopes, cuda=cuda, sets=sets)
    half_modes = (*modes[:-1], modes[-1] // 2 + 1)
    grid = tuple(choice.cells), tuple(choice.tile), choice.width, choice.sigma
    direct = [algorithm == "direct"] * 3
    if algorithm == "auto":
        direct = [choice.direct(real=half) < choice.gridding(real=half) for half in (False, True)]
        direct.append(choice.direct_step < choice.gridding_step)
    return Layout(modes, half_modes, period, centered, *grid, *direct)


@lru_cache(maxsize=64)
def _tables(layout: Layout, single: bool, device: str) -> Tables:
    window = _C.Window(layout.width, layout.sigma)
    one_sided = [
        torch.from_numpy(window.deconvolution(n // 2, cells))
        for n, cells in zip(layout.modes, layout.cells, strict=True)
    ]
    axes = [table[axis_wavenumbers(n, layout.centered).abs()] for n, table in zip(layout.modes, one_sided, strict=True)]
    tables = (
        torch.tensor(window.polynomials(), dtype=torch.float64),
        torch.cat(axes),
        torch.cat([*axes[:-1], one_sided[-1]]),
    )
    return Tables(*(t.to(device=device, dtype=torch.float32 if single else torch.float64) for t in tables))


def axis_wavenumbers(n: int, centered: bool, device=None) -> Tensor:
    k = torch.arange(-(n // 2), (n + 1) // 2, device=device)
    return k if centered else torch.fft.ifftshift(k)


def multiplicity(modes: int, dtype, device) -> Tensor:
    """m_k along the halved axis of ``modes`` modes."""
    m = torch.full((modes // 2 + 1,), 2.0, dtype=dtype, device=device)
    m[0] = 1
    if modes % 2 == 0:
        m[-1] = 1
    return m


def phase_rates(kind: Kind, like: Tensor) -> list[Tensor]:
    """t = sign 2 pi k / period along each axis of the modes, broadcastable against (..., *modes)."""
    layout, rates = kind.layout, []
    for a, n in enumerate(layout.modes):
        halved = kind.real and a == layout.dim - 1
        k = (
            torch.arange(n // 2 + 1, device=like.device)
            if halved
            else axis_wavenumbers(n, layout.centered, like.device)
        )
        k = k.to(like.real.dtype) * (kind.sign * 2 * math.pi / layout.period[a])
        rates.append(k.reshape(-1, *[1] * (layout.dim - 1 - a)))
    return rates


# --- raw transforms ---------------------------------------------------------------------------------------------------


LONG_LINE = 2**18  # from here on torch's FFT takes longer than ours, which is made of torch's for short lines


def _fft(x: Tensor, dims, sign: int) -> Tensor:
    return torch.fft.fftn(x, dim=dims) if sign < 0 else torch.fft.ifftn(x, dim=dims, norm="forward")


def half_spectrum(points: Points, layout: Layout, c: Tensor) -> Tensor:
    """Real strengths (S, C, M) to the fine spectrum (S, C, *cells[:-1], modes[-1] // 2 + 1), sign -1."""
    return half_fft(layout, _ops.spread(*points[:4], c, layout.cells, layout.tile))


def half_fft(layout: Layout, grid: Tensor) -> Tensor:
    fine = torch.fft.rfft(grid, dim=-1)[..., : layout.half_modes[-1]]
    return fine if layout.dim == 1 else _fft(fine, tuple(range(2, layout.dim + 1)), -1)


def half_grid(layout: Layout, fine: Tensor) -> Tensor:
    """The transpose of half_fft: fine half spectrum to the real grid, sign +1."""
    if layout.dim > 1:
        fine = _fft(fine, tuple(range(2, layout.dim + 1)), 1)
    return torch.fft.irfft(fine, n=layout.cells[-1], dim=-1, norm="forward")


def negative_modes(layout: Layout, real: bool) -> list[int]:
    negative = [n // 2 for n in layout.modes]
    if real:
        negative[-1] = 0
    return negative


def _type1(x: Tensor, c: Tensor, *rest) -> Tensor:
    *points, kind = rest
    c = c.contiguous()
    if not kind.direct:
        return _gridded_type1(Points(*points), c, kind)
    layout = kind.layout
    sign = -1 if kind.real else kind.sign
    return _ops.direct_type1(x.contiguous(), c, layout.modes, layout.period, layout.centered, sign)


def _type2(x: Tensor, f: Tensor, *rest) -> Tensor:
    *points, kind = rest
    f = f.contiguous()
    return _direct_type2(x, f, kind) if kind.direct else _gridded_type2(Points(*points), f, kind)


def _slopes(x: Tensor, f: Tensor, *rest) -> tuple[Tensor, Tensor]:
    *points, kind = rest
    f = f.contiguous()
    return _direct_slopes(x, f, kind) if kind.direct else _gridded_slopes(Points(*points), f, kind)


def _direct_type2(x: Tensor, f: Tensor, kind: Kind) -> Tensor:
    layout = kind.layout
    return _ops.direct_type2(x.contiguous(), f, layout.modes, layout.period, layout.centered, kind.sign, kind.real)


def _direct_slopes(x: Tensor, f: Tensor, kind: Kind) -> tuple[Tensor, Tensor]:
    values = _direct_type2(x, _with_slopes(f, kind), kind).unflatten(1, (kind.layout.dim + 1, -1))
    return values[:, 0], values[:, 1:].movedim(1, -1)


def _with_slopes(f: Tensor, kind: Kind) -> Tensor:
    """The modes of values and slopes, f and i t_a f: (S, C, *modes) -> (S, (d + 1) * C, *modes)."""
    return torch.stack([f, *[1j * t * f for t in phase_rates(kind, f)]], 1).flatten(1, 2)


def _gridded_type1(points: Points, c: Tensor, kind: Kind) -> Tensor:
    layout, band = kind.layout, (kind.mode_shape(), negative_modes(kind.layout, kind.real), kind.layout.centered)
    if kind.real:
        modes = _ops.deconvolve(half_spectrum(points, layout, c).flatten(0, 1), points.half_factors, *band)
    else:
        grid = _ops.spread(*points[:4], c, layout.cells, layout.tile).flatten(0, 1)
        if in_blocks(layout, grid):
            modes = _ops.grid_to_modes(grid, points.factors, *band, kind.sign)
        else:
            modes = _ops.deconvolve(_fft(grid, tuple(range(1, grid.ndim)), kind.sign), points.factors, *band)
    return modes.unflatten(0, c.shape[:2])


def in_blocks(layout: Layout, data: Tensor) -> bool:
    """Whether the FFT and what comes before or after it are one op."""
    return (layout.dim > 1 or layout.cells[0] >= LONG_LINE) and data.device.type == "cpu"


def _fine_grid(points: Points, f: Tensor, kind: Kind) -> Tensor:
    layout, negative = kind.layout, negative_modes(kind.layout, kind.real)
    if not kind.real:
        band = points.factors, layout.cells, negative, layout.centered
        if in_blocks(layout, f):
            return _ops.modes_to_grid(f.flatten(0, 1), *band, kind.sign).unflatten(0, f.shape[:2])
        fine = _ops.pad(f.flatten(0, 1), *band)
        return _fft(fine, tuple(range(1, fine.ndim)), kind.sign).unflatten(0, f.shape[:2])
    cells = (*layout.cells[:-1], layout.half_modes[-1])
    if layout.modes[-1] % 2 == 0:  # irfft counts it twice
        f = torch.cat([f[..., :-1], f[..., -1:] / 2], -1)
    fine = _ops.pad(f.flatten(0, 1).contiguous(), points.half_factors, cells, negative, layout.centered)
    return half_grid(layout, fine.unflatten(0, f.shape[:2]))


def _gridded_type2(points: Points, f: Tensor, kind: Kind) -> Tensor:
    return _ops.interpolate(*points[:4], _fine_grid(points, f, kind).contiguous(), kind.layout.tile)


def _gridded_slopes(points: Points, f: Tensor, kind: Kind) -> tuple[Tensor, Tensor]:
    grid = _fine_grid(points, f, kind).contiguous()
    values, slopes = _ops.interpolate_slopes(*points[:4], grid, kind.layout.tile)
    return values, slopes * _cells_per_unit(kind.layout, values)


def _gradient(x: Tensor, f: Tensor, strengths: Tensor, *rest, wanted: bool) -> tuple[Tensor, Tensor]:
    """As _slopes, with the point gradient of these strengths for the slopes; values only where wanted."""
    *points, kind = rest
    layout, f, strengths = kind.layout, f.contiguous(), strengths.contiguous()
    if kind.direct:
        given = layout.modes, layout.period, layout.centered, kind.sign, wanted
        return _ops.direct_type2_gradient(x.contiguous(), f, strengths, *given)
    grid = _fine_grid(Points(*points), f, kind).contiguous()
    values, gradient = _ops.interpolate_gradient(*points[:4], grid, strengths, layout.tile, wanted)
    return values, gradient * _cells_per_unit(layout, gradient)


def _cells_per_unit(layout: Layout, like: Tensor) -> float | Tensor:
    per_unit = [n / p for n, p in zip(layout.cells, layout.period, strict=True)]
    if len(set(per_unit)) == 1:
        return per_unit[0]
    # filled in where they are: a copy from the host would hold up the stream
    return torch.cat([torch.full((1,), n, dtype=like.real.dtype, device=like.device) for n in per_unit])


# --- autograd ---------------------------------------------------------------------------------------------------------


def _merge(t: Tensor, in_dim, batch: int, into: int) -> Tensor:
    """vmap's axis merged into axis ``into`` of a tensor, made by expansion where there is none."""
    t = t.unsqueeze(into).expand(*t.shape[:into], batch, *t.shape[into:]) if in_dim is None else t.movedim(in_dim, into)
    return t.flatten(into, into + 1).contiguous()


def _vmap(function, info, in_dims, x, data, *rest):
    """Points held in common: vmap's axis joins the channels. Points of its own: it joins the sets."""
    *points, kind = rest
    batch, own_points = info.batch_size, in_dims[0] is not None or in_dims[2] is not None
    if own_points:
        x = _merge(x, in_dims[0], batch, 0)
        points[:3] = [_merge(t, dim, batch, 0) for t, dim in zip(points[:3], in_dims[2:], strict=False)]
    into = 0 if own_points else 1
    out = function(x, _merge(data, in_dims[1], batch, into), *points, kind)
    if isinstance(out, tuple):
        return tuple(o.unflatten(into, (batch, -1)) for o in out), (into,) * len(out)
    return out.unflatten(into, (batch, -1)), into


def _sort(x: Tensor, layout: Layout, single: bool):
    return _ops.sort(x.contiguous(), layout.period, layout.cells, layout.tile, layout.width, single)


class Sort(Function):
    """Points to (position, order, starts): integers, so without gradients."""

    @staticmethod
    def forward(x, layout: Layout, single: bool):
        return _sort(x, layout, single)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.mark_non_differentiable(*output)

    @staticmethod
    def backward(ctx, *_):
        return None, None, None

    @staticmethod
    def jvp(ctx, *_):
        return None, None, None

    @staticmethod
    def vmap(info, in_dims, x, layout, single):
        out = Sort.apply(_merge(x, in_dims[0], info.batch_size, 0), layout, single)
        return tuple(o.unflatten(0, (info.batch_size, -1)) for o in out), (0, 0, 0)


class _Transform(Function):
    """What type 1, type 2 and its slopes share. Inputs: x, data, the six tensors of Points unless direct, kind."""

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, data, *points, kind = inputs
        ctx.kind = kind
        ctx.save_for_backward(x, data, *points)


def _gradients(ctx, *first):
    """These, and none for the inputs that follow."""
    return *first, *[None] * (len(ctx.needs_input_grad) - len(first))


def _point_gradient(strengths: Tensor, slopes: Tensor) -> Tensor:
    """Re(conj(strengths) slopes), summed over channels: (S, C, M), (S, C, M, d) -> (S, M, d)."""
    strengths = strengths.unsqueeze(-1)
    if strengths.is_complex():
        product = torch.addcmul(strengths.real * slopes.real, strengths.imag, slopes.imag)
    else:
        product = strengths * slopes
    return product.squeeze(1) if product.shape[1] == 1 else product.sum(1)


def _adjoint_modes(f: Tensor, kind: Kind) -> Tensor:
    """Modes whose type 2 is the adjoint of type 1: over half the modes, m_k is taken out beforehand."""
    return f / multiplicity(kind.layout.modes[-1], f.real.dtype, f.device) if kind.real else f


def _adjoint_of_type2(f: Tensor, kind: Kind) -> Tensor:
    return f * multiplicity(kind.layout.modes[-1], f.real.dtype, f.device) if kind.real else f


class Type1(_Transform):
    @staticmethod
    def forward(x, c, *rest):
        return _type1(x, c, *rest)

    @staticmethod
    def backward(ctx, grad):
        x, c, *points = ctx.saved_tensors
        kind, grad = ctx.kind.flipped(), _adjoint_modes(grad, ctx.kind)
        if not ctx.needs_input_grad[0]:
            return _gradients(ctx, None, type2(x, grad, *points, kind))
        c_grad, x_grad = point_gradient(x, grad, c, *points, kind, values=ctx.needs_input_grad[1])
        return _gradients(ctx, x_grad, c_grad if ctx.needs_input_grad[1] else None)

    @staticmethod
    def vmap(info, in_dims, *args):
        return _vmap(type1, info, in_dims, *args)


class Type2(_Transform):
    @staticmethod
    def forward(x, f, *rest):
        return _type2(x, f, *rest)

    @staticmethod
    def backward(ctx, grad):
        x, f, *points = ctx.saved_tensors
        x_grad = f_grad = None
        if ctx.needs_input_grad[0]:
            x_grad = point_gradient(x, f, grad, *points, ctx.kind, values=False)[1]
        if ctx.needs_input_grad[1]:
            f_grad = _adjoint_of_type2(type1(x, grad, *points, ctx.kind.flipped()), ctx.kind)
        return _gradients(ctx, x_grad, f_grad)

    @staticmethod
    def vmap(info, in_dims, *args):
        return _vmap(type2, info, in_dims, *args)


class Slopes(_Transform):
    """Type 2 and its slopes in the points, (S, C, M) and (S, C, M, d)."""

    @staticmethod
    def forward(x, f, *rest):
        return _slopes(x, f, *rest)

    @staticmethod
    def backward(ctx, value_grad, slope_grad):
        x, f, *points = ctx.saved_tensors
        kind, dim = ctx.kind, ctx.kind.layout.dim
        # values and slopes are one type 2 with d + 1 times the channels: of f, and of i t_a f
        grad = torch.cat([value_grad.unsqueeze(1), slope_grad.movedim(-1, 1)], 1)  # (S, d + 1, C, M)
        x_grad = f_grad = None
        if ctx.needs_input_grad[0]:
            x_grad = point_gradient(x, _with_slopes(f, kind), grad.flatten(1, 2), *points, kind, values=False)[1]
        if ctx.needs_input_grad[1]:
            back = type1(x, grad.flatten(1, 2), *points, kind.flipped()).unflatten(1, (dim + 1, -1))
            back = back[:, 0] - sum(1j * t * back[:, a + 1] for a, t in enumerate(phase_rates(kind, f)))
            f_grad = _adjoint_of_type2(back, kind)
        return _gradients(ctx, x_grad, f_grad)

    @staticmethod
    def vmap(info, in_dims, *args):
        return _vmap(slopes, info, in_dims, *args)


# --- forward mode ---


class _ForwardMode:
    """Keeps the inputs for the jvp too."""

    @staticmethod
    def setup_context(ctx, inputs, output):
        _Transform.setup_context(ctx, inputs, output)
        ctx.save_for_forward(*inputs[:-1])


def _tangent_channels(x_tangent: Tensor, c: Tensor) -> Tensor:
    """c_j dx_ja for each axis: (S, M, d), (S, C, M) -> (S, d * C, M)."""
    return (x_tangent.movedim(-1, 1).unsqueeze(2) * c.unsqueeze(1)).flatten(1, 2)


def _sum_tangents(*terms):
    return sum(t for t in terms if t is not None)


def transforms_active() -> bool:
    """Whether in eager mode torch.func or forward differentiation is at work."""
    return torch._C._are_functorch_transforms_active() or torch.autograd.forward_ad._current_level >= 0


def refuse_forward_over_forward() -> None:
    """torch takes the tangents that a Function's jvp computes for constants of an outer jvp: silently zero."""
    stack = torch._C._functorch.get_interpreter_stack() or []
    if sum(level.key() == torch._C._functorch.TransformType.Jvp for level in stack) > 1:
        raise NotImplementedError(
            "fastspec: forward mode over forward mode is not supported; take one of the two derivatives in reverse "
            "mode, as torch.func.hessian does"
        )


class ForwardType1(_ForwardMode, Type1):
    @staticmethod
    def jvp(ctx, x_tangent, c_tangent, *_):
        refuse_forward_over_forward()
        x, c, *points = ctx.saved_tensors
        from_c = None if c_tangent is None else type1(x, c_tangent, *points, ctx.kind)
        if x_tangent is None:
            return from_c
        rates = phase_rates(ctx.kind, c)
        sign = -1 if ctx.kind.real else 1  # of the half transforms the kind's sign is type 2's
        moved = type1(x, _tangent_channels(x_tangent, c), *points, ctx.kind).unflatten(1, (len(rates), -1))
        return _sum_tangents(from_c, *(sign * 1j * r * moved[:, a] for a, r in enumerate(rates)))


class ForwardType2(_ForwardMode, Type2):
    @staticmethod
    def jvp(ctx, x_tangent, f_tangent, *_):
        refuse_forward_over_forward()
        x, f, *points = ctx.saved_tensors
        from_f = None if f_tangent is None else type2(x, f_tangent, *points, ctx.kind)
        if x_tangent is None:
            return from_f
        moved = slopes(x, f, *points, ctx.kind)[1] * x_tangent.unsqueeze(1)
        return _sum_tangents(from_f, moved.sum(-1))


class ForwardSlopes(_ForwardMode, Slopes):
    @staticmethod
    def jvp(ctx, x_tangent, f_tangent, *_):
        refuse_forward_over_forward()
        x, f, *points = ctx.saved_tensors
        kind, dim = ctx.kind, ctx.kind.layout.dim
        values, tangents = (None, None) if f_tangent is None else slopes(x, f_tangent, *points, kind)
        if x_tangent is None:
            return values, tangents
        values = _sum_tangents(values, (slopes(x, f, *points, kind)[1] * x_tangent.unsqueeze(1)).sum(-1))
        stack = torch.cat([1j * t * f for t in phase_rates(kind, f)], 1)
        second = slopes(x, stack, *points, kind)[1].unflatten(1, (dim, -1))  # (S, a, C, M, b)
        moved = (second * x_tangent.movedim(-1, 1)[:, :, None, :, None]).sum(1)
        return values, _sum_tangents(tangents, moved)


def _apply(function, forward_mode, raw, x, data, *rest):
    """The right one of a transform's three forms.

    torch.compile refuses a Function with a jvp, and miscalls one inside another's backward; it never differentiates a
    backward, so there the raw transform will do.
    """
    wanted = torch.is_grad_enabled() and (x.requires_grad or data.requires_grad)
    if torch.compiler.is_compiling():
        if wanted:
            return function.apply(x, data, *rest)
    elif wanted or transforms_active():
        return forward_mode.apply(x, data, *rest)
    return raw(x, data, *rest)


def sort(x: Tensor, layout: Layout, single: bool) -> tuple[Tensor, Tensor, Tensor]:
    """(S, M, d) -> position, order, starts, as _ops.sort."""
    if torch.compiler.is_compiling() or not transforms_active():
        return _sort(x.detach(), layout, single)
    return Sort.apply(x, layout, single)


def type1(x, c, *rest):
    """(S, M, d), (S, C, M), the tensors of Points unless direct, kind -> (S, C, *modes)."""
    return _apply(Type1, ForwardType1, _type1, x, c, *rest)


def type2(x, f, *rest):
    """(S, M, d), (S, C, *modes), the tensors of Points unless direct, kind -> (S, C, M)."""
    return _apply(Type2, ForwardType2, _type2, x, f, *rest)


def slopes(x, f, *rest):
    """As type2, and its slopes in the points (S, C, M, d)."""
    return _apply(Slopes, ForwardSlopes, _slopes, x, f, *rest)


def point_gradient(x, f, strengths, *rest, values: bool):
    """Type 2 of f where wanted, and Re(conj(strengths) slopes), summed over channels: (S, C, M), (S, M, d)."""
    if torch.compiler.is_compiling() or torch.is_grad_enabled() or transforms_active():
        value, s = slopes(x, f, *rest)
        return value, _point_gradient(strengths, s)
    return _gradient(x, f, strengths, *rest, wanted=values)
