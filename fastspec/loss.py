"""The spectral loss: a weighted sum over wavenumbers of the squared error spectrum of scattered data.

    F_k = sum_j q_j r_j exp(-i 2 pi k.x_j / period),   L = sum_k w(k) |F_k|^2,   r = pred - target

For real residuals one forward pass yields the loss and its gradient: spread, real FFT, one pass that deconvolves,
crops, weighs, sums and leaves the gradient's spectrum, inverse FFT, interpolate. Backward only scales. Only half the
spectrum is ever there, over wavenumbers -(N//2) ... N//2 of each other axis, so that even N is exact: with W the
weight, zero off the grid of modes, (W(k) + W(-k)) / 2 counts for both k and -k.

On frequencies of one's own, and in more than three dimensions, the spectrum is a direct sum: one sweep over all pairs
of points and frequencies forward, one backward, and between them nothing but F.
"""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.autograd import Function

from . import _check, _ops, distributed
from ._fallback import band_of, focal_table
from ._frequencies import AtFrequencies, Frequencies, at_frequencies, checked_frequencies, grid_of_wavenumbers
from ._transform import (
    Layout,
    Points,
    _merge,
    axis_wavenumbers,
    half_grid,
    half_spectrum,
    refuse_forward_over_forward,
    transforms_active,
)
from .nufft import Modes, Period, Plan, Planned, _plan, _precision, _type1
from .weights import Adaptive, focal

Weight = Tensor | Callable[[Tensor], Tensor] | None
NO_POINTS = "x: was given neither to the loss nor at the call, must be one or the other"
REDUCTIONS = {"mean": torch.mean, "sum": torch.sum, "none": lambda rows: rows}


