"""The loss's step on real residuals as one op and one node of the graph, by the algorithm that the planner chose."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from .._core.autograd import TypedFunction, follows, levels, transforms_active
from .._core.ops import Residual, Rule, Sorted
from .._core.plain import version
from .._core.planning import overridden
from .._core.points import Points
from .._core.transform import Algorithm, Planned
from ..weights import Adaptive
from .composed import composed
from .frequencies import AtFrequencies
from .reductions import REDUCTIONS
from .terms import Terms
from .weighing import Weighing, asks, given, wants_transforms, weighing


class LossStep(NamedTuple):
    """From pred and target to the loss, for one plan and its terms."""

    planned: Planned
    terms: Terms  # as the user gave them
    weighing: Weighing
    rule: Rule

    def is_of(self, planned: Planned, terms: Terms) -> bool:
        """Whether it was made for these, unchanged since."""
        weight, quadrature = terms.weight, terms.quadrature
        return (
            self.planned is planned
            and all([a is b for a, b in zip(self.terms, terms, strict=True)])
            and not (isinstance(weight, Tensor) and self._has_moved(weight))
            and not (quadrature is not None and quadrature.requires_grad)
        )

    def _has_moved(self, weight: Tensor) -> bool:
        return weight.requires_grad or version(weight) != self.weighing.version

    def takes(self, pred: Tensor, target: Tensor) -> bool:
        """Whether the call is plain: real, eager, in reverse mode, of what the plan's points go with."""
        x = self.planned.points.x
        return (
            isinstance(pred, Tensor)
            and isinstance(target, Tensor)
            and pred.dtype == x.dtype == target.dtype
            and pred.shape == target.shape
            and pred.device == x.device == target.device
            and _fits(pred.shape, self.planned)
            and overridden.step is None
            and not (levels() if torch.compiler.is_compiling() else transforms_active())
        )

    def __call__(self, pred: Tensor, target: Tensor) -> Tensor:
        reduction = self.terms.reduction
        if self.terms.relative:
            above, below = self._sums(pred, target, False), self._sums(target, torch.zeros_like(target), False)
            return reduction.apply(above / below)
        value = self._sums(pred, target, reduction.adds)
        return value if reduction.adds else reduction.apply(value)

    def _sums(self, pred: Tensor, target: Tensor, reduces: bool) -> Tensor:
        """Of the rows; reduced where the op is to do it."""
        if torch.compiler.is_compiling():
            return _traced(self, pred, target, reduces)
        if torch.is_grad_enabled() and (pred.requires_grad or target.requires_grad):
            sums: Tensor = _Step.apply(pred, target, self, reduces)
            return sums
        return self.run(pred, target, reduces, False)[0]

    def run(self, pred: Tensor, target: Tensor, reduces: bool, wanted: bool) -> tuple[Tensor, Tensor]:
        """The sums and, where wanted, their gradient in pred."""
        count, quadrature = self.planned.points.x.shape[1], self.terms.quadrature
        scale = 1 / count**2 if quadrature is None else 1.0
        if quadrature is not None:
            quadrature = quadrature.detach().to(pred.dtype).contiguous()
        if reduces and self.terms.reduction.divides:
            scale *= count / pred.numel()
        residual = Residual(pred.contiguous(), target.contiguous(), quadrature, reduces, wanted)
        return self.planned.choice.step.step(self.planned.points, residual, self.rule, scale)


def make_step(planned: Planned | AtFrequencies, terms: Terms) -> LossStep | None:
    """None where the step can't be one op: with a weight that asks for |F| or wants a gradient, or by direct sums off
    the CPU.
    """
    weight = given(terms.weight)
    if (
        isinstance(planned, AtFrequencies)
        or terms.group is not None
        or not planned.choice.step.steps_on(planned.points.x.device)
        or asks(weight)
        or (terms.relative and isinstance(weight, Adaptive))  # adapts to pred's error, for the target's sum too
        or wants_transforms(planned, weight)
        or (terms.quadrature is not None and (terms.quadrature.ndim > 1 or follows(terms.quadrature)))
        or overridden.step == "composed"
    ):
        return None
    ready = weighing(terms.weight, planned)
    return LossStep(planned, terms._replace(weight=weight), ready, ready.rule(planned.choice.step, planned.points))


