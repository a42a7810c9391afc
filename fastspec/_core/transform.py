"""The transforms as autograd functions, on points (S, M, d), strengths (S, C, M) and modes (S, C, *modes).

By gridding or by direct sums, as the algorithm has it. Every backward is written with these same functions, so any
order of derivative is there. With t = sign * 2 pi k / period and G for the gradient that comes in:

    type 1   F_k = sum_j c_j e^(i t.x_j)    in c: type2(G, -sign)    in x_j: Re(conj(c_j) slopes(G, -sign)_j)
    type 2   c_j = sum_k f_k e^(i t.x_j)    in f: type1(G, -sign)    in x_j: Re(conj(G_j) slopes(f, sign)_j)
    slopes   s_ja = type2(i t_a f)_j, so their gradients are those of type 2 at i t_a f

The real transforms are the same sums over half the modes: with m_k the times a mode counts (1 where its partner is not
on the grid or is itself, else 2), type 1 is the half spectrum and type 2 is Re sum_k m_k f_k e^(i t.x_j).
"""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .autograd import Operation, apply, ends_here, flattened, merge, split, sum_given, with_forward_mode
from .direct import Direct, with_slopes
from .gridding import Gridding
from .modes import ModeGrid, multiplicity, phase_rates
from .ops import Sorted
from .points import Points

Algorithm = Gridding | Direct


class Transform(NamedTuple):
    """Which transform: its algorithm, the exponent's sign (of the real ones, type 2's), and whether of real data."""

    algorithm: Algorithm
    sign: int
    real: bool

    def flipped(self) -> "Transform":
        return self if self.real else self._replace(sign=-self.sign)

    def rates(self, like: Tensor) -> list[Tensor]:
        return phase_rates(self.algorithm.grid, self.sign, self.real, like)

    def multiplicity(self, like: Tensor) -> Tensor:
        return multiplicity(self.algorithm.grid.modes[-1], like)


class Inputs(NamedTuple):
    """Of each function: a plan's tensors apart, for torch to follow."""

    x: Tensor
    data: Tensor
    position: Tensor  # none of these where there are direct sums alone
    order: Tensor
    starts: Tensor
    polynomials: Tensor
    factors: Tensor
    half_factors: Tensor
    which: Transform

    def points(self) -> Points:
        places = Sorted(self.position, self.order, self.starts, self.polynomials)
        return Points(self.x, places, self.factors, self.half_factors)

    def settings(self) -> tuple[int, bool]:
        return self.which.sign, self.which.real


def inputs_of(points: Points, data: Tensor, which: Transform) -> tuple[Any, ...]:
    return points.x, data, *(points.sorted or NOT_SORTED), points.factors, points.half_factors, which


NOT_SORTED = (None,) * 4


def type1(points: Points, c: Tensor, which: Transform) -> Tensor:
    """(S, C, M) -> (S, C, *modes)."""
    out: Tensor = apply(Type1, 2, *inputs_of(points, c, which))
    return out


def type2(points: Points, f: Tensor, which: Transform) -> Tensor:
    """(S, C, *modes) -> (S, C, M)."""
    out: Tensor = apply(Type2, 2, *inputs_of(points, f, which))
    return out


def slopes(points: Points, f: Tensor, which: Transform) -> tuple[Tensor, Tensor]:
    """As type2, and its slopes in the points (S, C, M, d)."""
    out: tuple[Tensor, Tensor] = apply(Slopes, 2, *inputs_of(points, f, which))
    return out


def point_gradient(
    points: Points, f: Tensor, strengths: Tensor, which: Transform, values: bool
) -> tuple[Tensor, Tensor]:
    """Type 2 of f where wanted, and Re(conj(strengths) slopes), summed over channels: (S, C, M), (S, M, d)."""
    if ends_here() and not torch.compiler.is_compiling():
        return which.algorithm.gradient(points, f, strengths, which.sign, values)
    value, s = slopes(points, f, which)
    strengths = strengths.unsqueeze(-1)
    if strengths.is_complex():
        product = torch.addcmul(strengths.real * s.real, strengths.imag, s.imag)
    else:
        product = strengths * s
    return value, product.squeeze(1) if product.shape[1] == 1 else product.sum(1)