class SpectralLoss(nn.Module):
    """Mean over batch and channels of sum_k w(k) |F_k|^2, with F the spectrum of pred - target.

    With N = M modes, uniform points and w = 1 this is exactly ``torch.nn.MSELoss``.

    Args:
        modes: number of wavenumbers, an int or one per dimension: k = -(N//2) ... (N-1)//2. With more than three
            dimensions the sum over them is direct.
        frequencies: in place of ``modes``: any wavenumbers k, whole or not, (K,) or (K, d) in any dimension; or a
            callable that returns them and is asked anew at each call, such as
            ``lambda: fs.weights.sample_sobolev(256, d, s)``. Gradients flow to them.
        x: points, (M,), (M, d) or (B, M, d), planned once; else given at each call.
        weight: over the wavenumbers: None for 1, a tensor (*modes) in centered order or (K,), a callable of the float
            wavenumbers (*modes, d) or (K, d), or one of ``fs.weights``.
        period: length of the periodic box, in the units of x, a float or one per dimension. At the default a wavenumber
            is in radians per unit of x.
        eps: requested relative error of the spectrum; default 1e-6 in float32 and 1e-12 in float64. Direct sums are
            exact to rounding.
        quadrature: q_j (M,), the share of space that each point stands for; default 1/M.
        relative: divide each sum by that of the target.
        reduction: "mean", "sum" or "none", over batch and channels.
        group: a torch.distributed process group over whose ranks the points are sharded. Loss and gradients are those
            of one process that holds all points.

    Shape:
        pred, target: (M,) or (..., M, C), as a network returns them; with x (B, M, d) the first axis is B. Real or
        complex. The loss has their real dtype; its shape is () or, with reduction "none", (..., C).

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """

    def __init__(
        self,
        modes: Modes | None = None,
        *,
        frequencies: Frequencies | None = None,
        x: Tensor | None = None,
        weight: Weight = None,
        period: Period = 2 * math.pi,
        eps: float | None = None,
        quadrature: Tensor | None = None,
        relative: bool = False,
        reduction: str = "mean",
        group=None,
    ):
        super().__init__()
        _check_reduction(reduction)
        _check.weight(weight)
        if (modes is None) == (frequencies is None):
            raise ValueError("modes, frequencies: were both given or neither, must be one of the two")
        self.modes = None if modes is None else _check.modes(modes, most=None)
        self.period, self.eps = period, eps
        self.relative, self.reduction, self.group = relative, reduction, group
        self._keep(frequencies)
        if isinstance(weight, Tensor) and (self.modes or isinstance(frequencies, Tensor)):
            _check_weight(weight, self.modes or tuple(frequencies.shape[:1]))
            self.register_buffer("weight", weight, persistent=False)
        else:
            self.weight = weight
        self.register_buffer("quadrature", quadrature, persistent=False)
        self.register_buffer("points", x if self._free else None, persistent=False)
        self.plan = None if x is None or self._free else self._plan(x)
        self._half_weight = None

    def _keep(self, frequencies: Frequencies | None) -> None:
        if self.modes is not None:
            self.period = _check.period(self.period, len(self.modes))
            frequencies = grid_of_wavenumbers(self.modes) if len(self.modes) > 3 else None
        elif isinstance(checked_frequencies(frequencies), Tensor):
            self.period = _check.period(self.period, 1 if frequencies.ndim == 1 else frequencies.shape[1])
        if isinstance(frequencies, Tensor) and not isinstance(frequencies, nn.Parameter):
            self.register_buffer("frequencies", frequencies, persistent=False)
        else:
            self.frequencies = frequencies

    @property
    def _free(self) -> bool:
        """Whether the sums are direct."""
        return self.frequencies is not None

    def _plan(self, x: Tensor) -> Plan:
        return Plan(x, self.modes, eps=self.eps, period=self.period)

    def _planned(self, x: Tensor | None, pred: Tensor) -> Planned | AtFrequencies:
        if self._free:
            return self._at_frequencies(self.points if x is None else x, pred)
        if x is not None:
            _check.points(x)
            return _plan(x, _precision(x, pred), self.modes, self.eps, self.period, "centered", real=True)
        plan = self.plan
        if plan is None:
            raise ValueError(NO_POINTS)
        plan._check_precision("pred", pred)
        return plan.planned

    def _at_frequencies(self, x: Tensor | None, pred: Tensor) -> AtFrequencies:
        if x is None:
            raise ValueError(NO_POINTS)
        _check.coordinates("x", x, (1, 2, 3))
        k = self.frequencies if isinstance(self.frequencies, Tensor) else self.frequencies()
        _check.coordinates("frequencies", k, tuple(range(1, k.ndim + 1) if self.modes else (1, 2)))
        return at_frequencies(x, k, self.period, _precision(x, pred))

    def forward(self, pred: Tensor, target: Tensor, x: Tensor | None = None) -> Tensor:
        """The loss; ``x`` given here overrides the points held."""
        _check.tensor("pred", pred)
        planned = self._planned(x, pred)
        weight = self.weight if self._free or x is not None else self._held_weight(planned)
        return _loss(planned, pred, target, weight, self.quadrature, self.relative, self.reduction, self.group)

    def _held_weight(self, planned: Planned):
        """What a weight has for the points held: of a fixed one its values, folded and deconvolved."""
        weight, held = self.weight, self._half_weight
        if _asks(weight) or (isinstance(weight, Tensor) and weight.requires_grad):
            return weight
        if held is None or not held.serves(planned, weight):
            held = self._half_weight = _half_weight(planned, weight)
        return held

    def extra_repr(self) -> str:
        counted = f"modes={self.modes}" if self.modes else "frequencies"
        return f"{counted}, period={self.period}, relative={self.relative}, reduction={self.reduction!r}"


def spectral_loss(
    plan: Plan,
    pred: Tensor,
    target: Tensor,
    weight: Weight = None,
    *,
    quadrature: Tensor | None = None,
    relative: bool = False,
    reduction: str = "mean",
    group=None,
) -> Tensor:
    """Functional form of SpectralLoss on the points of a plan; a weight tensor is in the plan's order.

    Args, shapes and errors: as SpectralLoss.
    """
    _check_reduction(reduction)
    _check.tensor("pred", pred)
    plan._check_precision("pred", pred)
    _check.weight(weight)
    if isinstance(weight, Tensor):
        _check_weight(weight, plan.modes)
    return _loss(plan.planned, pred, target, weight, quadrature, relative, reduction, group)


