"""Preconditioning of the gradient over frequencies, under any loss."""

import torch
from torch import Tensor
from torch.autograd import Function

from .. import _check
from .._core.modes import Modes
from .._core.transform import Planned
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

    F is the type 1 transform from the points to the modes, W = diag(w). A weight that grows with the wavenumber speeds
    up what the network would learn last.

    Args:
        h: what the network returns at the points, (M,) or (..., M, C), real or complex.
        x_or_plan: the points, (M,), (M, d) or (B, M, d), of period 2 pi; or a Plan, which also has period and modes.
        weight: as in SpectralLoss; with points in place of a plan a callable needs ``modes``.
        modes: number of wavenumbers, an int or one per dimension; default the weight's shape or the plan's modes.
        norm: as in torch.fft: "backward" for plain sums, "forward" to divide by M, "ortho" by sqrt(M). With "forward",
            N = M modes, uniform points and w = 1 the gradient is unchanged, and under MSELoss it is SpectralLoss's.
        quadrature: q_j (M,), as for SpectralLoss: the gradient is multiplied by Q F^H W F Q, Q = diag(M q). Default
            q = 1/M.

    Returns:
        ``h``, with the gradient's new path.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """
    _check.tensor("h", h)
    _check.weight(weight)
    plan = x_or_plan if isinstance(x_or_plan, Plan) else _plan_of(x_or_plan, weight, modes)
    planned = plan.planned
    _check.data("h", h, planned.points.x)
    if norm not in ("backward", "forward", "ortho"):
        raise ValueError(f"norm: was {norm!r}, must be 'backward', 'forward' or 'ortho'")
    if isinstance(weight, Tensor):
        check_weight(weight, plan.modes)
    count, axis = planned.points.x.shape[1], -1 if h.ndim == 1 else -2
    if h.ndim == 0 or h.shape[axis] != count:
        raise ValueError(f"h: shape was {tuple(h.shape)}, must be ({count},) or (..., {count}, C)")
    if quadrature is not None:
        _check.data("quadrature", quadrature, planned.points.x, real=True)
        _check.trailing("quadrature", quadrature, [count])
    scale = {"backward": 1.0, "forward": 1.0 / max(count, 1), "ortho": max(count, 1) ** -0.5}[norm]
    values = weight_values(weight, planned.grid, planned.points.factors) * scale
    share = torch.ones(1, device=h.device) if quadrature is None else count * quadrature.detach()
    return _Spectral.apply(h, values, planned, share.to(values.dtype))


def _plan_of(x: Tensor, weight: Weight, modes: Modes | None) -> Plan:
    if modes is None:
        if not isinstance(weight, Tensor):
            raise ValueError("modes: was None, must be given where weight is a callable and x_or_plan are points")
        modes = tuple(weight.shape)
    return Plan(x, modes)


def _operator(gradient: Tensor, weight: Tensor, planned: Planned, share: Tensor) -> Tensor:
    """Q F^H W F Q on gradients (M,) or (..., M, C)."""
    rows = gradient if gradient.ndim == 1 else gradient.movedim(-1, -2)
    modes = planned.type1(rows * share, -1)
    out = share * planned.type2(weight * modes, 1)
    out = out if gradient.ndim == 1 else out.movedim(-1, -2)
    return out.to(gradient.dtype) if gradient.is_complex() else out.real.to(gradient.dtype)


class _Spectral(Function):
    @staticmethod
    def forward(h, weight, planned, share):
        return h.view_as(h)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[1], inputs[3])
        ctx.planned = inputs[2]

    @staticmethod
    def backward(ctx, gradient):
        weight, share = ctx.saved_tensors
        return _operator(gradient, weight, ctx.planned, share), None, None, None

    @staticmethod
    def vmap(info, in_dims, h, weight, planned, share):
        single = h.ndim == 2  # (M,) to each call
        h = h.movedim(in_dims[0], 0)
        h = h.unsqueeze(-1) if single else h.movedim(0, int(planned.batched))  # point sets stay in front
        out = _Spectral.apply(h, weight, planned, share)
        return (out.squeeze(-1), 0) if single else (out, int(planned.batched))
