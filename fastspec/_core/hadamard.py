"""The Walsh-Hadamard transform as an autograd function: its matrix is real and symmetric, so its own transpose."""

from typing import Any

from torch import Tensor

from . import ops
from .autograd import Operation, apply, with_forward_mode


def hadamard(lines: Tensor, scale: float) -> Tensor:
    """(R, n, C) -> (R, n, C), along the middle axis."""
    out: Tensor = apply(Hadamard, 1, lines, scale)
    return out


@with_forward_mode
class Hadamard(Operation):
    @staticmethod
    def raw(lines: Tensor, scale: float) -> Tensor:
        return ops.hadamard(lines, scale)

    forward = raw

    @staticmethod
    def saved(inputs: tuple[Any, ...], output: Any) -> tuple[Any, ...]:
        return ()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.scale = inputs[1]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return hadamard(gradient.contiguous(), ctx.scale), None

    @staticmethod
    def tangents(ctx: Any, tangent: Tensor, _: Any) -> Tensor:
        return hadamard(tangent.contiguous(), ctx.scale)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], lines: Tensor, scale: float) -> tuple[Any, Any]:
        lines = lines.movedim(in_dims[0], 0).contiguous()
        return hadamard(lines.flatten(0, 1), scale).unflatten(0, lines.shape[:2]), 0
