"""What torch does to functions of tensors: the other half of the table. Each of these takes a function and its inputs
and returns tensors, which must be the same of ours as of the plain one; what only ours goes through is in ``through``.
"""

import io
import itertools
import tempfile
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.autograd.forward_ad as forward_ad
from torch import Tensor
from torch.autograd.functional import jacobian
from torch.utils.checkpoint import checkpoint

Through = Callable[[Callable], Callable]  # what is done to ours, and not to the plain one: compiling, say


def scalar(out: Tensor) -> Tensor:
    """A number whose derivatives depend on the value, not only on its shape."""
    probe = (1.7 * torch.arange(out.numel(), dtype=torch.float64, device=out.device) ** 2).sin().reshape(out.shape)
    square = out.real.square() + out.imag.square() if out.is_complex() else out.square()
    return (square * (probe + 1.5).to(square.dtype)).sum()


def direction(t: Tensor) -> Tensor:
    return torch.cos(3 * t.detach() + 1)


def _smooth(f, smooth, inputs, through):
    """The scalar as a function of the first inputs alone, through what is tested, and these inputs."""
    return through(lambda *moved: scalar(f(*moved, *inputs[smooth:]))), inputs[:smooth]


def value(f, smooth, inputs, through):
    return through(f)(*inputs)


def backward(f, smooth, inputs, through):
    leaves = [t.clone().requires_grad_(i < smooth) for i, t in enumerate(inputs)]
    return torch.autograd.grad(scalar(through(f)(*leaves)), leaves[:smooth])


def subsets(f, smooth, inputs, through):
    found = []
    for wanted in itertools.product([False, True], repeat=smooth):
        leaves = [t.clone().requires_grad_(i < smooth and wanted[i]) for i, t in enumerate(inputs)]
        if any(wanted):
            out = scalar(through(f)(*leaves))
            found += torch.autograd.grad(out, [t for t in leaves if t.requires_grad])
    return found


def double_backward(f, smooth, inputs, through):
    leaves = [t.clone().requires_grad_(i < smooth) for i, t in enumerate(inputs)]
    first = torch.autograd.grad(scalar(through(f)(*leaves)), leaves[:smooth], create_graph=True)
    return torch.autograd.grad(sum((g * direction(g)).sum() for g in first), leaves[:smooth])


def jvp(f, smooth, inputs, through):
    run = through(lambda *moved: torch.func.jvp(partial(_with, f, inputs), moved, tuple(map(direction, moved))))
    return run(*inputs[:smooth])


def _with(f, inputs, *moved):
    return f(*moved, *inputs[len(moved) :])


def jacfwd(f, smooth, inputs, through):
    g, moved = _smooth(f, smooth, inputs, lambda g: g)
    return through(torch.func.jacfwd(g, argnums=tuple(range(smooth))))(*moved)


def jacrev(f, smooth, inputs, through):
    g, moved = _smooth(f, smooth, inputs, lambda g: g)
    return through(torch.func.jacrev(g, argnums=tuple(range(smooth))))(*moved)


def func_grad(f, smooth, inputs, through):
    g, moved = _smooth(f, smooth, inputs, lambda g: g)
    return through(torch.func.grad(g, argnums=tuple(range(smooth))))(*moved)


def func_vjp(f, smooth, inputs, through):
    def run(*moved):
        out, pull = torch.func.vjp(partial(_with, f, inputs), *moved)
        return pull(torch.ones_like(out))

    return through(run)(*inputs[:smooth])


def hessian(f, smooth, inputs, through):
    g, moved = _smooth(f, smooth, inputs, lambda g: g)
    return through(torch.func.hessian(g, argnums=tuple(range(smooth))))(*moved)


def forward_over_reverse(f, smooth, inputs, through):
    g, moved = _smooth(f, smooth, inputs, lambda g: g)
    gradient = torch.func.grad(g, argnums=tuple(range(smooth)))
    return through(lambda *m: torch.func.jvp(gradient, m, tuple(map(direction, m)))[1])(*moved)