class _Shared(Operation):
    """What type 1, type 2 and its slopes share."""

    @staticmethod
    def saved(inputs: tuple[Any, ...], output: Any) -> tuple[Any, ...]:
        return inputs[:-1]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.save_for_backward(*inputs[:-1])
        ctx.which = inputs[-1]


def _saved(ctx: Any) -> Inputs:
    given: tuple[Any, ...] = (*ctx.saved_tensors, ctx.which)
    return Inputs(*given)


def _gradients(x_grad: Tensor | None, data_grad: Tensor | None) -> tuple[Tensor | None, ...]:
    return x_grad, data_grad, *[None] * (len(Inputs._fields) - 2)


def _vmap(function: Any, info: Any, in_dims: tuple[Any, ...], inputs: tuple[Any, ...]) -> tuple[Any, Any]:
    """Points held in common: vmap's axis joins the channels. Points of its own: it joins the sets."""
    given, batch, into = Inputs(*inputs), info.batch_size, 1
    dims: Any = Inputs(*in_dims)
    if dims.x is not None or dims.position is not None:
        into, names = 0, ("x", "position", "order", "starts")[: 1 if given.position is None else 4]
        moved: Any = {name: merge(getattr(given, name), getattr(dims, name), batch, 0) for name in names}
        given = given._replace(**moved)
    out = function(given.points(), merge(given.data, dims.data, batch, into), given.which)
    if isinstance(out, tuple):
        return tuple(o.unflatten(into, (batch, -1)) for o in out), (into,) * len(out)
    return out.unflatten(into, (batch, -1)), into


@with_forward_mode
class Type1(_Shared):
    @staticmethod
    def raw(*inputs: Any) -> Any:
        given = Inputs(*inputs)
        return given.which.algorithm.type1(given.points(), given.data, *given.settings())

    forward = raw

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        given = _saved(ctx)
        points, which = given.points(), given.which.flipped()
        if which.real:  # type 2 counts a mode m_k times, its transpose once
            grad = grad / which.multiplicity(grad)
        if not ctx.needs_input_grad[0]:
            return _gradients(None, type2(points, grad, which))
        c_grad, x_grad = point_gradient(points, grad, given.data, which, ctx.needs_input_grad[1])
        return _gradients(x_grad, c_grad if ctx.needs_input_grad[1] else None)

    @staticmethod
    def tangents(ctx: Any, x_tangent: Tensor | None, c_tangent: Tensor | None, *_: Any) -> Any:
        given = _saved(ctx)
        points, c, which = given.points(), given.data, given.which
        from_c = None if c_tangent is None else type1(points, c_tangent, which)
        if x_tangent is None:
            return from_c
        rates = which.rates(c)
        sign = -1 if which.real else 1  # the transform's own is type 2's there
        products = flattened(x_tangent.movedim(-1, 1).unsqueeze(2) * c.unsqueeze(1), 1)  # c_j dx_ja: (S, d * C, M)
        moved = split(type1(points, products, which), 1, (len(rates), -1))
        return sum_given(from_c, *(sign * 1j * r * moved[:, a] for a, r in enumerate(rates)))

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Any, Any]:
        return _vmap(type1, info, in_dims, inputs)


@with_forward_mode
class Type2(_Shared):
    @staticmethod
    def raw(*inputs: Any) -> Any:
        given = Inputs(*inputs)
        return given.which.algorithm.type2(given.points(), given.data, *given.settings())

    forward = raw

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        given = _saved(ctx)
        x_grad = f_grad = None
        if ctx.needs_input_grad[0]:
            x_grad = point_gradient(given.points(), given.data, grad, given.which, False)[1]
        if ctx.needs_input_grad[1]:
            f_grad = _adjoint(type1(given.points(), grad, given.which.flipped()), given.which)
        return _gradients(x_grad, f_grad)

    @staticmethod
    def tangents(ctx: Any, x_tangent: Tensor | None, f_tangent: Tensor | None, *_: Any) -> Any:
        given = _saved(ctx)
        from_f = None if f_tangent is None else type2(given.points(), f_tangent, given.which)
        if x_tangent is None:
            return from_f
        moved = slopes(given.points(), given.data, given.which)[1] * x_tangent.unsqueeze(1)
        return sum_given(from_f, moved.sum(-1))

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Any, Any]:
        return _vmap(type2, info, in_dims, inputs)


