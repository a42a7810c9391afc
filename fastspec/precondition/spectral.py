"""Preconditioning of the gradient over frequencies, under any loss."""

import math
from typing import Any, NamedTuple

from torch import Tensor

from .. import _check
from .._box import period_of
from .._core.autograd import Operation, apply, merge, with_forward_mode
from .._core.modes import Modes, Period
from .._core.ops import Sorted
from .._core.plain import without_autocast
from .._core.points import Points
from .._core.transform import OF_POINTS, Choice, Planned
from .._data import Given, points
from ..loss.terms import check_quadrature
from ..loss.weighing import Weight, check_weight, weight_values
from ..plan import Plan


def spectral(
    h: Tensor,
    x_or_plan: Given | Plan,
    weight: Weight,
    *,
    modes: Modes | None = None,
    period: Period | str = 2 * math.pi,
    norm: str = "backward",
    quadrature: Tensor | None = None,
) -> Tensor:
    """Identity forward; backward multiplies the gradient by F^H W F, so it preconditions any loss of ``h``.

    Forward mode multiplies tangents by the same matrix, which is its own adjoint, so that second derivatives are the
    same whichever way they are taken. Gradients of gradients flow to a weight and a quadrature that require them.

    F is the type 1 transform from the points to the modes, W = diag(w). A weight that grows with the wavenumber speeds
    up what the network would learn last.

    Args:
        h: what the network returns at the points, (M,) or (..., M, C), real or complex.
        x_or_plan: the points, (M,), (M, d) or (..., M, d), a tensor, an array, a Series or times; or a Plan, which also
            has period and modes.
        weight: as in SpectralLoss; with points in place of a plan a callable needs ``modes``.
        modes: number of wavenumbers, an int or one per dimension; default the weight's shape or the plan's modes.
        period: length of the periodic box of points, a float or one per dimension, or "data" for their extent and one
            mean gap.
        norm: as in torch.fft: "backward" for plain sums, "forward" to divide by M, "ortho" by sqrt(M). With "forward",
            N = M modes, uniform points and w = 1 the gradient is unchanged, and under MSELoss it is SpectralLoss's.
        quadrature: q_j (M,) or (..., M), as for SpectralLoss: the gradient is multiplied by Q F^H W F Q, Q = diag(M q).
            Default q = 1/M.

    Returns:
        ``h``, with the gradient's new path.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """
    _check.tensor("h", h)
    _check.weight(weight)
    plan = x_or_plan if isinstance(x_or_plan, Plan) else _plan_of(x_or_plan, weight, modes, period)
    _check.data("h", h, plan.x)
    planned = plan.planned_for(plan.precision_for(h))
    _check.choice("norm", norm, ("backward", "forward", "ortho"))
    if isinstance(weight, Tensor):
        check_weight(weight, plan.modes)
    count, axis = planned.points.x.shape[1], -1 if h.ndim == 1 else -2
    if h.ndim == 0 or h.shape[axis] != count:
        raise ValueError(f"h: shape was {tuple(h.shape)}, must be ({count},) or (..., {count}, C)")
    if quadrature is not None:
        check_quadrature(quadrature, planned)
        quadrature = count * quadrature.to(planned.points.x.dtype)
    scale = {"backward": 1.0, "forward": 1.0 / max(count, 1), "ortho": max(count, 1) ** -0.5}[norm]
    with without_autocast():
        values = weight_values(weight, planned.grid, planned.points.factors) * scale
    held = planned.points
    places = *held.sorted, held.factors, held.half_factors, held.exact
    out: Tensor = apply(_Preconditioned, 1, h, values, quadrature, held.x, *places, planned.choice, planned.sets)
    return out


def _plan_of(x: Given, weight: Weight, modes: Modes | None, period: Period | str) -> Plan:
    x = x if isinstance(x, Tensor) else points("x_or_plan", x)
    _check.points(x, "x_or_plan")
    if modes is None:
        if not isinstance(weight, Tensor):
            raise ValueError("modes: was None, must be given where weight is a callable and x_or_plan are points")
        modes = tuple(weight.shape)
    _check.points(x)
    return Plan(x, modes, period=period_of(period, x))


