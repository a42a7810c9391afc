"""The loss's step on real residuals as one op and one node of the graph, by the algorithm that the planner chose."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from .._core.autograd import transforms_active
from .._core.ops import Residual, Rule
from .._core.planned import Planned
from .._core.planning import step_may_be_one_op
from .composed import composed
from .reductions import REDUCTIONS
from .terms import Terms
from .weighing import asks, wants_transforms, weighing


def serves(planned: Planned, pred: Tensor, target: Tensor, terms: Terms) -> bool:
    """Whether the step can be one op: real, eager, in reverse mode, its weight not one that asks for |F|."""
    return (
        terms.group is None
        and not wants_transforms(planned, terms.weight)
        and pred.dtype == planned.x.dtype == target.dtype
        and pred.device.type == "cpu"
        and not asks(terms.weight)
        and not torch.compiler.is_compiling()
        and not transforms_active()
        and step_may_be_one_op()
    )


def loss_by_step(planned: Planned, pred: Tensor, target: Tensor, terms: Terms) -> Tensor:
    reduction, relative = terms.reduction, terms.relative
    terms = terms._replace(weight=weighing(terms.weight, planned), relative=False)
    if not relative:
        step = make_step(planned, pred, terms)
        value = step(pred, target)
        return value if step.reduces else reduction.apply(value)
    step = make_step(planned, pred, terms._replace(reduction=REDUCTIONS["none"]))
    return reduction.apply(step(pred, target) / step(target, torch.zeros_like(target)))


class LossStep(NamedTuple):
    """From pred and target to the loss or, where it does not reduce, to the sums of rows."""

    planned: Planned
    terms: Terms
    rule: Rule
    quadrature: Tensor | None
    scale: float
    reduces: bool

    def __call__(self, pred: Tensor, target: Tensor) -> Tensor:
        if torch.is_grad_enabled() and (pred.requires_grad or target.requires_grad):
            return _Step.apply(pred, target, self)
        return self.run(pred, target, False)[0]

    def run(self, pred: Tensor, target: Tensor, wanted: bool) -> tuple[Tensor, Tensor]:
        """The value and, where wanted, its gradient in pred."""
        residual = Residual(pred.contiguous(), target.contiguous(), self.quadrature, self.scale, self.reduces)
        return self.planned.choice.step.step(self.planned.points, residual, self.rule, wanted)


def make_step(planned: Planned, pred: Tensor, terms: Terms) -> LossStep:
    count, quadrature, share = planned.x.shape[1], terms.quadrature, terms.reduction.share
    scale = 1 / count**2 if quadrature is None else 1.0
    if quadrature is not None:
        quadrature = quadrature.detach().to(pred.dtype).contiguous()
    if share is not None:
        scale *= share(pred.numel() // count)
    rule = terms.weight.rule(planned.choice.step, planned.points)
    return LossStep(planned, terms, rule, quadrature, scale, share is not None)


class _Step(Function):
    """Loss and gradient in one op. The second derivative is that of the composition."""

    @staticmethod
    def forward(ctx, pred, target, step: LossStep):
        loss, gradient = step.run(pred, target, True)
        ctx.step = step
        ctx.save_for_backward(pred, target, gradient)
        return loss

    @staticmethod
    def backward(ctx, grad):
        pred, target, gradient = ctx.saved_tensors
        wanted = ctx.needs_input_grad[:2]
        if torch.is_grad_enabled():
            inputs = [t for t, needed in zip((pred, target), wanted, strict=True) if needed]
            value = composed(ctx.step.planned, pred, target, ctx.step.terms)
            grads = iter(torch.autograd.grad(value, inputs, grad, create_graph=True))
            return *(next(grads) if needed else None for needed in wanted), None
        out = (grad.unsqueeze(-2) if grad.ndim else grad) * gradient
        return out if wanted[0] else None, -out if wanted[1] else None, None
