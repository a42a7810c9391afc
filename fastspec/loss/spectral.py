"""The spectral loss: a weighted sum over wavenumbers of the squared error spectrum of scattered data.

    F_k = sum_j q_j r_j exp(-i 2 pi k.x_j / period),   L = sum_k w(k) |F_k|^2,   r = pred - target

For real residuals one forward pass yields the loss and its gradient, and backward only scales: as one op (step.py)
where the call is plain, else as a composition that differentiates in any way (fused.py). Complex residuals and
gradients in points or weight go by the transforms (composed.py).

On frequencies of one's own, and in more than three dimensions, the spectrum is a direct sum: one sweep over all pairs
of points and frequencies forward, one backward, and between them nothing but F.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from .. import _check
from .._core.modes import Modes, Period
from .._core.planning import plan
from .._core.transform import Planned
from ..plan import Plan
from ..weights import focal
from .composed import composed
from .frequencies import AtFrequencies, Frequencies, at_frequencies, checked_frequencies, grid_of_wavenumbers
from .reductions import REDUCTIONS, reduction_of
from .step import LossStep, make_step
from .terms import Terms, check
from .weighing import Weighing, Weight, asks, check_weight, focal_or_values, given, weighing

NO_POINTS = "x: was given neither to the loss nor at the call, must be one or the other"


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

    weight: Weight
    quadrature: Tensor | None
    points: Tensor | None
    frequencies: Any  # as given, or a grid of wavenumbers in more than three dimensions; None where there is a plan

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
        group: Any = None,
    ) -> None:
        super().__init__()
        reduction_of(reduction)
        _check.weight(weight)
        if (modes is None) == (frequencies is None):
            raise ValueError("modes, frequencies: were both given or neither, must be one of the two")
        self.modes = None if modes is None else _check.modes(modes, most=None)
        self.period, self.eps = period, eps
        self.relative, self.reduction, self.group = relative, reduction, group
        self._keep(frequencies)
        if isinstance(weight, Tensor) and (self.modes or isinstance(self.frequencies, Tensor)):
            check_weight(weight, self.modes or tuple(self.frequencies.shape[:1]))
            self.register_buffer("weight", weight, persistent=False)
        else:
            self.weight = weight
        self.register_buffer("quadrature", quadrature, persistent=False)
        self.register_buffer("points", x if self._free else None, persistent=False)
        self.plan = None if x is None or self._free else self._plan(x)
        self._step: LossStep | None = None  # of the last plain call
        self._weighing: Weighing | None = None

    def _keep(self, frequencies: Any) -> None:
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
        return Plan(x, self.modes or (), eps=self.eps, period=self.period)

    def _planned(self, x: Tensor | None, pred: Tensor) -> Planned | AtFrequencies:
        if self._free:
            return self._at_frequencies(self.points if x is None else x, pred)
        if x is not None:
            _check.points(x)
            return plan(x, _check.wanted(x, pred, self.modes, self.eps, self.period, "centered"))
        if self.plan is None:
            raise ValueError(NO_POINTS)
        self.plan.check_precision("pred", pred)
        return self.plan.planned

    def _at_frequencies(self, x: Tensor | None, pred: Tensor) -> AtFrequencies:
        if x is None:
            raise ValueError(NO_POINTS)
        _check.coordinates("x", x, (1, 2, 3))
        k = self.frequencies if isinstance(self.frequencies, Tensor) else self.frequencies()
        _check.coordinates("frequencies", k, tuple(range(1, k.ndim + 1) if self.modes else (1, 2)))
        return at_frequencies(x, k, self.period, _check.precision(x, pred))

    def forward(self, pred: Tensor, target: Tensor, x: Tensor | None = None) -> Tensor:
        """The loss; ``x`` given here overrides the points held."""
        plan, step = self.plan, self._step
        terms = Terms(self.weight, self.quadrature, self.relative, REDUCTIONS[self.reduction], self.group)
        if x is None and plan is not None and step is not None and not torch.compiler.is_compiling():
            if not step.is_of(plan.planned, terms):
                self._step = None
            elif step.takes(pred, target):
                return step(pred, target)
        return self._unlike_the_last(pred, target, x, terms)

    def _unlike_the_last(self, pred: Tensor, target: Tensor, x: Tensor | None, terms: Terms) -> Tensor:
        """The loss of a call for which no step is ready."""
        _check.tensor("pred", pred)
        planned = self._planned(x, pred)
        check(planned, pred, target, terms.quadrature)
        if self._free or x is not None:
            return loss(planned, pred, target, terms, make_step(planned, terms))
        terms = terms._replace(weight=self._held_weight(planned))
        if torch.compiler.is_compiling():
            return loss(planned, pred, target, terms, None)
        self._step = self._step or make_step(planned, terms)
        return loss(planned, pred, target, terms, self._step)

    def _held_weight(self, planned: Any) -> Weight | Weighing:
        """What a weight has for the points held: of a fixed one its values, folded and deconvolved."""
        weight, held = self.weight, self._weighing
        if asks(weight) or (isinstance(weight, Tensor) and weight.requires_grad):
            return weight
        if held is None or not held.serves(weight, planned):
            held = self._weighing = weighing(weight, planned)
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
    group: Any = None,
) -> Tensor:
    """Functional form of SpectralLoss on the points of a plan; a weight tensor is in the plan's order.

    Args, shapes and errors: as SpectralLoss.
    """
    terms = Terms(weight, quadrature, relative, reduction_of(reduction), group)
    _check.tensor("pred", pred)
    plan.check_precision("pred", pred)
    _check.weight(weight)
    if isinstance(weight, Tensor):
        check_weight(weight, plan.modes)
    check(plan.planned, pred, target, quadrature)
    return loss(plan.planned, pred, target, terms, make_step(plan.planned, terms))


def loss(planned: Any, pred: Tensor, target: Tensor, terms: Terms, step: LossStep | None) -> Tensor:
    """By the step where there is one for a call like this, else by a composition."""
    if step is not None and step.takes(pred, target):
        return step(pred, target)
    if type(given(terms.weight)) is focal:
        valued = terms.relative or pred.is_complex() or target.is_complex()
        terms = terms._replace(weight=focal_or_values(planned, terms.weight, valued))
    return composed(planned, pred, target, terms)
