"""c (K + c)^-1 as an operation on gradients, and as the derivative of the identity."""

from typing import Any

from torch import Tensor

from .._core.autograd import Operation, apply, with_forward_mode
from .factors import Factor


def preconditioned(h: Tensor, factor: Factor, counts: Any) -> Tensor:
    """h, with its gradient multiplied; ``counts.steps`` counts backward passes."""
    out: Tensor = apply(_Preconditioned, 1, h, factor, counts)
    return out


@with_forward_mode
class _Preconditioned(Operation):
    """The identity, whose derivative is taken for c (K + c)^-1 in reverse and in forward mode."""

    @staticmethod
    def raw(h: Tensor, factor: Factor, counts: Any) -> Tensor:
        return h.view_as(h)

    @staticmethod
    def forward(h: Tensor, factor: Factor, counts: Any) -> Tensor:
        return h.clone()  # no view: torch's forward mode takes none from a Function

    @staticmethod
    def saved(inputs: tuple[Any, ...], output: Any) -> tuple[Any, ...]:
        return ()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.factor, ctx.counts = inputs[1:]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        ctx.counts.steps += 1
        return multiply(gradient, ctx.factor), None, None

    @staticmethod
    def tangents(ctx: Any, tangent: Tensor, *_: Any) -> Tensor:
        return multiply(tangent, ctx.factor)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], h: Tensor, factor: Factor, counts: Any) -> tuple[Any, Any]:
        return apply(_Preconditioned, 1, h, factor, counts), in_dims[0]


def multiply(values: Tensor, factor: Factor) -> Tensor:
    """Values (M,) or (M, C), multiplied."""
    out: Tensor = apply(_Symmetric, 1, values.reshape(-1, 1), factor).view_as(values)
    return out


@with_forward_mode
class _Symmetric(Operation):
    """c (K + c)^-1 on columns, which is its own transpose."""

    @staticmethod
    def raw(columns: Tensor, factor: Factor) -> Tensor:
        return factor.apply(columns)

    forward = raw

    @staticmethod
    def saved(inputs: tuple[Any, ...], output: Any) -> tuple[Any, ...]:
        return ()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.factor = inputs[1]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return apply(_Symmetric, 1, gradient, ctx.factor), None

    @staticmethod
    def tangents(ctx: Any, tangent: Tensor, _: Any) -> Any:
        return apply(_Symmetric, 1, tangent, ctx.factor)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], columns: Tensor, factor: Factor) -> tuple[Any, Any]:
        wide = columns.movedim(in_dims[0], 1)
        return apply(_Symmetric, 1, wide.flatten(1), factor).view_as(wide), 1
