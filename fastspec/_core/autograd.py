"""What all differentiable operations share: which of its forms is right, vmap's axis, and the limits of forward mode.

An ``Operation`` has a static method ``raw`` beside ``forward``, which does the same without gradients.
``@with_forward_mode`` makes of its static method ``tangents`` a second form, with a jvp. ``apply`` takes the right one:

    raw             where no gradient is wanted
    the Function    under torch.compile, which refuses a Function with a jvp, and miscalls one inside another's
                    backward; it never differentiates a backward, so there the raw form will do
    its second form everywhere else
    its vmap        where torch.autograd.grad(is_grads_batched=True) batches by torch's older vmap

Of torch.func's transforms torch.compile traces one of grad or jvp, or vmap without gradients: what is traced of more
would be silently wrong, and is refused, so that without fullgraph=True it is not compiled, and right.
"""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.autograd import Function, forward_ad

from .plain import without_autocast


class TypedFunction(Function):
    """torch's Function, whose own of these have no types."""

    apply: ClassVar[Callable[..., Any]]
    vmap: ClassVar[Callable[..., Any]]


class Operation(TypedFunction):
    """A Function, and what apply asks of it besides."""

    second_form: ClassVar[type[TypedFunction]]
    raw: ClassVar[Callable[..., Any]]
    saved: ClassVar[Callable[..., tuple[Tensor | None, ...]]]
    tangents: ClassVar[Callable[..., Any]]


def apply(operation: type[Operation], followed: int, *inputs: Any) -> Any:
    """The operation on these inputs, in the form that is right here; gradients flow to the first ``followed``."""
    if torch.compiler.is_compiling():
        return _traced(operation, followed, inputs)
    if torch._C._is_any_autocast_enabled():
        with without_autocast():
            return apply(operation, followed, *inputs)
    level = _older_vmap_level()
    if level and any(map(_is_older_batched, inputs)):
        return _by_older_vmap(operation, followed, level, inputs)
    wanted = torch.is_grad_enabled() and any([t.requires_grad for t in inputs[:followed]])
    if wanted or transforms_active():
        return operation.second_form.apply(*inputs)
    return operation.raw(*inputs)


def ends_here() -> bool:
    """Whether a backward now at work is not differentiated itself, nor batched."""
    if torch.compiler.is_compiling():
        return True
    return not (torch.is_grad_enabled() or transforms_active() or _older_vmap_level())


def with_forward_mode(operation: type[Operation]) -> type[Operation]:
    """Gives an operation its second form, from ``tangents(ctx, *tangents)`` and ``saved(inputs, output)``."""

    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        operation.setup_context(ctx, inputs, output)
        ctx.save_for_forward(*operation.saved(inputs, output))

    def jvp(ctx: Any, *tangents: Any) -> Any:
        # torch takes what a jvp computes for constants of an outer jvp, silently zero, unless forward mode is on in it
        with forward_ad._set_fwd_grad_enabled(True):
            return operation.tangents(_Primal(ctx), *tangents)

    methods = {"setup_context": staticmethod(setup_context), "jvp": staticmethod(jvp)}
    operation.second_form = type(f"Forward{operation.__name__}", (operation,), methods)
    return operation


class _Primal:
    """A ctx whose tensors have no tangents of the level that is at work."""

    def __init__(self, ctx: Any):
        self._ctx = ctx
        self.saved_tensors = tuple(
            t if t is None else forward_ad.unpack_dual(t, level=0).primal for t in ctx.saved_tensors
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ctx, name)


def transforms_active() -> bool:
    """Whether in eager mode torch.func or forward differentiation is at work."""
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0


def follows(t: Tensor | None) -> bool:
    """Whether a derivative in t may be asked for, in reverse or forward mode, by whatever transform."""
    if t is None:
        return False
    if torch.compiler.is_compiling():
        return t.requires_grad or "Jvp" in levels()
    if t.requires_grad:
        return True
    if not transforms_active():
        return False
    while torch._C._functorch.is_functorch_wrapped_tensor(t):
        if torch._C._functorch.is_gradtrackingtensor(t):
            return True
        t = torch._C._functorch.get_unwrapped(t)
    return forward_ad._current_level >= 0 and forward_ad.unpack_dual(t, level=0).tangent is not None


# --- under torch.compile ----------------------------------------------------------------------------------------------


def levels() -> tuple[str, ...]:
    """The transforms of torch.func at work, outermost first, and "Dual" within forward_ad.dual_level."""
    stack = torch._C._functorch.get_interpreter_stack() or []
    names = tuple(level.key().name for level in stack)
    return ("Dual", *names) if not names and forward_ad._current_level >= 0 else names


# asked while torch.compile traces: what torch._dynamo.assume_constant_result does, without a second's import of it
levels._dynamo_marked_constant = True  # type: ignore[attr-defined]


def _traced(operation: type[Operation], followed: int, inputs: tuple[Any, ...]) -> Any:
    active = levels()
    if active:  # of an argument of torch.func.grad itself torch.compile does not know that it requires a gradient
        inputs = (*[t if t is None else t.view_as(t) for t in inputs[:followed]], *inputs[followed:])
    wanted = torch.is_grad_enabled() and any([t.requires_grad for t in inputs[:followed]])
    if not active or (active == ("Grad",) and not gradients_outside()):
        return operation.apply(*inputs) if wanted else operation.raw(*inputs)
    if len(active) > 1 or active == ("Dual",) or (gradients_outside() and torch.is_grad_enabled()):
        raise NotImplementedError(
            f"fastspec: torch.compile of {' within '.join(active)}, or a gradient of it: it traces one of torch.func's "
            "grad, jvp and vmap, not differentiated again; compile within them, or without fullgraph=True"
        )
    return _traced_forward_mode(operation, followed, inputs) if active == ("Jvp",) else operation.raw(*inputs)