def reverse_over_forward(f, smooth, inputs, through):
    g, moved = _smooth(f, smooth, inputs, lambda g: g)
    along = tuple(map(direction, moved))
    return through(torch.func.grad(lambda *m: torch.func.jvp(g, m, along)[1], argnums=tuple(range(smooth))))(*moved)


def forward_over_forward(f, smooth, inputs, through):
    g, moved = _smooth(f, smooth, inputs, lambda g: g)
    along = tuple(map(direction, moved))
    return through(lambda *m: torch.func.jvp(lambda *n: torch.func.jvp(g, n, along)[1], m, along)[1])(*moved)


def dual_over_reverse(f, smooth, inputs, through):
    with forward_ad.dual_level():
        leaves = [t.clone().requires_grad_(i < smooth) for i, t in enumerate(inputs)]
        duals = [forward_ad.make_dual(t, direction(t)) if i < smooth else t for i, t in enumerate(leaves)]
        grads = torch.autograd.grad(scalar(through(f)(*duals)), leaves[:smooth], create_graph=True)
        found = [forward_ad.unpack_dual(g).tangent for g in grads]
        return [torch.zeros_like(t) if g is None else g.clone() for g, t in zip(found, leaves, strict=False)]


def _and_gradient(f):
    """Of the identities that precondition, the gradient alone shows what each call was given."""
    return lambda *inputs: (f(*inputs), torch.func.grad(lambda *given: scalar(f(*given)))(*inputs))


def vmap(f, smooth, inputs, through):
    """Over each of the inputs alone, and over all."""
    f = _and_gradient(f)
    stacked = [torch.stack([t, 1.1 * t + 0.1]) for t in inputs]
    found = []
    for which in (*[(i,) for i in range(len(inputs))], tuple(range(len(inputs)))):
        given = [stacked[i] if i in which else t for i, t in enumerate(inputs)]
        found.append(
            through(torch.vmap(f, in_dims=tuple(0 if i in which else None for i in range(len(inputs)))))(*given)
        )
    return found


def nested_vmap(f, smooth, inputs, through):
    f = _and_gradient(f)
    outer, inner = (torch.stack([t, 1.1 * t + 0.1]) for t in (inputs[0], inputs[-1]))
    if len(inputs) == 1:
        return through(torch.vmap(torch.vmap(f)))(torch.stack([outer, 2 * outer]))
    middle = inputs[1:-1]
    return through(lambda a, b: torch.vmap(lambda x: torch.vmap(lambda y: f(x, *middle, y))(b))(a))(outer, inner)


def vmap_of_grad(f, smooth, inputs, through):
    g, moved = _smooth(f, smooth, inputs, lambda g: g)
    return through(torch.vmap(torch.func.grad(g)))(*[torch.stack([t, 1.1 * t + 0.1]) for t in moved])


def grad_of_vmap(f, smooth, inputs, through):
    g, moved = _smooth(f, smooth, inputs, lambda g: g)
    both = [torch.stack([t, 1.1 * t + 0.1]) for t in moved]
    return through(torch.func.grad(lambda *b: torch.vmap(g)(*b).sum(), argnums=tuple(range(smooth))))(*both)


def grads_batched(f, smooth, inputs, through):
    leaves = [t.clone().requires_grad_(i < smooth) for i, t in enumerate(inputs)]
    out = f(*leaves)
    out = torch.view_as_real(out) if out.is_complex() else out
    seeds = torch.stack([torch.cos(out.detach()), torch.sin(out.detach())])
    return torch.autograd.grad(out, leaves[:smooth], seeds, is_grads_batched=True)


def vectorized_jacobian(f, smooth, inputs, through):
    g, moved = _smooth(f, smooth, inputs, lambda g: g)
    return jacobian(lambda *m: g(*m).reshape(1), moved, vectorize=True)


def checkpointed(f, smooth, inputs, through):
    return backward(lambda *given: checkpoint(f, *given, use_reentrant=False), smooth, inputs, through)