# --- from users' shapes to rows ---------------------------------------------------------------------------------------


def _check_reduction(reduction: str) -> None:
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction: was {reduction!r}, must be 'mean', 'sum' or 'none'")


def _check_weight(weight: Tensor, modes: tuple[int, ...]) -> None:
    if tuple(weight.shape) != modes:
        raise ValueError(f"weight: shape was {tuple(weight.shape)}, must be {modes}, the modes'")
    if weight.is_complex():
        raise TypeError(f"weight: dtype was {weight.dtype}, must be real")


def _check_pair(pred: Tensor, target: Tensor, planned: Planned | AtFrequencies) -> None:
    for name, value in (("pred", pred), ("target", target)):
        _check.data(name, value, planned.x)
    if pred.shape != target.shape:
        raise ValueError(f"target: shape was {tuple(target.shape)}, must be pred's, {tuple(pred.shape)}")
    count, axis = planned.x.shape[1], -1 if pred.ndim == 1 else -2
    if count == 0:
        raise ValueError("x: had no points, must have at least one")
    if pred.ndim == 0 or pred.shape[axis] != count:
        raise ValueError(f"pred: shape was {tuple(pred.shape)}, must be ({count},) or (..., {count}, C)")
    if planned.batched and (pred.ndim < 3 or pred.shape[0] != planned.x.shape[0]):
        raise ValueError(f"pred: shape was {tuple(pred.shape)}, must be ({planned.x.shape[0]}, ..., {count}, C)")


def _rows(values: Tensor, planned: Planned) -> Tensor:
    """(M,) or (..., M, C) to strengths (S, R, M)."""
    values = values if values.ndim == 1 else values.movedim(-1, -2)
    sets, count = planned.x.shape[:2]
    return values.reshape(sets, -1, count)


def _loss(planned: Planned, pred, target, weight, quadrature, relative, reduction, group) -> Tensor:
    _check_pair(pred, target, planned)
    if quadrature is not None:
        _check.data("quadrature", quadrature, planned.x, real=True)
        _check.trailing("quadrature", quadrature, [planned.x.shape[1]])
    if type(_given(weight)) is focal:
        weight = _focal(planned, weight, relative or pred.is_complex() or target.is_complex())
    adapts = relative and isinstance(_given(weight), Adaptive)  # to pred's error, for the target's sum too
    if adapts or group is not None or not _is_plain(planned, pred, target, weight):
        return _composed(planned, weight, quadrature, relative, reduction, group, pred, target)
    if not isinstance(weight, _HalfWeight):
        weight = _half_weight(planned, weight)
    step = partial(_step, planned, weight, quadrature)
    if not relative:
        return step(reduction, pred, target)
    return REDUCTIONS[reduction](step("none", pred, target) / step("none", target, torch.zeros_like(target)))


def _composed(planned: Planned, weight, quadrature, relative, reduction, group, pred, target) -> Tensor:
    """The loss for any input, and differentiable in any way."""
    dtype = planned.x.dtype
    dtype = dtype if not pred.is_complex() and not target.is_complex() else torch.promote_types(dtype, torch.complex32)
    strengths = _rows(pred.to(dtype) - target.to(dtype), planned)
    if quadrature is None:
        scale = 1 / distributed.point_count(planned.x.shape[1], pred.device, group)
    else:
        quadrature = quadrature.to(strengths.real.dtype)
        scale, strengths = 1.0, strengths * quadrature
    sums = _transformed_sums if strengths.is_complex() or _needs_transforms(planned, weight) else _fused_sums
    above, used = sums(planned, strengths, weight, scale, group)
    if relative:
        below = _rows(target.to(dtype), planned)
        below = below if quadrature is None else below * quadrature
        above = above / sums(planned, below, used, scale, group)[0]
    shape = pred.shape[:0] if pred.ndim == 1 else (*pred.shape[:-2], pred.shape[-1])
    out = REDUCTIONS[reduction](above.reshape(shape))
    return out.to(pred.real.dtype if pred.is_complex() else pred.dtype)


