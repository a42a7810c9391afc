"""Points ready for transforms."""

from typing import NamedTuple

from torch import Tensor
from torch.autograd import Function

from . import ops
from .autograd import merge
from .ops import Sorted


class Points(NamedTuple):
    """Points and, for gridding, their places on the fine grid and the window's factors. Direct sums need only x."""

    x: Tensor  # (S, M, d), in the precision of the computation
    # direct sums do not look at the others
    sorted: Sorted = None  # type: ignore[assignment]
    factors: Tensor = None  # type: ignore[assignment]  # the window's deconvolution, of each axis' modes in turn
    half_factors: Tensor = None  # type: ignore[assignment]  # the same, the last axis halved
    exact: Tensor | None = None  # (S, M, d) in float64 where x is rounded, for the phases of direct sums


class Sort(Function):
    """ops.sort under torch.func: integers come of it, so no gradients."""

    @staticmethod
    def forward(x, *layout):
        return ops.sort(x.detach().contiguous(), *layout)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.mark_non_differentiable(*output)

    @staticmethod
    def backward(ctx, *_):
        return (None,) * len(ctx.needs_input_grad)

    @staticmethod
    def jvp(ctx, *_):
        return None, None, None

    @staticmethod
    def vmap(info, in_dims, x, *layout):
        out = Sort.apply(merge(x, in_dims[0], info.batch_size, 0), *layout)
        return tuple(o.unflatten(0, (info.batch_size, -1)) for o in out), (0, 0, 0)