def _operator(gradient: Tensor, weight: Tensor, share: Tensor | None, planned: Planned) -> Tensor:
    """Q F^H W F Q on gradients (M,) or (..., M, C)."""
    rows = gradient if gradient.ndim == 1 else gradient.movedim(-1, -2)
    spectrum = planned.type1(_times(rows, share, 1), -1)
    out = _times(planned.type2(_times(spectrum, weight, planned.grid.dim), 1), share, 1)
    out = out if gradient.ndim == 1 else out.movedim(-1, -2)
    return out.to(gradient.dtype) if gradient.is_complex() else out.real.to(gradient.dtype)


def _times(rows: Tensor, factors: Tensor | None, core: int) -> Tensor:
    """Rows (..., *core) times factors (*core), or (*first, *core) with the first of the rows' axes."""
    if factors is None:
        return rows
    first = factors.ndim - core
    if first:
        factors = factors.reshape(*factors.shape[:first], *[1] * (rows.ndim - factors.ndim), *factors.shape[first:])
    return rows * factors


class _Saved(NamedTuple):
    """All tensors apart, for torch.compile to find."""

    weight: Tensor
    share: Tensor | None
    x: Tensor
    position: Tensor
    order: Tensor
    starts: Tensor
    polynomials: Tensor
    factors: Tensor
    half_factors: Tensor
    exact: Tensor | None

    def planned(self, choice: Choice, sets: tuple[int, ...]) -> Planned:
        places = Sorted(*self[3:7])
        return Planned(Points(self.x, places, self.factors, self.half_factors, self.exact), choice, sets)


@with_forward_mode
class _Preconditioned(Operation):
    @staticmethod
    def raw(h: Tensor, *given: Any) -> Tensor:
        return h.view_as(h)

    @staticmethod
    def forward(h: Tensor, *given: Any) -> Tensor:
        return h.clone()  # no view: torch's forward mode takes none from a Function

    @staticmethod
    def saved(inputs: tuple[Any, ...], output: Any) -> tuple[Any, ...]:
        return inputs[1:-2]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.save_for_backward(*inputs[1:-2])
        ctx.choice, ctx.sets = inputs[-2:]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        held = _Saved(*ctx.saved_tensors)
        out = _operator(gradient, held.weight, held.share, held.planned(ctx.choice, ctx.sets))
        return out, *[None] * (len(_Saved._fields) + 2)

    @staticmethod
    def tangents(ctx: Any, tangent: Tensor, *_: Any) -> Tensor:
        held = _Saved(*ctx.saved_tensors)
        return _operator(tangent, held.weight, held.share, held.planned(ctx.choice, ctx.sets))

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], h: Tensor, *given: Any) -> tuple[Any, Any]:
        """Points of its own: vmap's axis is the first of the point sets'. Points held in common: it follows theirs."""
        (*tensors, choice, sets), batch = given, info.batch_size
        held = _Saved(*tensors)
        dims: Any = _Saved(*in_dims[1:-2])
        place = len(sets)
        if dims.x is not None or dims.position is not None:
            names = [name for name in OF_POINTS if getattr(held, name) is not None]
            moved: Any = {name: merge(getattr(held, name), getattr(dims, name), batch, 0) for name in names}
            held, sets, place = held._replace(**moved), (batch, *sets), 0
        weight = _with_axis(held.weight, dims.weight, choice.gridding.grid.dim, place)
        share = None if held.share is None else _with_axis(held.share, dims.share, 1, place)
        h = h.expand(batch, *h.shape) if in_dims[0] is None else h.movedim(in_dims[0], 0)
        single = h.ndim == 2  # (M,) to each call
        h = h.unsqueeze(-1) if single else h.movedim(0, place)
        out: Any = apply(_Preconditioned, 1, h, *held._replace(weight=weight, share=share), choice, sets)
        return (out.squeeze(-1), 0) if single else (out, place)


def _with_axis(t: Tensor, dim: int | None, core: int, place: int) -> Tensor:
    """t (*first, *core) with vmap's axis, where it has it, as the one at ``place`` of those that come first."""
    first = t.ndim - core - (dim is not None)
    if dim is None:
        return t.unsqueeze(place) if first > place else t
    t = t.movedim(dim, 0)
    t = t.reshape(*t.shape[: 1 + first], *[1] * (place - first), *t.shape[1 + first :])
    return t.movedim(0, place)
