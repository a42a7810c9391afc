"""Preconditioning of the gradient over frequencies, under any loss."""

from typing import Any, NamedTuple

from torch import Tensor
from torch.utils._pytree import tree_leaves

from .. import _check
from .._core.autograd import Operation, apply, with_forward_mode
from .._core.modes import Modes
from .._core.ops import Sorted
from .._core.plain import without_autocast
from .._core.points import Points
from .._core.transform import Choice, Planned
from ..loss.terms import check_quadrature
from ..loss.weighing import Weight, check_weight, weight_values
from ..plan import Plan


def spectral(
    h: Tensor,
    x_or_plan: Tensor | Plan,
    weight: Weight,
    *,
    modes: Modes | None = None,
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
        x_or_plan: the points, (M,), (M, d) or (..., M, d), of period 2 pi; or a Plan, which also has period and modes.
        weight: as in SpectralLoss; with points in place of a plan a callable needs ``modes``.
        modes: number of wavenumbers, an int or one per dimension; default the weight's shape or the plan's modes.
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
    plan = x_or_plan if isinstance(x_or_plan, Plan) else _plan_of(x_or_plan, weight, modes)
    _check.data("h", h, plan.x)
    planned = plan.planned_for(plan.precision_for(h))
    if norm not in ("backward", "forward", "ortho"):
        raise ValueError(f"norm: was {norm!r}, must be 'backward', 'forward' or 'ortho'")
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
    points = planned.points
    places = *points.sorted, points.factors, points.half_factors, points.exact
    return apply(_Preconditioned, 1, h, values, quadrature, points.x, *places, planned.choice, planned.sets)


def _plan_of(x: Tensor, weight: Weight, modes: Modes | None) -> Plan:
    if modes is None:
        if not isinstance(weight, Tensor):
            raise ValueError("modes: was None, must be given where weight is a callable and x_or_plan are points")
        modes = tuple(weight.shape)
    return Plan(x, modes)


def _operator(gradient: Tensor, weight: Tensor, share: Tensor | None, planned: Planned) -> Tensor:
    """Q F^H W F Q on gradients (M,) or (..., M, C)."""
    rows = gradient if gradient.ndim == 1 else gradient.movedim(-1, -2)
    out = planned.type2(weight * planned.type1(_shared(rows, share), -1), 1)
    out = _shared(out, share)
    out = out if gradient.ndim == 1 else out.movedim(-1, -2)
    return out.to(gradient.dtype) if gradient.is_complex() else out.real.to(gradient.dtype)


def _shared(rows: Tensor, share: Tensor | None) -> Tensor:
    """Rows (..., M) times the points' share of space, (M,) or (sets, M)."""
    if share is None:
        return rows
    if share.ndim > 1:
        share = share.reshape(*share.shape[:-1], *[1] * (rows.ndim - share.ndim), share.shape[-1])
    return rows * share


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
    def raw(h, *given):
        return h.view_as(h)

    @staticmethod
    def forward(h, *given):
        return h.clone()  # no view: torch's forward mode takes none from a Function

    @staticmethod
    def saved(inputs, output):
        return inputs[1:-2]

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs[1:-2])
        ctx.choice, ctx.sets = inputs[-2:]

    @staticmethod
    def backward(ctx, gradient):
        held = _Saved(*ctx.saved_tensors)
        out = _operator(gradient, held.weight, held.share, held.planned(ctx.choice, ctx.sets))
        return out, *[None] * (len(_Saved._fields) + 2)

    @staticmethod
    def tangents(ctx, tangent, *_):
        held = _Saved(*ctx.saved_tensors)
        return _operator(tangent, held.weight, held.share, held.planned(ctx.choice, ctx.sets))

    @staticmethod
    def vmap(info, in_dims, h, *given):
        if any(dim is not None for dim in tree_leaves(in_dims[1:])):
            raise NotImplementedError("fastspec: vmap over points, weight or quadrature of precondition.spectral")
        single = h.ndim == 2  # (M,) to each call
        h, place = h.movedim(in_dims[0], 0), 0 if single else len(given[-1])  # point sets stay in front
        h = h.unsqueeze(-1) if single else h.movedim(0, place)
        out: Any = apply(_Preconditioned, 1, h, *given)
        return (out.squeeze(-1), 0) if single else (out, place)