def non_contiguous(f, smooth, inputs, through):
    spread = [torch.stack([t, t + 1], -1)[..., 0] for t in inputs]
    turned = [t.mT.contiguous().mT if t.ndim > 1 else t.flip(0).contiguous().flip(0) for t in inputs]
    return [value(f, smooth, given, through) for given in (spread, turned)] + [*backward(f, smooth, spread, through)]


def negative_views(f, smooth, inputs, through):
    """Views with the neg and conj bits, as imag of a conj is."""
    views = [torch.view_as_complex(torch.stack([t, -t], -1)).conj().imag for t in inputs]
    assert all(t.is_neg() for t in views)
    return value(f, smooth, views, through)


def inference_then_training(f, smooth, inputs, through):
    with torch.inference_mode():
        through(f)(*inputs)
    return backward(f, smooth, inputs, through)


def default_dtype(f, smooth, inputs, through):
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64 if before == torch.float32 else torch.float32)
    try:
        return value(f, smooth, inputs, through)
    finally:
        torch.set_default_dtype(before)


EAGER: dict[str, Callable[..., Any]] = {
    "value": value,
    "backward": backward,
    "backward in any subset": subsets,
    "double backward": double_backward,
    "func.jvp": jvp,
    "func.jacfwd": jacfwd,
    "func.grad": func_grad,
    "func.vjp": func_vjp,
    "func.jacrev": jacrev,
    "func.hessian": hessian,
    "forward over reverse": forward_over_reverse,
    "reverse over forward": reverse_over_forward,
    "forward over forward": forward_over_forward,
    "forward_ad over backward": dual_over_reverse,
    "vmap over each input, and all": vmap,
    "vmap within vmap": nested_vmap,
    "vmap of grad": vmap_of_grad,
    "grad of vmap": grad_of_vmap,
    "is_grads_batched": grads_batched,
    "jacobian(vectorize=True)": vectorized_jacobian,
    "checkpoint": checkpointed,
    "non-contiguous inputs": non_contiguous,
    "neg and conj views": negative_views,
    "inference_mode, then training": inference_then_training,
    "another default dtype": default_dtype,
}


def exported(strict: bool, dynamic: bool) -> Through:
    """By way of torch.export, saved and loaded."""

    def through(f):
        class Module(torch.nn.Module):
            def forward(self, *inputs):
                return f(*inputs)

        def run(*inputs):
            shapes = None
            if dynamic:
                count = torch.export.Dim("count", min=3, max=4096)
                shapes = (tuple({0: count} if 7 in t.shape[:1] else None for t in inputs),)
            program = torch.export.export(Module(), inputs, dynamic_shapes=shapes, strict=strict)
            file = io.BytesIO()
            torch.export.save(program, file)
            file.seek(0)
            return torch.export.load(file).module()(*inputs)

        return run

    return through


def packaged(f):
    """Compiled ahead of time, and loaded from the package."""

    class Module(torch.nn.Module):
        def forward(self, *inputs):
            return f(*inputs)

    def run(*inputs):
        program = torch.export.export(Module(), inputs, strict=False)
        with tempfile.TemporaryDirectory() as folder:
            path = torch._inductor.aoti_compile_and_package(program, package_path=f"{folder}/model.pt2")
            return torch._inductor.aoti_load_package(path)(*inputs)

    return run


def compiled(f):
    return torch.compile(f, fullgraph=True, backend="aot_eager")


# what is compiled, and how; the first column of each line is its name in the table
COMPILED: dict[str, tuple[Callable[..., Any], Through]] = {
    "compile(fullgraph=True), backward": (backward, compiled),
    "compile of func.grad": (func_grad, compiled),
    "compile of func.jvp": (jvp, compiled),
    "compile of hessian": (hessian, compiled),
    "compile of hessian, fullgraph=False": (hessian, partial(torch.compile, backend="aot_eager")),
    "compile(dynamic=True)": (value, partial(torch.compile, fullgraph=True, dynamic=True, backend="aot_eager")),
    "export, strict": (value, exported(True, False)),
    "export": (value, exported(False, False)),
    "export, any number of points": (value, exported(False, True)),
    "AOTInductor": (value, packaged),
}
