"""Points that are kept: sorted once, for many transforms."""

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from . import _C, _check
from ._C import PlanChoice
from ._core.autograd import follows
from ._core.direct import Direct
from ._core.gridding import Use
from ._core.modes import Modes, Period
from ._core.plain import is_plain, plainly, versioned
from ._core.planning import Request, expectation, make_request, plan
from ._core.ranks import differentiable_sum, sum_
from ._core.transform import Choice, Planned
from ._notebook import Shown, Table, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BINS = 80
_MOST_POINTS = 2**20


class _Held(NamedTuple):
    """Points as they were when they were sorted."""

    x: Tensor
    version: int
    planned: Planned
    slopes: bool  # whether the window was chosen for slopes too
    data: Tensor  # keeps their memory, so that no other points can be at its place

    @classmethod
    def of(cls, x: Tensor, version: int, planned: Planned) -> "_Held":
        return cls(x, version, planned, follows(x), x.detach())

    def holds(self, x: Tensor) -> bool:
        """A parameter whose data are replaced, by ``.double()`` say, is the same object, of the same version."""
        same = self.x is x and self.version == x._version and self.data.data_ptr() == x.data_ptr()
        return same and (self.slopes or not x.requires_grad)


_TRACED = -1  # the version of points that torch.compile sorts where the plan is made


