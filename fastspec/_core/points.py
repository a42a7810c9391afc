"""Points ready for transforms."""

from typing import Any, NamedTuple

from torch import Tensor

from . import ops
from .autograd import TypedFunction, merge
from .ops import Sorted


class Points(NamedTuple):
    """Points and, for gridding, their places on the fine grid and the window's factors. Direct sums need only x."""

    x: Tensor  # (S, M, d), in the precision of the computation
    # direct sums do not look at the others
    sorted: Sorted = None  # type: ignore[assignment]
    factors: Tensor = None  # type: ignore[assignment]  # the window's deconvolution, of each axis' modes in turn
    half_factors: Tensor = None  # type: ignore[assignment]  # the same, the last axis halved
    exact: Tensor | None = None  # (S, M, d) in float64 where x is rounded, for the phases of direct sums


class Sort(TypedFunction):
    """ops.sort under torch.func: integers come of it, so no gradients."""

    @staticmethod
    def forward(x: Tensor, *layout: Any) -> tuple[Tensor, Tensor, Tensor]:
        return ops.sort(x.detach().contiguous(), *layout)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.mark_non_differentiable(*output)

    @staticmethod
    def backward(ctx: Any, *_: Any) -> tuple[Tensor | None, ...]:
        return (None,) * len(ctx.needs_input_grad)

    @staticmethod
    def jvp(ctx: Any, *_: Any) -> tuple[None, None, None]:
        return None, None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], x: Tensor, *layout: Any) -> tuple[Any, Any]:
        out = Sort.apply(merge(x, in_dims[0], info.batch_size, 0), *layout)
        return tuple(o.unflatten(0, (info.batch_size, -1)) for o in out), (0, 0, 0)
