"""Sums of exponentials over any points and frequencies as an autograd function, on points (M, d), strengths (B, M) and
frequencies (K, d):

    F_bk = sum_j c_bj exp(sign i s_k.x_j)

Points and frequencies have the same part in it, so its adjoint is the same sum with the two exchanged. With G for the
gradient that comes in, L = Re sum conj(G) F:

    in c_bj    sums(s, G, x, -sign)
    in x_j     sum_b Re(conj(c_bj) sums(s, -i sign s_a G, x, -sign)), in one sweep where it ends there
    in s_k     the same with x and s, c and conj(G), G and conj(c) exchanged

Every backward is written with these same functions, so any order of derivative is there.
"""

from typing import Any

import torch
from torch import Tensor

from . import ops
from .autograd import Operation, apply, ends_here, flattened, merge, one_by_one, split, with_forward_mode


def exponential_sums(x: Tensor, c: Tensor, s: Tensor, sign: int, real: bool = False) -> Tensor:
    """(M, d), (B, M), (K, d) of one precision -> (B, K) complex, or its real part at half the cost."""
    out: Tensor = apply(ExponentialSums, 3, x, c, s, sign, real)
    return out


def sums_of_sets(x: Tensor, c: Tensor, s: Tensor, sign: int) -> Tensor:
    """The sums for each of S sets: points (S, M, d), strengths (S, B, M), frequencies (1 or S, K, d) -> (S, B, K).

    Frequencies may have d columns more: the digits that rounding took from the others, for the same points to meet.
    """
    if x.shape[-1] != s.shape[-1]:
        x = torch.cat([x, x], -1)
    if len(c) == 1:
        return exponential_sums(x[0], c[0], s[0], sign).unsqueeze(0)
    if len(c) == 0:
        return c.new_zeros((0, c.shape[1], s.shape[1]), dtype=torch.promote_types(x.dtype, torch.complex32))
    each = zip(x, c, s.expand(len(c), -1, -1), strict=True)
    return torch.stack([exponential_sums(*one, sign) for one in each])


def _along(t: Tensor, data: Tensor) -> Tensor:
    """data times each coordinate: (M, d), (B, M) -> (d * B, M)."""
    return flattened(t.mT.unsqueeze(1) * data, 0)


def _gradient(x: Tensor, c: Tensor, s: Tensor, g: Tensor, sign: int) -> Tensor:
    """The gradient of Re sum conj(g) F in x, (M, d)."""
    if ends_here():
        return ops.exponential_sums_gradient(x.contiguous(), c.contiguous(), s.contiguous(), g.contiguous(), sign)
    moved = -1j * sign * _along(s, g)
    slopes = split(exponential_sums(s, moved, x, -sign, real=not c.is_complex()), 0, (s.shape[1], -1))
    return (c.conj() * slopes).real.sum(1).mT


@with_forward_mode
class ExponentialSums(Operation):
    @staticmethod
    def raw(x: Tensor, c: Tensor, s: Tensor, sign: int, real: bool) -> Tensor:
        op = ops.exponential_sums_real if real else ops.exponential_sums
        return op(x.contiguous(), c.contiguous(), s.contiguous(), sign)

    forward = raw

    @staticmethod
    def saved(inputs: tuple[Any, ...], output: Any) -> tuple[Any, ...]:
        return inputs[:3]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.save_for_backward(*inputs[:3])
        ctx.sign, ctx.real = inputs[3:]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (x, c, s), sign = ctx.saved_tensors, ctx.sign
        grads: list[Tensor | None] = [None, None, None]
        if ctx.needs_input_grad[0]:
            grads[0] = _gradient(x, c, s, grad, sign)
        if ctx.needs_input_grad[1]:
            grads[1] = exponential_sums(s, grad, x, -sign, real=not c.is_complex())
        if ctx.needs_input_grad[2]:
            grads[2] = _gradient(s, grad.conj(), x, c.conj(), sign)
        return *grads, None, None

    @staticmethod
    def tangents(
        ctx: Any, x_tangent: Tensor | None, c_tangent: Tensor | None, s_tangent: Tensor | None, *_: Any
    ) -> Any:
        (x, c, s), sign, real = ctx.saved_tensors, ctx.sign, ctx.real
        terms = [] if c_tangent is None else [exponential_sums(x, c_tangent, s, sign, real)]
        for moved, factor in ((x_tangent, s), (x, s_tangent)):
            if moved is not None and factor is not None:
                parts = split(exponential_sums(x, _along(moved, c), s, sign), 0, (s.shape[1], -1))
                term = 1j * sign * (factor.mT.unsqueeze(1) * parts).sum(0)
                terms.append(term.real if real else term)
        return sum(terms)

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[Any, ...], x: Tensor, c: Tensor, s: Tensor, sign: int, real: bool
    ) -> tuple[Any, Any]:
        """Points and frequencies held in common: vmap's axis joins the rows."""
        if in_dims[0] is None and in_dims[2] is None:
            rows = merge(c, in_dims[1], info.batch_size, 0)
            return exponential_sums(x, rows, s, sign, real).unflatten(0, (info.batch_size, -1)), 0
        return one_by_one(exponential_sums, info, in_dims, x, c, s, sign, real)