def _adjoint(modes: Tensor, which: Transform) -> Tensor:
    """The adjoint of type 2 from the type 1 of its gradient."""
    return modes * which.multiplicity(modes) if which.real else modes


@with_forward_mode
class Slopes(_Shared):
    """Type 2 and its slopes in the points, (S, C, M) and (S, C, M, d)."""

    @staticmethod
    def raw(*inputs: Any) -> Any:
        given = Inputs(*inputs)
        return given.which.algorithm.slopes(given.points(), given.data, *given.settings())

    forward = raw

    @staticmethod
    def backward(ctx: Any, value_grad: Tensor, slope_grad: Tensor) -> tuple[Tensor | None, ...]:
        given = _saved(ctx)
        points, f, which = given.points(), given.data, given.which
        # values and slopes are one type 2 with d + 1 times the channels: of f, and of i t_a f
        grad = flattened(torch.cat([value_grad.unsqueeze(1), slope_grad.movedim(-1, 1)], 1), 1)  # (S, (d + 1) * C, M)
        x_grad = f_grad = None
        if ctx.needs_input_grad[0]:
            stacked = with_slopes(which.algorithm.grid, f, *given.settings())
            x_grad = point_gradient(points, stacked, grad, which, False)[1]
        if ctx.needs_input_grad[1]:
            back = split(type1(points, grad, which.flipped()), 1, (which.algorithm.grid.dim + 1, -1))
            back = back[:, 0] - sum(1j * t * back[:, a + 1] for a, t in enumerate(which.rates(f)))
            f_grad = _adjoint(back, which)
        return _gradients(x_grad, f_grad)

    @staticmethod
    def tangents(ctx: Any, x_tangent: Tensor | None, f_tangent: Tensor | None, *_: Any) -> Any:
        given = _saved(ctx)
        points, f, which = given.points(), given.data, given.which
        values, tangents = (None, None) if f_tangent is None else slopes(points, f_tangent, which)
        if x_tangent is None:
            return values, tangents
        values = sum_given(values, (slopes(points, f, which)[1] * x_tangent.unsqueeze(1)).sum(-1))
        stacked = torch.cat([1j * t * f for t in which.rates(f)], 1)
        second = split(slopes(points, stacked, which)[1], 1, (which.algorithm.grid.dim, -1))  # (S, a, C, M, b)
        moved = (second * x_tangent.movedim(-1, 1)[:, :, None, :, None]).sum(1)
        return values, sum_given(tangents, moved)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Any, Any]:
        return _vmap(slopes, info, in_dims, inputs)


# --- in users' shapes -------------------------------------------------------------------------------------------------


HALVES = (torch.float16, torch.bfloat16, torch.complex32)
SINGLES = (torch.float32, torch.complex64)
DOUBLES = (torch.float64, torch.complex128)


class Choice(NamedTuple):
    """An algorithm for each use, and in any case how to grid."""

    gridding: Gridding
    real: Algorithm
    complex: Algorithm
    step: Algorithm