def _fits(shape: torch.Size, planned: Planned) -> bool:
    """Whether it is (M,) or (..., M, C), with point sets (B, ..., M, C)."""
    count, sets = planned.points.x.shape[1], planned.sets
    if len(shape) < 2:
        return shape == (count,) and count > 0 and not sets
    if shape[-2] != count or 0 in shape:
        return False
    return not sets or (len(shape) > len(sets) + 1 and shape[: len(sets)] == sets)


class _Step(TypedFunction):
    """Sums and gradient in one op. The second derivative is that of the composition."""

    @staticmethod
    def forward(ctx: Any, pred: Tensor, target: Tensor, step: LossStep, reduces: bool) -> Tensor:
        sums, gradient = step.run(pred, target, reduces, True)
        ctx.step, ctx.reduces = step, reduces
        ctx.save_for_backward(pred, target, gradient)
        return sums

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        pred, target, gradient = ctx.saved_tensors
        wanted = ctx.needs_input_grad[:2]
        if torch.is_grad_enabled():
            inputs = [t for t, needed in zip((pred, target), wanted, strict=True) if needed]
            terms = ctx.step.terms._replace(weight=ctx.step.weighing, relative=False)
            terms = terms if ctx.reduces else terms._replace(reduction=REDUCTIONS["none"])
            value = composed(ctx.step.planned, pred, target, terms)
            grads = iter(torch.autograd.grad(value, inputs, grad, create_graph=True))
            return *(next(grads) if needed else None for needed in wanted), None, None
        out = (grad.unsqueeze(-2) if grad.ndim else grad) * gradient
        return out if wanted[0] else None, -out if wanted[1] else None, None, None


# --- under torch.compile: it finds tensors only where they are arguments, and keeps a number among them as it is ----


class _How(NamedTuple):
    algorithm: Algorithm
    rule: tuple[Any, ...]  # but for its weight
    reduces: bool


def _traced(step: LossStep, pred: Tensor, target: Tensor, reduces: bool) -> Tensor:
    """What LossStep.run does, with all that depends on a number of points or rows taken out of the op."""
    points, terms = step.planned.points, step.terms
    wanted = torch.is_grad_enabled() and (pred.requires_grad or target.requires_grad)
    quadrature = None if terms.quadrature is None else terms.quadrature.detach().to(pred.dtype).contiguous()
    how = _How(step.planned.choice.step, tuple(step.rule[1:]), reduces)
    tensors = pred.contiguous(), target.contiguous(), quadrature, step.rule.weight, points.x.detach(), *points.sorted
    sums: Tensor = (_TracedStep.apply(*tensors, how) if wanted else _run(*tensors, how, False))[0]
    count = points.x.shape[1]
    if quadrature is None:
        sums = sums / count**2
    return sums * (count / pred.numel()) if reduces and terms.reduction.divides else sums


def _run(
    pred: Tensor, target: Tensor, quadrature: Tensor | None, weight: Tensor, x: Tensor, *rest: Any
) -> tuple[Tensor, Tensor]:
    *places, how, wanted = rest
    residual = Residual(pred, target, quadrature, how.reduces, wanted)
    algorithm: Algorithm = how.algorithm
    return algorithm.step(Points(x, Sorted(*places)), residual, Rule(weight, *how.rule), 1.0)


class _TracedStep(TypedFunction):
    @staticmethod
    def forward(*inputs: Any) -> tuple[Tensor, Tensor]:
        return _run(*inputs, True)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(output[1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Any) -> tuple[Tensor | None, ...]:
        out = (grad.unsqueeze(-2) if grad.ndim else grad) * ctx.saved_tensors[0]
        return out, -out, *[None] * 8