class Plan(nn.Module, Shown):
    """Points sorted once, for many transforms between them and the same modes.

    The points are its one parameter or buffer, ``x``: ``.to(device)`` moves it, ``state_dict`` has it, it pickles and
    traces. Where they are changed in place or replaced, by an optimiser, ``load_state_dict`` or ``to_empty``, they are
    sorted again at the next transform. Only a function that torch.compile has made does not see that, unless they
    require a gradient: then it sorts them at each call.

    Args:
        x: points, real, (M,), (M, d) or (..., M, d) with d = 1 to 3. Gradients flow to it. An ``nn.Parameter`` is one
            of the plan's parameters.
        modes, eps, period, order: as in nufft1.
        algorithm: of the transforms and of the loss's step, "gridding", or "direct" for sums over all points, exact to
            rounding, or "auto" for the one that the planner expects to take less time. On CUDA the loss's step is by
            gridding, and so is, under torch.compile or with a group, what of the loss is not one step.

    Attributes:
        x: the points. modes, period: a tuple each. eps, order, algorithm: as given.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """

    x: Tensor

    def __init__(
        self,
        x: Tensor,
        modes: Modes,
        *,
        eps: float | None = None,
        period: Period = 2 * math.pi,
        order: str = "centered",
        algorithm: str = "auto",
    ) -> None:
        super().__init__()
        _check.points(x)
        self.modes = _check.modes(modes, _check.dimension(x))
        self.period = _check.period(period, _check.dimension(x))
        self.eps, self.order, self.algorithm = eps, order, _check.algorithm(algorithm)
        if isinstance(x, nn.Parameter):
            self.register_parameter("x", x)
        else:
            self.register_buffer("x", versioned(x))
        self._held: dict[torch.dtype, _Held] = {}
        if torch.compiler.is_compiling():
            dtype = self._precision()
            self._held[dtype] = _Held.of(x, _TRACED, plan(x, self._wanted(x, dtype)))
        else:
            self.planned  # noqa: B018 - bad points are refused here

    def _wanted(self, x: Tensor, dtype: torch.dtype) -> _check.Wanted:
        wanted = _check.wanted(x, None, self.modes, self.eps, self.period, self.order, self.algorithm)
        return wanted._replace(dtype=dtype, eps=_check.eps(self.eps, dtype))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Plan":
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if not all(held.holds(self.x) for held in self._held.values()):
            self._held = {}
            with suppress(ValueError):  # where memory is not yet filled in, it may hold any points
                self.planned  # noqa: B018 - sorted while it moves rather than later
        return self

    @property
    def planned(self) -> Planned:
        """The plan as the plain tuples that transforms take, for data of the points' own precision."""
        return self.planned_for(self._precision())

    def planned_for(self, dtype: torch.dtype) -> Planned:
        """As planned, for real or complex data of this precision; float64 points have a plan for float32 too."""
        x: Any = self._buffers.get("x")  # nn.Module's attributes are slow, and this is in every step
        if x is None:
            x = self._parameters["x"]
        held = self._held.get(dtype)
        if torch.compiler.is_compiling():
            if held is None or held.x is not x or (x.requires_grad and held.version != _TRACED):
                return plan(x, self._wanted(x, dtype))
            return held.planned.of(x) if x.requires_grad else held.planned
        if held is None or not held.holds(x):
            held = self._sorted(x, dtype)
        return held.planned.of(x) if x.requires_grad else held.planned

    def _points(self) -> Tensor:
        held: Any = self._buffers if "x" in self._buffers else self._parameters
        x: Tensor = held["x"]
        return x

    def _sorted(self, x: Tensor, dtype: torch.dtype) -> _Held:
        _check.points(x)
        _check.modes(self.modes, _check.dimension(x))
        if not is_plain(x):
            return _Held.of(x, x._version, plan(x, self._wanted(x, dtype)))
        version = x._version
        with plainly():
            held = self._held[dtype] = _Held.of(x, version, plan(x, self._wanted(x, dtype)))
        return held

    def _precision(self) -> torch.dtype:
        return _check.precision(self._points())

    def precision_for(self, *data: Tensor) -> torch.dtype:
        """Of the computation with these data: float32 unless both they and the points are float64."""
        held = self._points().dtype
        if held == torch.float64 and any([_check.real_dtype(d) == torch.float64 for d in data]):
            return held
        return torch.float32

    @property
    def choice(self) -> Choice:
        """The algorithm for each use."""
        return self.planned.choice

    @property
    def k(self) -> Tensor:
        """The integer wavenumbers, int64, (*modes, d)."""
        return self.choice.gridding.grid.wavenumbers(self.x.device)

    def explain(self) -> str:
        """What the planner chose for these points, modes and accuracy, and what it expects of it."""
        asked = make_request(self.x, self._wanted(self.x, self._precision()), real=True)
        return explain(asked, self.choice)

    def nufft1(self, c: Tensor, sign: int = -1) -> Tensor:
        """As fs.nufft1: strengths (..., M) to modes (..., *modes)."""
        return self._of_strengths(c).type1(c, _check.sign(sign))

    def nufft2(self, f: Tensor, sign: int = 1) -> Tensor:
        """As fs.nufft2: modes (..., *modes) to values (..., M)."""
        _check.data("f", f, self._points())
        _check.trailing("f", f, self.modes)
        self.check_precision("f", f)
        return self.planned_for(self.precision_for(f)).type2(f, _check.sign(sign))

    def rnufft1(self, c: Tensor) -> Tensor:
        """As fs.rnufft1: real strengths (..., M) to the half spectrum."""
        return self._of_strengths(c, real=True).real_type1(c)

    def rnufft2(self, f: Tensor) -> Tensor:
        """As fs.rnufft2: half spectrum to real values (..., M)."""
        _check.data("f", f, self._points(), complex=True)
        _check.trailing("f", f, (*self.modes[:-1], self.modes[-1] // 2 + 1))
        self.check_precision("f", f)
        return self.planned_for(self.precision_for(f)).real_type2(f)

    @staticmethod
    def accumulate(
        chunks: Iterable[tuple[Tensor, Tensor]],
        modes: Modes,
        *,
        transform: str = "nufft1",
        eps: float | None = None,
        period: Period = 2 * math.pi,
        order: str = "centered",
        group: Any = None,
    ) -> Tensor:
        """The spectrum of points that come in chunks, more than memory holds, and on all ranks of a group.

        A chunk is planned, transformed, added and forgotten, unless its strengths ask for a gradient. Ranks may have
        chunks of any number and size: their sums are added once, after the last of them. On GPUs no host waits for
        that, nor for a chunk but to see that its points are finite.

            spectrum = fs.Plan.accumulate(((x, model(x) - y) for x, y in loader), modes, group=dist.group.WORLD)

        Args:
            chunks: of x and c each, as of a plan and its transform, the c of one shape but for their points. A rank
                without points gives one chunk of none.
            transform: "nufft1", or "rnufft1" of real strengths, whose half spectrum is half of what ranks exchange.
            modes, eps, period, order: as in nufft1.
            group: a torch.distributed process group, of any backend that the points' device has: NCCL, gloo.

        Returns:
            (..., *modes) or the half spectrum, the same on all ranks.

        Raises:
            TypeError, ValueError: as Plan and its transforms do, or where there was no chunk.
        """
        _check.choice("transform", transform, ("nufft1", "rnufft1"))
        total: Tensor | None = None
        for x, c in chunks:
            made = Plan(x, modes, eps=eps, period=period, order=order)
            part: Tensor = getattr(made, transform)(c)
            if total is not None and part.shape != total.shape:
                raise ValueError(
                    f"c: its spectrum's shape was {tuple(part.shape)}, must be that before, {tuple(total.shape)}"
                )
            total = part if total is None else total + part if part.requires_grad else total.add_(part)
        if total is None:
            raise ValueError("chunks: had none, must have at least one, of a rank without points one of none")
        return differentiable_sum(total, group) if total.requires_grad else sum_(total, group)

    def _of_strengths(self, c: Tensor, real: bool = False) -> Planned:
        x = self._points()
        _check.data("c", c, x, real=real)
        _check.trailing("c", c, [x.shape[0 if x.ndim == 1 else -2]])
        self.check_precision("c", c)
        return self.planned_for(self.precision_for(c))

    def check_precision(self, name: str, data: Tensor) -> None:
        """Raises TypeError where data are more precise than the plan."""
        if data.dtype == torch.float32:
            return
        held = self._precision()
        if data.dtype != held and torch.promote_types(_check.real_dtype(data), held) != held:
            raise TypeError(f"{name}: dtype was {data.dtype}, must be no more precise than the plan's points, {held}")

    def get_extra_state(self) -> dict[str, Any]:
        return {"modes": self.modes, "period": self.period, "order": self.order}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            if getattr(self, name) != value:
                raise ValueError(
                    f"{name}: was {value!r} in the state loaded, must be the plan's, {getattr(self, name)!r}"
                )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_held": {}}

    def extra_repr(self) -> str:
        choice, fine = self.choice, self.choice.gridding
        ways = " / ".join(dict.fromkeys(NAMES[getattr(choice, use).name] for use in ("real", "complex", "step")))
        chosen = f"algorithm={ways}, cells={fine.cells}, width={fine.width}"
        return f"points={tuple(self.x.shape)}, modes={self.modes}, period={self.period}, {chosen}"

    def _table(self) -> Table:
        lines = (line.partition("  ") for line in self.explain().splitlines()[1:])
        return Table(f"Plan: {self.explain().splitlines()[0]}", (), [(name, text.strip()) for name, _, text in lines])

    def _picture(self) -> "Figure":
        return draw_points(self.x, self.period)


torch.serialization.add_safe_globals([Plan])


def explain(asked: Request, choice: Choice) -> str:
    """The text of Plan.explain."""
    fine, expected, cuda = choice.gridding, expectation(asked), asked.device.startswith("cuda")
    algorithm = "\n           ".join(
        [
            _way("real strengths", choice, expected, "real"),
            _way("complex strengths", choice, expected, "complex"),
            _way("the loss", choice, expected, "step") + ", less what both share",
            f"expected {'on the GPU' if cuda else 'on one thread'}; gridding: spread, FFT, deconvolve",
        ]
    )
    rounding = f"{expected.rounding:.1e}"
    host = f"threads    {torch.get_num_threads()}, {_C.instruction_set()} kernels"
    return "\n".join(
        [
            f"{asked.points:,} points, {_times(fine.grid.modes)} modes, {'float32' if asked.single else 'float64'}, "
            f"eps {asked.eps:.0e}",
            f"algorithm  {algorithm}",
            f"window     {fine.width} cells wide, for an upsampling factor of {fine.sigma:.3g}",
            f"fine grid  {_times(fine.cells)} cells, in tiles of {_times(fine.tile)}",
            f"error      {expected.error:.1e} expected of gridding, relative l2, of it {rounding} rounding; "
            "direct sums are exact to rounding",
            f"device     {asked.device}" if cuda else host,
        ]
    )


NAMES = {"gridding": "gridding", "direct": "direct sums"}


def _way(subject: str, choice: Choice, expected: PlanChoice, use: Use) -> str:
    """The algorithm of a use, and what it and the other are expected to take."""
    fine, way = choice.gridding, getattr(choice, use)
    other = fine if isinstance(way, Direct) else Direct(fine.grid)
    times = [_milliseconds(each.cost(expected, use)) for each in (way, other)]
    return f"{NAMES[way.name]} for {subject}, {times[0]}; by {NAMES[other.name]} {times[1]}"


def _milliseconds(nanoseconds: float) -> str:
    return f"{nanoseconds / 1e6:.3g} ms" if math.isfinite(nanoseconds) else "not available"


def _times(counts: tuple[int, ...]) -> str:
    return " x ".join(f"{n:,}" for n in counts)


def draw_points(x: Tensor, period: Sequence[float]) -> "Figure":
    """Where in the box points are, along each axis or, in two dimensions, over the plane."""
    d = len(period)
    rows = x.detach().reshape(-1, d)
    rows = rows[:: -(-len(rows) // _MOST_POINTS)].cpu().double().remainder(torch.tensor(period, dtype=torch.float64))
    share = torch.full((len(rows),), 1 / max(len(rows), 1))
    if d == 2:
        figure = new_figure(4.4, 3.4)
        axes = figure.add_subplot()
        *_, drawn = axes.hist2d(rows[:, 0], rows[:, 1], bins=_BINS, range=[(0, p) for p in period], weights=share)
        figure.colorbar(drawn, label="share of the points")
        axes.set(xlabel="$x_1$, folded into the box", ylabel="$x_2$")
        return figure
    figure = new_figure(5.0 if d == 1 else 8.0, 2.2)
    for axis, axes in enumerate(figure.subplots(1, d, sharey=True, squeeze=False)[0]):
        axes.hist(rows[:, axis], bins=_BINS, range=(0, period[axis]), weights=share)
        axes.set(xlabel=("x" if d == 1 else f"$x_{axis + 1}$") + ", folded into the box", ylabel="share of the points")
        axes.label_outer()
    return figure
