"""The sums of real residuals' rows and their gradient in one pass, as an autograd function: spread, real FFT, one pass
that deconvolves, crops, weighs, sums and leaves the gradient's spectrum, inverse FFT, interpolate.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .._core import ops
from .._core.autograd import Operation, apply, flattened, follows, merge, split, with_forward_mode
from .._core.gridding import Gridding
from .._core.ops import Rule, Sorted
from .._core.ranks import sum_
from .._core.transform import Planned
from ..reference import band_of, focal_table, padded
from ..weights import Adaptive
from .weighing import Found, Weighing, Weight, outer_product, weighing


class Pass(NamedTuple):
    """All of a pass but its tensors."""

    gridding: Gridding
    scale: float
    modes: Sequence[int]  # these three from Rule
    rule: str
    parameter: float
    adaptive: Adaptive | None  # a weight that is asked, given |F|
    group: Any
    wanted: bool  # whether the gradient is

    def linear(self) -> "Pass":
        """The pass again over other strengths, its weights found."""
        return self._replace(modes=(), rule="table", parameter=0.0, adaptive=None, wanted=True)


class Inputs(NamedTuple):
    strengths: Tensor  # (S, R, M)
    weight: Tensor  # as Rule's
    deconvolution: Any  # over the band, a tensor where the modes themselves are wanted: by adaptive weights, and ranks
    position: Tensor  # these four as Sorted
    order: Tensor
    starts: Tensor
    polynomials: Tensor
    how: Pass

    def points(self) -> Sorted:
        return Sorted(*self[3:7])


class Saved(NamedTuple):
    gradient: Tensor
    table: Tensor  # the weights used
    position: Tensor
    order: Tensor
    starts: Tensor
    polynomials: Tensor
    strengths: Any  # a tensor where a focal weight is to be found again
    deconvolution: Any  # as given

    def points(self) -> Sorted:
        return Sorted(*self[2:6])


def fused_sums(
    planned: Planned, strengths: Tensor, weight: Weight | Weighing, scale: float, group: Any
) -> tuple[Tensor, Weighing]:
    """(S, R) sums of rows (S, R, M), and the weight used."""
    gridding, points = planned.choice.gridding, planned.points
    adaptive = weight if isinstance(weight, Adaptive) else None
    used = weight if isinstance(weight, Weighing) else weighing(None if adaptive else weight, planned)
    rule = used.rule(gridding, points)
    by_modes = adaptive is not None or group is not None
    deconvolution = outer_product(gridding.deconvolution(points)) if by_modes else None
    how = Pass(gridding, scale**2, *rule[1:], adaptive, group, _gradient_wanted(strengths))
    sums, _, table = fused(strengths, rule.weight, deconvolution, *points.sorted, how)
    return sums, Found(Rule(table)) if adaptive else used


def _gradient_wanted(strengths: Tensor) -> bool:
    """Not when evaluating, nor for the target's own sum."""
    return torch.is_grad_enabled() and follows(strengths)


def fused(*inputs: Any) -> tuple[Tensor, Tensor, Tensor]:
    """As Inputs to the sums (S, R), their gradient (S, R, M), empty where not wanted, and the weights used."""
    out: tuple[Tensor, Tensor, Tensor] = apply(_Fused, 1, *inputs)
    return out


def _spectrum(strengths: Tensor, points: Sorted, deconvolution: Any, how: Pass) -> Tensor:
    """(S, R, M) to the fine spectrum as ops.weigh takes it.

    Ranks choose a fine grid each for its own points: what they sum are the modes, by which they may differ in all else.
    """
    spectrum = how.gridding.half_spectrum(points, strengths).flatten(0, 1).contiguous()
    if how.group is None:
        return spectrum
    modes = band_of(spectrum, (1, *deconvolution.shape)) * deconvolution
    return padded(sum_(modes, how.group) / deconvolution, spectrum.shape)