def _needs_transforms(planned: Planned, weight) -> bool:
    if isinstance(planned, AtFrequencies) or planned.x.requires_grad:
        return True
    return isinstance(weight, Tensor) and weight.requires_grad


def _weight_tensor(weight: Weight, layout: Layout, like: Tensor) -> Tensor:
    """The weight over the modes (*modes), in the layout's order."""
    if isinstance(weight, Tensor):
        return weight.to(like.device, like.real.dtype)
    if weight is None:
        return torch.ones(layout.modes, dtype=like.real.dtype, device=like.device)
    values = weight(_wavenumbers(layout, like))
    _check.tensor("weight(k)", values)
    _check_weight(values, layout.modes)
    return values.to(like.device, like.real.dtype)


def _wavenumbers(layout: Layout, like: Tensor) -> Tensor:
    """(*modes, d), in the precision of ``like``."""
    if not isinstance(layout, Layout):
        return layout.k.to(like.real.dtype)
    axes = [axis_wavenumbers(n, layout.centered, like.device).to(like.real.dtype) for n in layout.modes]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)


# --- by transforms: complex residuals, gradients in the points or the weight ------------------------------------------


def _transformed_sums(planned: Planned, strengths: Tensor, weight, scale: float, group) -> tuple[Tensor, Tensor]:
    """(S, R) sums by the public transforms, and the weight used."""
    spectrum = distributed.differentiable_sum(_modes(planned, strengths) * scale, group)
    if isinstance(weight, Adaptive):
        modes = spectrum.flatten(0, 1)
        weight = weight(modes.detach().abs()).reshape(spectrum.shape)
    elif isinstance(weight, _HalfWeight):
        weight = weight.modes
    elif not isinstance(weight, Tensor) or weight.ndim == planned.layout.dim:
        weight = _weight_tensor(weight, planned.layout, strengths)
    power = spectrum.real.square() + spectrum.imag.square()
    return (weight * power).flatten(2).sum(-1), weight


def _modes(planned: Planned | AtFrequencies, strengths: Tensor) -> Tensor:
    if isinstance(planned, AtFrequencies):
        return planned.spectrum(strengths)
    return _type1(planned._replace(batched=True), strengths, -1, real=False)


# --- in one op: real residuals in plain eager code --------------------------------------------------------------------


def _is_plain(planned: Planned, pred: Tensor, target: Tensor, weight) -> bool:
    """Whether the step can be one op: real, eager, in reverse mode, its weight not one that asks for |F|."""
    return (
        pred.dtype == planned.x.dtype == target.dtype
        and pred.device.type == "cpu"
        and not _asks(weight)
        and not _needs_transforms(planned, weight)
        and not torch.compiler.is_compiling()
        and not transforms_active()
    )


def _step(planned: Planned, weight: "_HalfWeight", quadrature, reduction: str, pred: Tensor, target: Tensor) -> Tensor:
    count = planned.x.shape[1]
    composed = partial(_composed, planned, weight, quadrature, False, reduction, None)
    if quadrature is not None:
        quadrature = quadrature.detach().to(pred.dtype).contiguous()
    scale = 1.0 if quadrature is not None else 1 / count**2
    if reduction == "mean":
        scale *= count / pred.numel()
    step = _direct_step if planned.layout.direct_step else _gridded_step
    step = step(planned, weight, quadrature, scale, reduction != "none")
    if torch.is_grad_enabled() and (pred.requires_grad or target.requires_grad):
        return _Step.apply(pred, target, composed, step)
    return step(pred.contiguous(), target.contiguous(), slope=False)[0]


def _gridded_step(planned: Planned, weight: "_HalfWeight", quadrature, scale: float, reduce: bool):
    """Of pred and target, contiguous, to loss and gradient."""
    layout = planned.layout
    fixed = *planned.points[:4], weight.deconvolved(planned), layout.cells, layout.tile, scale, reduce
    focused = {"modes": weight.modes, "alpha": weight.weight.alpha} if isinstance(weight, _FocalWeight) else {}
    return lambda pred, target, slope: _ops.loss_step(pred, target, quadrature, *fixed, slope, **focused)


