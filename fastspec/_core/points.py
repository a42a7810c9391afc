"""Points ready for transforms."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from . import ops
from .autograd import apply, merge


class Sorted(NamedTuple):
    """Points as the ops on the fine grid take them."""

    position: Tensor
    order: Tensor
    starts: Tensor
    polynomials: Tensor


class Points(NamedTuple):
    """Points and, for gridding, their places on the fine grid and the tables of its window. Direct sums need only x."""

    x: Tensor  # (S, M, d), in the precision of the computation
    position: Tensor | None = None  # (S, M, d) int32 or int64; these three from sort
    order: Tensor | None = None  # (S, M) int32
    starts: Tensor | None = None  # (S, tiles + 1) int32
    polynomials: Tensor | None = None  # these three from planning.Tables
    factors: Tensor | None = None
    half_factors: Tensor | None = None

    def sorted(self) -> Sorted:
        return Sorted(*self[1:5])


def as_sets(x: Tensor, dtype: torch.dtype) -> Tensor:
    """(M,), (M, d) or (S, M, d) to (S, M, d)."""
    if x.ndim == 1:
        x = x.unsqueeze(-1)
    return (x if x.ndim == 3 else x.unsqueeze(0)).to(dtype)


def sort(x: Tensor, *layout) -> tuple[Tensor, Tensor, Tensor]:
    """(S, M, d) -> position, order, starts, as ops.sort: integers, so without gradients."""
    return apply(Sort, x, *layout)


class Sort(Function):
    differentiable = 0

    @staticmethod
    def raw(x, *layout):
        return ops.sort(x.detach().contiguous(), *layout)

    @staticmethod
    def forward(x, *layout):
        return Sort.raw(x, *layout)

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
        out = sort(merge(x, in_dims[0], info.batch_size, 0), *layout)
        return tuple(o.unflatten(0, (info.batch_size, -1)) for o in out), (0, 0, 0)


Sort.second_form = Sort