@with_forward_mode
class _Fused(Operation):
    """The gradient is an output, so that what is saved for backward can itself be differentiated.

    It is linear in the strengths, and its matrix symmetric: its own gradient is the same pass over the cotangent.
    """

    @staticmethod
    def raw(*inputs: Any) -> Any:
        given = Inputs(*inputs)
        strengths, how, table = given.strengths, given.how, given.weight
        spectrum = _spectrum(strengths, given.points(), given.deconvolution, how)
        if how.adaptive is not None:
            part = band_of(spectrum, table.shape).abs() * (given.deconvolution * how.scale**0.5)
            table = table * how.adaptive(torch.where(table > 0, part, 0))
        rule = Rule(table, how.modes, how.rule, how.parameter)
        sums, spectrum = ops.weigh(spectrum, rule, how.scale)
        sums = sums.to(strengths.dtype).unflatten(0, strengths.shape[:2])
        if not how.wanted:
            return sums, strengths.new_empty((*strengths.shape[:2], 0)), table.view_as(table)
        spectrum = spectrum.unflatten(0, strengths.shape[:2])
        return sums, how.gridding.half_values(given.points(), spectrum), table.view_as(table)

    forward = raw

    @staticmethod
    def saved(inputs: tuple[Any, ...], output: Any) -> tuple[Any, ...]:
        given, (_, gradient, table) = Inputs(*inputs), output
        strengths = given.strengths if given.how.rule == "focal" else None
        return Saved(gradient, table, *given.points(), strengths, given.deconvolution)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.mark_non_differentiable(output[2])
        ctx.set_materialize_grads(False)
        ctx.how = inputs[-1]
        ctx.save_for_backward(*_Fused.saved(inputs, output))

    @staticmethod
    def backward(ctx: Any, loss_grad: Tensor, gradient_grad: Tensor, _: Any) -> tuple[Tensor | None, ...]:
        held, how = Saved(*ctx.saved_tensors), ctx.how
        out = None if loss_grad is None else loss_grad.unsqueeze(-1) * held.gradient
        if gradient_grad is not None and not torch.compiler.is_compiling():
            again = fused(gradient_grad, _weights(held, how), held.deconvolution, *held.points(), how.linear())[1]
            out = again if out is None else out + again
        return out, *[None] * (len(Inputs._fields) - 1)

    @staticmethod
    def tangents(ctx: Any, tangent: Tensor, *_: Any) -> Any:
        held = Saved(*ctx.saved_tensors)
        moved = fused(tangent, _weights(held, ctx.how), held.deconvolution, *held.points(), ctx.how.linear())[1]
        return (held.gradient * tangent).sum(-1), moved, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Any, Any]:
        """Points held in common: vmap's axis joins the rows. Points of its own: it joins the sets."""
        given, batch = Inputs(*inputs), info.batch_size
        dims: Any = Inputs(*in_dims)
        points, into = given.points(), 0 if dims.position is not None else 1
        if into == 0:
            position, order, starts = (merge(t, dim, batch, 0) for t, dim in zip(points[:3], dims[3:6], strict=True))
            points = Sorted(position, order, starts, points.polynomials)
        strengths = merge(given.strengths, dims.strengths, batch, into)
        weight = (
            _merged_weight(given.weight, dims.weight, batch, into, strengths) if not given.how.modes else given.weight
        )
        sums, gradient, used = fused(strengths, weight, given.deconvolution, *points, given.how)
        apart = [split(t, into, (batch, -1)) for t in (sums, gradient)]
        if given.how.adaptive is None and weight is given.weight:
            return (*apart, used), (into, into, None)
        if len(used) == 1:
            return (*apart, used.expand(batch, 1, *used.shape[1:])), (into, into, 0)
        table = split(split(used, 0, sums.shape), into, (batch, -1)).movedim(into, 0)
        return (*apart, flattened(table, 1)), (into, into, 0)


def _merged_weight(weight: Tensor, dim: int | None, batch: int, into: int, strengths: Tensor) -> Tensor:
    """A table (1 or rows, *band) for vmap's rows too: those of strengths, whose axis ``into`` has vmap's merged."""
    if dim is None and len(weight) == 1:
        return weight
    weight = weight.expand(batch, *weight.shape) if dim is None else weight.movedim(dim, 0)
    sets, rows = (n // batch if a == into else n for a, n in enumerate(strengths.shape[:2]))
    band = weight.shape[2:]
    if weight.shape[1] == 1:
        weight = weight.unsqueeze(1).expand(batch, sets, rows, *band)
    else:
        weight = weight.reshape(batch, sets, rows, *band)
    return weight.movedim(0, into).reshape(batch * sets * rows, *band).contiguous()


def _weights(held: Saved, how: Pass) -> Tensor:
    """The table of the weights that the pass used."""
    if how.rule != "focal":
        return held.table
    spectrum = _spectrum(held.strengths.detach(), held.points(), held.deconvolution, how)
    return focal_table(spectrum, held.table, how.modes, how.parameter)