def _direct_step(planned: Planned, weight: "_HalfWeight", quadrature, scale: float, reduce: bool):
    """As _gridded_step."""
    layout, x = planned.layout, planned.x.detach().contiguous()
    alpha = weight.weight.alpha if isinstance(weight, _FocalWeight) else None
    fixed = x, weight.folded, layout.modes, layout.period, scale, reduce
    return lambda pred, target, slope: _ops.direct_loss_step(pred, target, quadrature, *fixed, slope, alpha)


class _Step(Function):
    """Loss and gradient in one op and one node of the graph. The second derivative is that of ``composed``."""

    @staticmethod
    def forward(ctx, pred, target, composed, step):
        loss, gradient = step(pred.contiguous(), target.contiguous(), slope=True)
        ctx.composed = composed
        ctx.save_for_backward(pred, target, gradient)
        return loss

    @staticmethod
    def backward(ctx, grad):
        pred, target, gradient = ctx.saved_tensors
        wanted = ctx.needs_input_grad[:2]
        if torch.is_grad_enabled():
            inputs = [t for t, needed in zip((pred, target), wanted, strict=True) if needed]
            grads = iter(torch.autograd.grad(ctx.composed(pred, target), inputs, grad, create_graph=True))
            return *(next(grads) if needed else None for needed in wanted), None, None
        out = (grad.unsqueeze(-2) if grad.ndim else grad) * gradient
        return out if wanted[0] else None, -out if wanted[1] else None, None, None


# --- fused: real residuals --------------------------------------------------------------------------------------------


class _HalfWeight:
    """A weight folded onto half the modes, as _ops.weigh takes it, (1 or S R, K, *band)."""

    def __init__(self, planned: Planned, weight: Weight):
        self.weight, self.version, self.layout = weight, _version(weight), planned.layout
        self.modes = _weight_tensor(weight, planned.layout, planned.points.factors)
        self.folded = _fold(self.modes, planned.layout).unsqueeze(0)
        self.table = None

    def deconvolved(self, planned: Planned) -> Tensor:
        """With the window's deconvolution in it, for the fine spectrum."""
        if self.table is None:
            self.table = self.folded * _deconvolution(planned).square()
        return self.table

    def serves(self, planned: Planned, weight: Weight) -> bool:
        """Whether it was made from this weight, unchanged since, for this plan."""
        factors = planned.points.factors
        return (
            self.weight is weight
            and self.version == _version(weight)
            and self.layout == planned.layout
            and self.folded.device == factors.device
            and self.folded.dtype == factors.dtype
        )


class _FocalWeight(_HalfWeight):
    """What _ops.weigh_focal finds the weight from: the deconvolution's factors, squared, in place of a table."""

    def __init__(self, planned: Planned, weight: focal):
        self.weight, self.version, self.layout = weight, 0, planned.layout
        self.modes = list(reversed(planned.layout.modes))
        self.table = torch.cat(_deconvolution_axes(planned)).square()
        self.folded = torch.ones_like(self.table)


def _half_weight(planned: Planned, weight: Weight) -> _HalfWeight:
    return (_FocalWeight if type(weight) is focal else _HalfWeight)(planned, weight)


def _asks(weight: Weight | _HalfWeight) -> bool:
    """Whether it must be given |F|. A subclass of focal may be any function of it."""
    return isinstance(weight, Adaptive) and type(weight) is not focal


def _given(weight: "Weight | _HalfWeight") -> Weight:
    return weight.weight if isinstance(weight, _HalfWeight) else weight


def _focal(planned: Planned | AtFrequencies, weight: "focal | _FocalWeight", valued: bool) -> "focal | _FocalWeight":
    """As found from the spectrum while it is weighed, unless its values are wanted."""
    if valued or transforms_active() or torch.compiler.is_compiling() or _needs_transforms(planned, weight):
        return _given(weight)
    return weight if isinstance(weight, _FocalWeight) else _FocalWeight(planned, weight)


