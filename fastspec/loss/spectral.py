"""The spectral loss: a weighted sum over wavenumbers of the squared error spectrum of scattered data.

    F_k = sum_j q_j r_j exp(-i 2 pi k.x_j / period),   L = sum_k w(k) |F_k|^2,   r = pred - target

For real residuals one forward pass yields the loss and its gradient, and backward only scales: as one op (step.py)
where the call is plain, else as a composition that differentiates in any way (fused.py). Complex residuals and
gradients in points or weight go by the transforms (composed.py).

On frequencies of one's own, and in more than three dimensions, the spectrum is a direct sum: one sweep over all pairs
of points and frequencies forward, one backward, and between them nothing but F.
"""

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.modules.loss import _Loss

from .. import _check
from .._box import period_of
from .._core.autograd import follows
from .._core.modes import Modes, Period, wavenumbers
from .._core.plain import versioned, without_autocast
from .._core.planning import plan
from .._core.transform import Planned
from .._data import Given, numbers, points
from .._notebook import Shown, Table
from ..plan import Plan
from ..weights import Adaptive, focal, lfp
from .band import warn_of_band
from .composed import composed
from .frequencies import (
    AtFrequencies,
    Frequencies,
    Wavenumbers,
    at_frequencies,
    checked_frequencies,
    grid_of_wavenumbers,
)
from .picture import MOST_DRAWN, draw_weight
from .reductions import REDUCTIONS, reduction_of
from .step import LossStep, make_step
from .terms import Terms, at_points, check
from .weighing import (
    FIXED,
    Weighing,
    Weight,
    asks,
    check_weight,
    focal_or_values,
    given,
    is_fixed,
    weighing,
    weight_values,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NO_POINTS = "x: was given neither to the loss nor at the call, must be one or the other"


class SpectralLoss(_Loss, Shown):
    """Mean over batch and channels of sum_k w(k) |F_k|^2, with F the spectrum of pred - target.

    With N = M modes, uniform points and w = 1 this is exactly ``torch.nn.MSELoss``.

    Args:
        modes: number of wavenumbers, an int for all dimensions or one for each: k = -(N//2) ... (N-1)//2. With more
            than three dimensions the sum over them is direct.
        frequencies: in place of ``modes``: any wavenumbers k, whole or not, (K,) or (K, d) in any dimension; or a
            callable that returns them and is asked anew at each call, such as
            ``lambda: fs.weights.sample_sobolev(256, d, s)``. Gradients flow to them.
        x: points, (M,), (M, d) or (..., M, d), planned once: a tensor, an array, a Series or times (days since 1970);
            else a tensor given at each call. Held tensors changed in place are sorted again, as ``Plan`` says.
        weight: over the wavenumbers: None for 1, a tensor (*modes) in centered order or (K,), a callable of the float
            wavenumbers (*modes, d) or (K, d), or one of ``fs.weights``. A callable is asked at each call, and gradients
            flow to its parameters, as to a tensor that requires them.
        period: length of the periodic box, in the units of x, a float or one per dimension. At the default a wavenumber
            is in radians per unit of x. "data" is the extent of the points held and one mean gap, which leaves no seam.
        eps: requested relative error of the spectrum; default 1e-6 in float32 and 1e-12 in float64. Direct sums are
            exact to rounding.
        quadrature: q_j (M,), or (..., M) for each of x's sets its own, the share of space that each point stands for;
            default 1/M. Zeros leave points out: sets of unequal size are padded, jagged tensors by
            ``to_padded_tensor(0.0)``, and a mask of theirs gives it: ``mask / mask.sum(-1, keepdim=True)``. Gradients
            flow to it.
        relative: divide each sum by that of the target.
        reduction: "mean", "sum" or "none", over batch and channels.
        group: a torch.distributed process group over whose ranks the points are sharded. Loss and gradients at the
            rank's own points are those of one process that holds all points, however many each rank has, if any. Ranks
            that disagree on modes, period, eps, precision or the shape of pred raise, all of them.
            ``DistributedDataParallel`` and FSDP then average over ranks what is to be summed: multiply the loss that
            is differentiated by the number of ranks, ``(group.size() * loss(pred, target)).backward()``.
        channels: "last", or "first" where pred and target are (B, C, M) or images (B, C, H, W).

    Shape:
        pred, target: (M,) or (..., M, C), as a network returns them; with x (B, M, d) the first axis is B. Points on a
        grid, in row-major order, may keep its axes: (..., H, W, C). Real or complex. The loss has their real dtype, and
        under autocast float32; its shape is () or, with reduction "none", (..., C).

    pred and target go with the held points one by one. A shuffled batch of as many is not told from them: give its
    points, or ``index``, the places of its rows among the points held.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """

    weight: Weight
    quadrature: Tensor | None
    points: Tensor | None
    _looked = True  # whether the target is within the band of modes; of losses pickled before it was looked at, too
    frequencies: Any  # as given, or a grid of wavenumbers in more than three dimensions; None where there is a plan

    def __init__(
        self,
        modes: Modes | None = None,
        *,
        frequencies: Frequencies | None = None,
        x: Given = None,
        weight: Weight = None,
        period: Period | str = 2 * math.pi,
        eps: float | None = None,
        quadrature: Given = None,
        relative: bool = False,
        reduction: str = "mean",
        group: Any = None,
        channels: str = "last",
    ) -> None:
        reduction_of(reduction)
        super().__init__(reduction=reduction)
        _check.weight(weight)
        if (modes is None) == (frequencies is None):
            raise ValueError("modes, frequencies: were both given or neither, must be one of the two")
        _check.choice("channels", channels, ("last", "first"))
        if x is not None:
            x = points("x", x)
            _check.coordinates("x", x)
        self._for_all = isinstance(modes, int) and x is None  # whether modes are of as many dimensions as x will have
        self.modes = (
            None if modes is None else _check.modes(modes, None if x is None else _check.dimension(x), most=None)
        )
        self.period, self.eps = self._period(period, x, group), eps
        self.relative, self.group, self.channels = _check.flag("relative", relative), group, channels
        self._keep(frequencies)
        if isinstance(weight, Tensor) and (self.modes or isinstance(self.frequencies, Tensor)):
            check_weight(weight, self.modes or tuple(self.frequencies.shape[:1]))
            self._register("weight", weight)
        else:
            self.weight = weight
        self._register("quadrature", None if quadrature is None else numbers("quadrature", quadrature))
        self._register("points", x if self._free else None)
        self.plan = None if x is None or self._free else self._plan(x)
        self._step: LossStep | None = None  # of the last plain call
        self._looked = self.plan is None or group is not None
        self._of = torch.float32  # the precision of its plan
        self._weighing: Weighing | None = None
        self._values: Tensor | None = None  # of a weight that is asked at each call, the last ones
        if self.plan is not None:
            self._held_weight(self.weight, self.plan.planned)  # before torch.compile, which keeps nothing

    def _period(self, period: Any, x: Tensor | None, group: Any) -> Any:
        """Of the points held. A rank's own may fill less of the box than all of them do."""
        held = x is not None and x.shape[-1 if x.ndim > 1 else 0]
        if x is not None and held and (self.modes is not None or isinstance(period, str)):
            return period_of(period, x, warns=group is None and self.modes is not None)
        if isinstance(period, str):
            raise ValueError(f"period: was {period!r}, must be a float or one per dimension where no x is held")
        return period

    def _register(self, name: str, value: Tensor | None) -> None:
        if isinstance(value, nn.Parameter):
            self.register_parameter(name, value)
        else:
            self.register_buffer(name, value if value is None else versioned(value))

    def _keep(self, frequencies: Any) -> None:
        if self.modes is not None:
            self.period = self.period if self._for_all else _check.period(self.period, len(self.modes))
            if len(self.modes) > 3:
                self.register_buffer("frequencies", grid_of_wavenumbers(self.modes), persistent=False)
                return
            frequencies = None
        elif isinstance(checked_frequencies(frequencies), Tensor):
            self.period = _check.period(self.period, 1 if frequencies.ndim == 1 else frequencies.shape[1])
        if isinstance(frequencies, Tensor):
            self._register("frequencies", frequencies)
        else:
            self.frequencies = frequencies

    @property
    def _free(self) -> bool:
        """Whether the sums are direct."""
        return self.frequencies is not None

    @property
    def _algorithm(self) -> str:
        """Of ranks the same, whose precision must not depend on how many points each has."""
        return "auto" if self.group is None else "gridding"

    def _plan(self, x: Tensor) -> Plan:
        return Plan(x, self.modes or (), eps=self.eps, period=self.period, algorithm=self._algorithm)

    def _planned(self, x: Tensor | None, pred: Tensor, target: Tensor) -> Planned | AtFrequencies:
        if self._free:
            return self._at_frequencies(self.points if x is None else x, pred)
        if x is not None:
            _check.points(x)
            modes: Any = self.modes[0] if self._for_all and self.modes else self.modes
            wanted = _check.wanted(x, None, modes, self.eps, self.period, "centered", self._algorithm)
            dtype = torch.promote_types(_check.precision(x, pred), _check.precision(x, target))
            return plan(x, wanted._replace(dtype=dtype, eps=_check.eps(self.eps, dtype)))
        if self.plan is None:
            raise ValueError(NO_POINTS)
        self.plan.check_precision("pred", pred)
        self._of = self.plan.precision_for(pred, target)
        return self.plan.planned_for(self._of)

    def _at_frequencies(self, x: Tensor | None, pred: Tensor) -> AtFrequencies:
        if x is None:
            raise ValueError(NO_POINTS)
        _check.coordinates("x", x)
        k = self.frequencies if isinstance(self.frequencies, Tensor) else self.frequencies()
        _check.coordinates("frequencies", k, None if self.modes else (1, 2))
        return at_frequencies(x, k, self.period, torch.promote_types(x.dtype, _check.precision(x, pred)))

    def forward(self, pred: Tensor, target: Tensor, x: Tensor | None = None, *, index: Tensor | None = None) -> Tensor:
        """The loss; ``x`` given here overrides the points held, ``index`` (m,) takes these of them."""
        plan, step = self.plan, self._step
        terms = Terms(self.weight, self.quadrature, self.relative, REDUCTIONS[self.reduction], self.group, self.eps)
        if x is None and index is None and step is not None and plan is not None and not torch.compiler.is_compiling():
            planned = plan.planned_for(self._of)
            if not is_fixed(terms.weight):
                terms = terms._replace(weight=self._asked_weight(planned))
            if not step.is_of(planned, terms):
                self._step = None
            elif self.channels == "last" and step.takes(pred, target):
                return step(pred, target)
        return self._unlike_the_last(pred, target, x, index, terms)

    def _unlike_the_last(
        self, pred: Tensor, target: Tensor, x: Tensor | None, index: Tensor | None, terms: Terms
    ) -> Tensor:
        """The loss of a call for which no step is ready."""
        _check.tensor("pred", pred)
        _check.tensor("target", target)
        if index is not None:
            x, terms = self._of_index(index, x, terms)
        planned = self._planned(x, pred, target)
        pred, target = (at_points(t, planned, self.channels) for t in (pred, target))
        check(planned, pred, target, terms)
        if not self._looked and x is None and index is None:
            self._look(target, terms)
        if self._free or x is not None:
            return loss(planned, pred, target, terms, make_step(planned, terms))
        if not is_fixed(self.weight):
            terms = terms._replace(weight=self._asked_weight(planned))
        terms = terms._replace(weight=self._held_weight(terms.weight, planned))
        if torch.compiler.is_compiling():
            return loss(planned, pred, target, terms, make_step(planned, terms))
        if self._step is None or self._step.planned is not planned:
            self._step = make_step(planned, terms)
        return loss(planned, pred, target, terms, self._step)

    def _look(self, target: Tensor, terms: Terms) -> None:
        if self.plan is not None and _check.may_read(target) and target.device.type == "cpu":
            self._looked = True
            warn_of_band(self.plan, target)

    def _of_index(self, index: Tensor, x: Tensor | None, terms: Terms) -> tuple[Tensor, Terms]:
        held = self.points if self._free else None if self.plan is None else self.plan.x
        if x is not None or held is None:
            raise ValueError("index: was given, must be None unless the loss holds points and the call gives none")
        if not isinstance(index, Tensor) or index.ndim != 1 or index.dtype not in (torch.int64, torch.int32):
            raise TypeError("index: must be a tensor (m,) of int64, places among the points held")
        points = held.shape[0 if held.ndim == 1 else -2]
        if index.device.type == "cpu" and _check.may_read(index) and not bool(((index >= 0) & (index < points)).all()):
            raise ValueError(f"index: had places that are none, must be from 0 to {points - 1}, of the points held")
        quadrature = None if terms.quadrature is None else terms.quadrature.index_select(-1, index)
        return held.index_select(0 if held.ndim == 1 else -2, index), terms._replace(quadrature=quadrature)

    def _asked_weight(self, planned: Planned | AtFrequencies) -> Tensor:
        """A callable's values now; the very tensor of the last call where they are the same, as its step is of it."""
        with without_autocast():
            values = weight_values(self.weight, planned.grid, planned.points.factors)
        held = self._values
        if torch.compiler.is_compiling() or follows(values) or values.device.type != "cpu":
            return values
        if held is not None and held.shape == values.shape and held.dtype == values.dtype and torch.equal(held, values):
            return held
        self._values = values
        return values

    def _held_weight(self, weight: Weight, planned: Any) -> Weight | Weighing:
        """What a weight has for the points held: of a fixed one its values, folded and deconvolved."""
        held, traced = self._weighing, torch.compiler.is_compiling()
        if asks(weight) or not is_fixed(weight) or (isinstance(weight, Tensor) and (traced or follows(weight))):
            return weight
        if held is None or not held.serves(weight, planned):
            held = weighing(weight, planned)
            for way in (planned.choice.gridding, planned.choice.step):
                held.rule(way, planned.points)
            if not traced:
                self._weighing = held
        return held

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_step": None, "_weighing": None, "_values": None}

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self._facts())

    def _facts(self) -> list[tuple[str, str]]:
        frequencies, weight = self.frequencies, self.weight
        counted = (
            len(frequencies) if isinstance(frequencies, Tensor) else getattr(frequencies, "__name__", "a callable")
        )
        x = self.points if self.plan is None else self.plan.x
        facts = {
            "modes" if self.modes else "frequencies": self.modes or counted,
            "period": self.period,
            "points": None if x is None else tuple(x.shape),
            "weight": f"tensor{tuple(weight.shape)}" if isinstance(weight, Tensor) else weight,
            "relative": self.relative,
            "reduction": repr(self.reduction),
        }
        return [(name, str(value)) for name, value in facts.items()]

    def _table(self) -> Table:
        return Table("SpectralLoss: mean over batch and channels of Σ w(k) |F_k|²", (), self._facts())

    def _picture(self) -> "Figure | None":
        """None where the weight is of the error, or the frequencies are drawn anew at each call."""
        if isinstance(self.frequencies, Tensor):
            k = self.frequencies if self.modes else self.frequencies.reshape(len(self.frequencies), -1)
        elif self.modes is None or math.prod(self.modes) > MOST_DRAWN:
            return None
        else:
            k = wavenumbers(self.modes, True).float()
        if isinstance(self.weight, Adaptive):
            return None
        values = weight_values(self.weight, Wavenumbers(k, tuple(k.shape[:-1])), k)
        return draw_weight(k, values, _check.period(self.period, k.shape[-1]))


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
    _check.instance("plan", plan, Plan)
    terms = Terms(weight, quadrature, _check.flag("relative", relative), reduction_of(reduction), group, plan.eps)
    _check.tensor("pred", pred)
    _check.tensor("target", target)
    plan.check_precision("pred", pred)
    _check.weight(weight)
    if isinstance(weight, Tensor):
        check_weight(weight, plan.modes)
    planned = plan.planned_for(plan.precision_for(pred, target))
    pred, target = (at_points(t, planned, "last") for t in (pred, target))
    check(planned, pred, target, terms)
    if not is_fixed(weight):
        with without_autocast():
            terms = terms._replace(weight=weight_values(weight, planned.grid, planned.points.factors))
    return loss(planned, pred, target, terms, make_step(planned, terms))


def loss(planned: Any, pred: Tensor, target: Tensor, terms: Terms, step: LossStep | None) -> Tensor:
    """By the step where there is one for a call like this, else by a composition."""
    if torch._C._is_any_autocast_enabled():
        with without_autocast():
            return loss(planned, _at_least_single(pred), _at_least_single(target), terms, step)
    dtype = planned.points.x.dtype
    if step is not None and not pred.is_complex() and not target.is_complex():
        wide = pred.to(dtype), target.to(dtype)
        if step.takes(*wide):
            return step(*wide).to(pred.dtype)
    if type(given(terms.weight)) is focal:
        valued = terms.relative or pred.is_complex() or target.is_complex()
        terms = terms._replace(weight=focal_or_values(planned, terms.weight, valued))
    return composed(planned, pred, target, terms)


def _at_least_single(t: Tensor) -> Tensor:
    return t.float() if t.dtype in (torch.float16, torch.bfloat16) else t


torch.serialization.add_safe_globals([SpectralLoss, *FIXED, lfp, focal])
