"""Gaussian filters over all pairs of points as an autograd function, on points (n, d) and values y (1 or D, n, C):

    sums_wic = sum_j K_w(i, j) y_jc,   normalisers_wi = sum_j K_w(i, j),   K_w(i, j) = exp(-|x_i - x_j|^2 / (2 delta_w))

K is symmetric, so the adjoint in y is the same sum. The gradient in x is one sweep where it ends there; where it is
differentiated again it is composed of the sums of y and of x y. With g for the gradient that comes in:

    in x_i    sum_wj K_w(i, j) / delta_w (g_wi y_j + g_wj y_i) (x_j - x_i)
"""

from typing import Any

import torch
from torch import Tensor

from . import ops
from .autograd import Operation, apply, ends_here, flattened, one_by_one, split, sum_given, with_forward_mode


def gaussian_sums(x: Tensor, y: Tensor, deltas: Tensor, precision: str = ops.EXACT) -> tuple[Tensor, Tensor]:
    """(n, d), (1 or D, n, C) of one precision, (D,) in float64 -> (D, n, C) and (D, n).

    Of another ``precision``, as ops.gaussian_filter has it, are these and their gradient in y; all others are exact.
    """
    out: tuple[Tensor, Tensor] = apply(GaussianSums, 2, x, y, deltas, precision)
    return out


def _gradient(x: Tensor, y: Tensor, deltas: Tensor, g: Tensor) -> Tensor:
    """(n, d), (1 or D, n, C), (D,), (D, n, C) -> (n, d)."""
    if ends_here():
        x, y, g = x.contiguous(), y.contiguous(), g.contiguous()
        if len(y) == 1:
            return ops.gaussian_filter_gradient(x, y, deltas, g)
        each = zip(y.split(1), deltas.split(1), g.split(1), strict=True)
        return sum_given(*(ops.gaussian_filter_gradient(x, *one) for one in each))
    y = y.expand(g.shape)
    both = torch.cat([g, y], -1), torch.cat([y, g], -1)  # g_i y_j and y_i g_j
    times_x = flattened(both[1].unsqueeze(-1) * x.unsqueeze(1), 2)
    here, moved = (gaussian_sums(x, values, deltas)[0] for values in (both[1], times_x))
    slopes = split(moved, 2, (both[1].shape[-1], x.shape[1])) - here.unsqueeze(-1) * x.unsqueeze(1)
    return ((both[0].unsqueeze(-1) * slopes).sum(2) / deltas.to(x.dtype)[:, None, None]).sum(0)


@with_forward_mode
class GaussianSums(Operation):
    @staticmethod
    def raw(x: Tensor, y: Tensor, deltas: Tensor, precision: str) -> tuple[Tensor, Tensor]:
        return ops.gaussian_filter(x.contiguous(), y.contiguous(), deltas, precision)

    forward = raw

    @staticmethod
    def saved(inputs: tuple[Any, ...], output: Any) -> tuple[Any, ...]:
        return inputs[:3]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.save_for_backward(*inputs[:3])
        ctx.precision = inputs[3]

    @staticmethod
    def backward(ctx: Any, sums_grad: Tensor, normalisers_grad: Tensor) -> tuple[Tensor | None, ...]:
        x, y, deltas = ctx.saved_tensors
        x_grad = y_grad = None
        if ctx.needs_input_grad[0]:
            g = torch.cat([sums_grad, normalisers_grad.unsqueeze(-1)], -1)
            x_grad = _gradient(x, torch.cat([y, torch.ones_like(y[..., :1])], -1), deltas, g)
        if ctx.needs_input_grad[1]:
            y_grad = gaussian_sums(x, sums_grad, deltas, ctx.precision)[0]
            y_grad = y_grad.sum(0, keepdim=True) if len(y) == 1 else y_grad
        return x_grad, y_grad, None, None

    @staticmethod
    def tangents(ctx: Any, x_tangent: Tensor | None, y_tangent: Tensor | None, *_: Any) -> Any:
        x, y, deltas = ctx.saved_tensors
        sums = None if y_tangent is None else gaussian_sums(x, y_tangent, deltas, ctx.precision)[0]
        if x_tangent is None:
            return sums, None
        # dK(i, j) = K(i, j) / delta (x_j - x_i).(t_i - t_j), for the values y and for ones
        values = torch.cat([y, torch.ones_like(y[..., :1])], -1)
        each = gaussian_sums(x, torch.cat([values * part for part in _parts(x, x_tangent)], -1), deltas)[0]
        sums_of_parts = split(each, 2, (2 * x.shape[1] + 2, values.shape[-1])).unbind(2)
        here = _parts(x, x_tangent, here=True)
        moved = [part.unsqueeze(-1) * t for part, t in zip(here, sums_of_parts, strict=True)]
        total = sum_given(*moved) / deltas.to(x.dtype)[:, None, None]
        return sum_given(sums, total[..., :-1]), total[..., -1]

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Any, Any]:
        return one_by_one(gaussian_sums, info, in_dims, *inputs)


def _parts(x: Tensor, t: Tensor, here: bool = False) -> list[Tensor]:
    """(x_j - x_i).(t_i - t_j) as a sum of products: those of j (n, 1), or those of i (n,) that go with them."""
    own = (x * t).sum(-1)
    if here:
        return [*t.unbind(-1), *x.unbind(-1), -own, -torch.ones_like(own)]
    return [part.unsqueeze(-1) for part in (*x.unbind(-1), *t.unbind(-1), torch.ones_like(own), own)]
