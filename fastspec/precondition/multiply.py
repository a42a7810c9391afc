"""c (K + c)^-1 as an operation on gradients, and as the derivative of the identity; products with a matrix."""

from typing import Any

import torch
from torch import Tensor

from .._core.autograd import Operation, apply, flattened, with_forward_mode
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
        return apply(_Preconditioned, 1, h.movedim(in_dims[0], 0), factor, counts), 0


def multiply(values: Tensor, factor: Factor) -> Tensor:
    """Values (..., M) or (..., M, C), multiplied."""
    columns = values.reshape(-1, factor.count).mT
    out: Tensor = apply(_Symmetric, 1, columns, factor)
    return out.mT.reshape(values.shape)


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


def symmetric_product(matrix: Tensor, columns: Tensor) -> Tensor:
    """A symmetric matrix (N, N) times (N, C), which autocast rounds neither forward nor in a backward called in it."""
    out: Tensor = matrix @ columns if torch.compiler.is_compiling() else apply(_Product, 1, columns, matrix)
    return out


@with_forward_mode
class _Product(Operation):
    @staticmethod
    def raw(columns: Tensor, matrix: Tensor) -> Tensor:
        return matrix @ columns

    forward = raw

    @staticmethod
    def saved(inputs: tuple[Any, ...], output: Any) -> tuple[Tensor | None, ...]:
        return (inputs[1],)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.save_for_backward(inputs[1])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return symmetric_product(ctx.saved_tensors[0], gradient), None

    @staticmethod
    def tangents(ctx: Any, tangent: Tensor, *_: Any) -> Tensor:
        return symmetric_product(ctx.saved_tensors[0], tangent)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], columns: Tensor, matrix: Tensor) -> tuple[Any, Any]:
        wide = columns.movedim(in_dims[0], 1)
        return apply(_Product, 1, flattened(wide, 1), matrix).reshape(wide.shape), 1