class Planned(NamedTuple):
    """Points ready for transforms, in users' shapes: strengths (..., M), modes (..., *modes)."""

    points: Points
    choice: Choice
    sets: tuple[int, ...]  # how many point sets, along each of the axes that all data begin with; () for a single one

    @property
    def batched(self) -> bool:
        return bool(self.sets)

    def of(self, x: Tensor) -> "Planned":
        """The same with gradients to these points, which it was made of."""
        return self._replace(points=self.points._replace(x=as_sets(x, self.points.x.dtype)))

    @property
    def grid(self) -> ModeGrid:
        return self.choice.gridding.grid

    def type1(self, c: Tensor, sign: int) -> Tensor:
        return self._to_modes(c, complex_dtype(self.points.x.dtype), Transform(self.choice.complex, sign, False))

    def type2(self, f: Tensor, sign: int) -> Tensor:
        return self._to_values(f, Transform(self.choice.complex, sign, False))

    def real_type1(self, c: Tensor) -> Tensor:
        """To the half spectrum, sign -1."""
        return self._to_modes(c, self.points.x.dtype, Transform(self.choice.real, 1, True))

    def real_type2(self, f: Tensor) -> Tensor:
        return self._to_values(f, Transform(self.choice.real, 1, True))

    def spectrum(self, strengths: Tensor) -> Tensor:
        """(S, R, M) to (S, R, *modes), sign -1."""
        strengths = strengths.to(complex_dtype(self.points.x.dtype))
        return type1(self.points, strengths, Transform(self.choice.complex, -1, False))

    def _to_modes(self, c: Tensor, dtype: torch.dtype, which: Transform) -> Tensor:
        strengths, batch = with_sets("c", c.to(dtype), 1, self.sets)
        grid, out = which.algorithm.grid, type1(self.points, strengths, which)
        return narrow(out.reshape(*batch, *(grid.half_modes if which.real else grid.modes)), c)

    def _to_values(self, f: Tensor, which: Transform) -> Tensor:
        dim = len(which.algorithm.grid.modes)
        modes, batch = with_sets("f", f.to(complex_dtype(self.points.x.dtype)), dim, self.sets)
        out = type2(self.points, modes, which)
        return narrow(out.reshape(*batch, out.shape[-1]), f)


def with_sets(name: str, data: Tensor, core: int, sets: tuple[int, ...]) -> tuple[Tensor, tuple[int, ...]]:
    """Data (..., *core) as (S, C, *core), and the axes before core that the result has.

    They begin with those of the point sets; data that lack one, or have it of size 1, are for all sets.
    """
    data = data.resolve_conj()  # torch's forward mode takes no view of a conjugate one
    batch = tuple(data.shape[: data.ndim - core])
    if not sets:
        return data.reshape(1, math.prod(batch), *data.shape[data.ndim - core :]), batch
    if len(batch) < len(sets):
        batch = (*[1] * (len(sets) - len(batch)), *batch)
        data = data.reshape(*batch, *data.shape[data.ndim - core :])
    if batch[: len(sets)] != sets:
        if any(n not in (1, wanted) for n, wanted in zip(batch, sets, strict=False)):
            raise ValueError(f"{name}: shape was {tuple(data.shape)}, must begin with {sets}, x's point sets, or ones")
        batch = (*sets, *batch[len(sets) :])
        data = data.expand(*batch, *data.shape[data.ndim - core :])
    return data.reshape(math.prod(sets), math.prod(batch[len(sets) :]), *data.shape[data.ndim - core :]), batch


def as_sets(x: Tensor, dtype: torch.dtype) -> Tensor:
    """(M,), (M, d) or (..., M, d) to (S, M, d)."""
    if x.ndim == 1:
        x = x.unsqueeze(-1)
    return (x if x.ndim == 3 else x.reshape(math.prod(x.shape[:-2]), *x.shape[-2:])).to(dtype)


def complex_dtype(real: torch.dtype) -> torch.dtype:
    return torch.complex128 if real == torch.float64 else torch.complex64


def narrow(out: Tensor, data: Tensor) -> Tensor:
    """In the data's own precision. There is no complex bfloat16."""
    if data.dtype == torch.float32 and out.dtype in SINGLES:
        return out
    if data.dtype in HALVES:
        if data.dtype == torch.bfloat16:
            return out.to(torch.complex64 if out.is_complex() else torch.bfloat16)
        return out.to(torch.complex32 if out.is_complex() else torch.float16)
    if out.dtype in DOUBLES and data.dtype not in DOUBLES:
        return out.to(torch.complex64 if out.is_complex() else torch.float32)
    return out