def _version(weight: Weight) -> int:
    return weight._version if isinstance(weight, Tensor) else 0


def _fold(weight: Tensor, layout: Layout) -> Tensor:
    """(*modes) to (W(k) + W(-k)) / 2 over k_last = 0 ... N//2, axes reversed, the others in FFT order."""
    if not layout.centered:
        weight = torch.fft.fftshift(weight)
    missing = [1 - n % 2 for n in reversed(layout.modes)]  # +N/2 of an even axis
    padded = nn.functional.pad(weight, [size for m in missing for size in (0, m)])
    folded = (padded + padded.flip(list(range(layout.dim)))) / 2
    folded = folded[..., layout.modes[-1] // 2 :]
    others = list(range(layout.dim - 1))
    return (torch.fft.ifftshift(folded, dim=others) if others else folded).permute(_reversed(layout.dim)).contiguous()


def _reversed(dim: int) -> list[int]:
    return list(range(dim - 1, -1, -1))


def _deconvolution(planned: Planned) -> Tensor:
    """The window's deconvolution over the band of _fold, (K, *band)."""
    product, *axes = _deconvolution_axes(planned)
    for axis in axes:
        product = product.unsqueeze(-1) * axis
    return product


def _deconvolution_axes(planned: Planned) -> list[Tensor]:
    layout, axes = planned.layout, []
    for n, factors in zip(layout.modes, planned.points.factors.split(list(layout.modes)), strict=True):
        one_sided = factors[: n // 2 + 1]
        one_sided = one_sided.flip(0) if layout.centered else one_sided
        axes.append(torch.cat([one_sided, one_sided[1:].flip(0)]))
    return [axes[-1][: layout.modes[-1] // 2 + 1], *reversed(axes[:-1])]


def _fused_sums(planned: Planned, strengths: Tensor, weight, scale: float, group) -> tuple[Tensor, _HalfWeight]:
    """(S, R) sums by the fused pass, and the weight used."""
    if isinstance(weight, _FocalWeight):
        static = (planned.layout, scale**2, weight, group, _gradient_wanted(strengths))
        return _fused(strengths, weight.deconvolved(planned), None, *planned.points[:4], *static)[0], weight
    adaptive = weight if isinstance(weight, Adaptive) else None
    if not isinstance(weight, _HalfWeight):
        weight = _HalfWeight(planned, None if adaptive else weight)
    magnitude = _deconvolution(planned) * scale if adaptive else None
    static = (planned.layout, scale**2, adaptive, group, _gradient_wanted(strengths))
    loss, _, used = _fused(strengths, weight.deconvolved(planned), magnitude, *planned.points[:4], *static)
    if adaptive:
        weight.table = used
    return loss, weight


def _gradient_wanted(strengths: Tensor) -> bool:
    """Not when evaluating, nor for the target's own sum."""
    return (torch.is_grad_enabled() and strengths.requires_grad) or torch.autograd.forward_ad._current_level >= 0


def _fused_raw(
    strengths, table, magnitude, position, order, starts, polynomials, layout: Layout, scale, adaptive, group, wanted
):
    """(S, R, M) to the sums (S, R), their gradient (S, R, M), empty where not wanted, and the table of weights used.

    ``magnitude`` turns what is in the spectrum into the modes F, for adaptive weights.
    """
    spectrum = _half_spectrum(strengths, position, order, starts, polynomials, layout, group)
    if isinstance(adaptive, _FocalWeight):
        sums, spectrum = _ops.weigh_focal(spectrum, table, adaptive.modes, scale, adaptive.weight.alpha)
    else:
        if adaptive is not None:
            table = table * adaptive(torch.where(table > 0, band_of(spectrum, table.shape).abs() * magnitude, 0))
        sums, spectrum = _ops.weigh(spectrum, table, scale)
    sums = sums.to(strengths.dtype).unflatten(0, strengths.shape[:2])
    if not wanted:
        return sums, strengths.new_empty((*strengths.shape[:2], 0)), table.view_as(table)
    fine = spectrum.unflatten(0, strengths.shape[:2]).permute(0, 1, *_half_axes(layout))
    grid = half_grid(layout, fine).contiguous()
    return sums, _ops.interpolate(position, order, starts, polynomials, grid, layout.tile), table.view_as(table)


def _half_spectrum(strengths, position, order, starts, polynomials, layout: Layout, group) -> Tensor:
    """(S, R, M) to the fine spectrum as _ops.weigh takes it."""
    points = Points(position, order, starts, polynomials, None, None)
    fine = distributed.sum_(half_spectrum(points, layout, strengths.contiguous()), group)
    return fine.permute(0, 1, *_half_axes(layout)).flatten(0, 1).contiguous()


def _half_axes(layout: Layout) -> list[int]:
    return [2 + axis for axis in _reversed(layout.dim)]


def _fused(strengths: Tensor, *rest):
    """_fused_raw, differentiable in the strengths; see _transform._apply."""
    if not torch.compiler.is_compiling():
        return _ForwardFused.apply(strengths, *rest)
    if torch.is_grad_enabled() and strengths.requires_grad:
        return _Fused.apply(strengths, *rest)
    return _fused_raw(strengths, *rest)


class _Fused(Function):
    """The gradient is an output, so that what is saved for backward can itself be differentiated.

    It is linear in the strengths, and its matrix symmetric: its own gradient is the same pass over the cotangent.
    """

    @staticmethod
    def forward(*args):
        return _fused_raw(*args)

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, gradient, table = output
        ctx.mark_non_differentiable(table)
        ctx.set_materialize_grads(False)
        ctx.static = inputs[7], inputs[8], None, inputs[10], True
        ctx.focal = inputs[9] if isinstance(inputs[9], _FocalWeight) else None
        ctx.save_for_backward(gradient, table, *inputs[3:7], *inputs[: ctx.focal is not None])

    @staticmethod
    def backward(ctx, loss_grad, gradient_grad, _):
        gradient, table, *points = ctx.saved_tensors
        out = None if loss_grad is None else loss_grad.unsqueeze(-1) * gradient
        if gradient_grad is not None and not torch.compiler.is_compiling():
            if ctx.focal:
                spectrum = _half_spectrum(points.pop().detach(), *points, ctx.static[0], ctx.static[3])
                table = focal_table(spectrum, table, ctx.focal.modes, ctx.focal.weight.alpha)
            again = _fused(gradient_grad, table, None, *points, *ctx.static)[1]
            out = again if out is None else out + again
        return (out, *[None] * 11)

    @staticmethod
    def vmap(info, in_dims, strengths, table, magnitude, *rest):
        points, static, batch = rest[:4], rest[4:], info.batch_size
        own_points = in_dims[3] is not None
        if own_points:
            points = (*[_merge(t, dim, batch, 0) for t, dim in zip(points[:3], in_dims[3:6], strict=True)], points[3])
        into = 0 if own_points else 1
        sums, gradient, used = _fused(_merge(strengths, in_dims[0], batch, into), table, magnitude, *points, *static)
        apart = [t.unflatten(into, (batch, -1)) for t in (sums, gradient)]
        if static[2] is None:
            return (*apart, used), (into, into, None)
        rows = used.unflatten(0, sums.shape).unflatten(into, (batch, -1)).movedim(into, 0).flatten(1, 2)
        return (*apart, rows), (into, into, 0)


class _ForwardFused(_Fused):
    @staticmethod
    def setup_context(ctx, inputs, output):
        _Fused.setup_context(ctx, inputs, output)
        ctx.save_for_forward(*output[1:], *inputs[3:7])

    @staticmethod
    def jvp(ctx, tangent, *_):
        refuse_forward_over_forward()
        gradient, table, *points = ctx.saved_tensors
        return (gradient * tangent).sum(-1), _fused(tangent, table, None, *points, *ctx.static)[1], None
