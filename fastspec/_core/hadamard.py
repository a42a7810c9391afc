"""The Walsh-Hadamard transform as an autograd function: its matrix is real and symmetric, so its own transpose."""

from torch import Tensor

from . import ops
from .autograd import Operation, apply, with_forward_mode


def hadamard(lines: Tensor, scale: float) -> Tensor:
    """(R, n, C) -> (R, n, C), along the middle axis."""
    return apply(Hadamard, 1, lines, scale)


@with_forward_mode
class Hadamard(Operation):
    @staticmethod
    def raw(lines, scale):
        return ops.hadamard(lines, scale)

    forward = raw

    @staticmethod
    def saved(inputs, output):
        return ()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.scale = inputs[1]

    @staticmethod
    def backward(ctx, gradient):
        return hadamard(gradient.contiguous(), ctx.scale), None

    @staticmethod
    def tangents(ctx, tangent, _):
        return hadamard(tangent.contiguous(), ctx.scale)

    @staticmethod
    def vmap(info, in_dims, lines, scale):
        lines = lines.movedim(in_dims[0], 0).contiguous()
        return hadamard(lines.flatten(0, 1), scale).unflatten(0, lines.shape[:2]), 0
