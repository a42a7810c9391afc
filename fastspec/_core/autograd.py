"""What all differentiable operations share: which of its forms is right, vmap's axis, and the limits of forward mode.

An ``Operation`` has a static method ``raw`` beside ``forward``, which does the same without gradients.
``@with_forward_mode`` makes of its static method ``tangents`` a second form, with a jvp. ``apply`` takes the right one:

    raw             where no gradient is wanted
    the Function    under torch.compile, which refuses a Function with a jvp, and miscalls one inside another's
                    backward; it never differentiates a backward, so there the raw form will do
    its second form everywhere else
"""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.autograd import Function


class Operation(Function):
    """A Function, and what apply asks of it besides."""

    second_form: ClassVar[type[Function]]
    raw: ClassVar[Callable[..., Any]]
    saved: ClassVar[Callable[..., tuple[Tensor | None, ...]]]
    tangents: ClassVar[Callable[..., Any]]


def apply(operation: type[Operation], followed: int, *inputs: Any) -> Any:
    """The operation on these inputs, in the form that is right here; gradients flow to the first ``followed``."""
    wanted = torch.is_grad_enabled() and any([t.requires_grad for t in inputs[:followed]])
    if torch.compiler.is_compiling():
        return operation.apply(*inputs) if wanted else operation.raw(*inputs)
    if wanted or transforms_active():
        return operation.second_form.apply(*inputs)
    return operation.raw(*inputs)


def ends_here() -> bool:
    """Whether a backward now at work is not differentiated itself."""
    return torch.compiler.is_compiling() or not (torch.is_grad_enabled() or transforms_active())


def with_forward_mode(operation: type[Operation]) -> type[Operation]:
    """Gives an operation its second form, from ``tangents(ctx, *tangents)`` and ``saved(inputs, output)``."""

    def setup_context(ctx, inputs, output):
        operation.setup_context(ctx, inputs, output)
        ctx.save_for_forward(*operation.saved(inputs, output))

    def jvp(ctx, *tangents):
        refuse_forward_over_forward()
        return operation.tangents(ctx, *tangents)

    methods = {"setup_context": staticmethod(setup_context), "jvp": staticmethod(jvp)}
    operation.second_form = type(f"Forward{operation.__name__}", (operation,), methods)
    return operation


def transforms_active() -> bool:
    """Whether in eager mode torch.func or forward differentiation is at work."""
    return torch._C._are_functorch_transforms_active() or torch.autograd.forward_ad._current_level >= 0


def refuse_forward_over_forward() -> None:
    """torch takes the tangents that a Function's jvp computes for constants of an outer jvp: silently zero."""
    stack = torch._C._functorch.get_interpreter_stack() or []
    if sum(level.key() == torch._C._functorch.TransformType.Jvp for level in stack) > 1:
        raise NotImplementedError(
            "fastspec: forward mode over forward mode is not supported; take one of the two derivatives in reverse "
            "mode, as torch.func.hessian does"
        )


def merge(t: Tensor, in_dim: int | None, batch: int, into: int) -> Tensor:
    """vmap's axis merged into axis ``into`` of a tensor, made by expansion where there is none."""
    t = t.unsqueeze(into).expand(*t.shape[:into], batch, *t.shape[into:]) if in_dim is None else t.movedim(in_dim, into)
    return t.flatten(into, into + 1).contiguous()


def one_by_one(function, info, in_dims, *inputs):
    """vmap by a loop over its axis."""
    each = [[t] * info.batch_size if dim is None else t.unbind(dim) for t, dim in zip(inputs, in_dims, strict=True)]
    results = [function(*one) for one in zip(*each, strict=True)]
    if isinstance(results[0], Tensor):
        return torch.stack(results), 0
    return tuple(torch.stack(parts) for parts in zip(*results, strict=True)), (0,) * len(results[0])


def sum_given(*terms: Tensor | None) -> Tensor:
    """Of tangents, of which some are None."""
    first, *others = [t for t in terms if t is not None]
    return sum(others, first)