def gradients_outside() -> bool:
    """Whether what torch.compile traces has inputs that require a gradient, beneath torch.func's levels."""
    try:
        output = torch._dynamo.symbolic_convert.InstructionTranslator.current_tx().output
        nodes = output.tracers[0].graph.find_nodes(op="placeholder")
        return any(node.meta["example_value"].requires_grad for node in nodes if _holds_tensor(node))
    except (AttributeError, IndexError):  # not traced by dynamo, or another version of it
        return True


gradients_outside._dynamo_marked_constant = True  # type: ignore[attr-defined]


def _holds_tensor(node: Any) -> bool:
    return isinstance(node.meta.get("example_value"), Tensor)


def _traced_forward_mode(operation: type[Operation], followed: int, inputs: tuple[Any, ...]) -> Any:
    """A Function's jvp as plain code: the tangents taken off the inputs and put onto the outputs."""
    pairs = [forward_ad.unpack_dual(t, level=0) for t in inputs[:followed]]
    primals = (*[pair.primal for pair in pairs], *inputs[followed:])
    out = operation.raw(*primals)
    if all([pair.tangent is None for pair in pairs]):
        return out
    ctx = Context()
    operation.setup_context(ctx, primals, out)
    ctx.saved_tensors = operation.saved(primals, out)
    tangents = operation.tangents(ctx, *[pair.tangent for pair in pairs], *[None] * (len(inputs) - followed))
    if isinstance(out, Tensor):
        return forward_ad.make_dual(out, tangents, level=0)
    return tuple([o if t is None else forward_ad.make_dual(o, t, level=0) for o, t in zip(out, tangents, strict=True)])


class Context:
    """What stands for a Function's ctx."""

    saved_tensors: tuple[Tensor | None, ...] = ()

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        pass

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        pass

    def set_materialize_grads(self, value: bool) -> None:
        pass


# --- torch's older vmap, which is_grads_batched=True goes by ----------------------------------------------------------


def _older_vmap_level() -> int:
    torch._C._vmapmode_increment_nesting()
    return torch._C._vmapmode_decrement_nesting()


def _is_older_batched(t: Any) -> bool:
    return isinstance(t, Tensor) and torch._C._dispatch_keys(t).has(_OLDER_BATCHED)


_OLDER_BATCHED = torch._C._dispatch_key_parse("Batched")


def _by_older_vmap(operation: type[Operation], followed: int, level: int, inputs: tuple[Any, ...]) -> Any:
    """By the operation's own rule, as that vmap has rules for few ops."""
    plain = [_unbatched(t, level) if _is_older_batched(t) else None for t in inputs]
    size = max(t.shape[0] for t in plain if t is not None)
    batched = [t is not None and t.shape[0] == size for t in plain]
    given = [t if has else value for t, has, value in zip(plain, batched, inputs, strict=True)]
    torch._C._vmapmode_decrement_nesting()
    try:
        info = SimpleNamespace(batch_size=size, randomness="error")
        out, dims = operation.vmap(info, tuple(0 if has else None for has in batched), *given)
    finally:
        torch._C._vmapmode_increment_nesting()
    if isinstance(out, Tensor):
        return torch._add_batch_dim(out, dims, level)
    return tuple(o if d is None else torch._add_batch_dim(o, d, level) for o, d in zip(out, dims, strict=True))


def _unbatched(t: Tensor, level: int) -> Tensor:
    """With that level's axis first, or one of size 1 where it has none."""
    return torch._remove_batch_dim(t, level, 1, 0)


# --- vmap's axis ------------------------------------------------------------------------------------------------------


def merge(t: Tensor, in_dim: int | None, batch: int, into: int) -> Tensor:
    """vmap's axis merged into axis ``into`` of a tensor, made by expansion where there is none."""
    t = t.unsqueeze(into).expand(*t.shape[:into], batch, *t.shape[into:]) if in_dim is None else t.movedim(in_dim, into)
    return flattened(t, into).contiguous()


def flattened(t: Tensor, axis: int, count: int = 2) -> Tensor:
    """``count`` axes as one. The older vmap has no rule for torch's flatten."""
    return t.reshape(*t.shape[:axis], _product(t.shape[axis : axis + count]), *t.shape[axis + count :])


def split(t: Tensor, axis: int, sizes: Sequence[int]) -> Tensor:
    """One axis as several, of which the last may be -1. The older vmap has no rule for torch's unflatten."""
    sizes = tuple(sizes)
    if sizes[-1] == -1:
        known = _product(sizes[:-1])
        sizes = (*sizes[:-1], t.shape[axis] // known if known else 0)
    return t.reshape(*t.shape[:axis], *sizes, *t.shape[axis + 1 :])


def _product(sizes: Sequence[int]) -> int:
    product = 1
    for n in sizes:
        product = product * n
    return product


def one_by_one(function: Any, info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Any, Any]:
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
