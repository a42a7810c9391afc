"""Points that are kept: sorted once, for many transforms."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from . import _C, _check
from ._C import PlanChoice
from ._core.direct import Direct
from ._core.gridding import Use
from ._core.modes import Modes, Period
from ._core.ops import Sorted
from ._core.planning import Request, as_sets, expectation, make_request, plan
from ._core.points import Points
from ._core.transform import Choice, Planned


class Plan(nn.Module):
    """Points sorted once, for many transforms between them and the same modes.

    A bag of tensors: ``.to(device)`` moves it, it pickles and traces. The plan's precision is that of ``x``.

    Args:
        x: points, real, (M,), (M, d) or (B, M, d) with d = 1 to 3. Gradients flow to it; if you change its values in
            place, make a new plan.
        modes, eps, period, order: as in nufft1.
        algorithm: of the transforms and of the loss's step, "gridding", or "direct" for sums over all points, exact to
            rounding, or "auto" for the one that the planner expects to take less time; on CUDA that is gridding. What
            of the loss is not one step, under torch.compile or with a group, is by gridding in any case.

    Attributes:
        x: the points given. modes, period: a tuple each. eps, order, algorithm: as given.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """

    x: Tensor
    position: Tensor
    order_: Tensor
    starts: Tensor
    polynomials: Tensor
    factors: Tensor
    half_factors: Tensor

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
        self.register_buffer("x", x, persistent=False)
        self._planned: Planned | None = None
        self._sort()

    def _sort(self) -> None:
        points, self.choice, _ = plan(self.x, self._wanted())
        for name, t in points.sorted._asdict().items():
            self.register_buffer("order_" if name == "order" else name, t, persistent=False)  # order is the modes'
        self.register_buffer("factors", points.factors, persistent=False)
        self.register_buffer("half_factors", points.half_factors, persistent=False)

    def _wanted(self) -> _check.Wanted:
        return _check.wanted(self.x, None, self.modes, self.eps, self.period, self.order, self.algorithm)

    def _apply(self, fn, recurse=True):
        dtype, device = self.x.dtype, self.x.device.type
        super()._apply(fn, recurse)
        # the choice depends on the precision and on the kind of device
        if self.x.dtype != dtype or {device, self.x.device.type} == {"cpu", "cuda"}:
            self._sort()
        return self

    @property
    def planned(self) -> Planned:
        """The plan as the plain tuples that transforms take."""
        held: dict[str, Any] = self._buffers  # nn.Module's attributes are slow, and this is in every step
        if held["x"].requires_grad or torch.compiler.is_compiling():
            return self._as_tuples()
        if self._planned is None or self._planned.points.sorted.position is not held["position"]:
            self._planned = self._as_tuples()
        return self._planned

    def _as_tuples(self) -> Planned:
        places = Sorted(self.position, self.order_, self.starts, self.polynomials)
        points = Points(as_sets(self.x, self.polynomials.dtype), places, self.factors, self.half_factors)
        return Planned(points, self.choice, self.x.ndim == 3)

    @property
    def k(self) -> Tensor:
        """The integer wavenumbers, int64, (*modes, d)."""
        return self.choice.gridding.grid.wavenumbers(self.x.device)

    def explain(self) -> str:
        """What the planner chose for these points, modes and accuracy, and what it expects of it."""
        return explain(make_request(self.x, self._wanted(), real=True), self.choice)

    def nufft1(self, c: Tensor, sign: int = -1) -> Tensor:
        """As fs.nufft1: strengths (..., M) to modes (..., *modes)."""
        self._check_strengths(c)
        return self.planned.type1(c, _check.sign(sign))

    def nufft2(self, f: Tensor, sign: int = 1) -> Tensor:
        """As fs.nufft2: modes (..., *modes) to values (..., M)."""
        _check.data("f", f, self.x)
        _check.trailing("f", f, self.modes)
        self.check_precision("f", f)
        return self.planned.type2(f, _check.sign(sign))

    def rnufft1(self, c: Tensor) -> Tensor:
        """As fs.rnufft1: real strengths (..., M) to the half spectrum."""
        self._check_strengths(c, real=True)
        return self.planned.real_type1(c)

    def rnufft2(self, f: Tensor) -> Tensor:
        """As fs.rnufft2: half spectrum to real values (..., M)."""
        _check.data("f", f, self.x, complex=True)
        _check.trailing("f", f, self.choice.gridding.grid.half_modes)
        self.check_precision("f", f)
        return self.planned.real_type2(f)

    def _check_strengths(self, c: Tensor, real: bool = False) -> None:
        _check.data("c", c, self.x, real=real)
        _check.trailing("c", c, self.position.shape[1:2])
        self.check_precision("c", c)

    def check_precision(self, name: str, data: Tensor) -> None:
        """Raises TypeError where data are more precise than the plan."""
        held = self.polynomials.dtype
        if data.dtype != held and torch.promote_types(_check.real_dtype(data), held) != held:
            raise TypeError(f"{name}: dtype was {data.dtype}, must be no more precise than the plan's points, {held}")

    def extra_repr(self) -> str:
        fine = self.choice.gridding
        return f"points={tuple(self.x.shape)}, modes={self.modes}, cells={fine.cells}, width={fine.width}"


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
    host = f"threads    {torch.get_num_threads()}, {_C.instruction_set()} kernels"
    return "\n".join(
        [
            f"{asked.points:,} points, {_times(fine.grid.modes)} modes, {'float32' if asked.single else 'float64'}, "
            f"eps {asked.eps:.0e}",
            f"algorithm  {algorithm}",
            f"window     {fine.width} cells wide, for an upsampling factor of {fine.sigma:.3g}",
            f"fine grid  {_times(fine.cells)} cells, in tiles of {_times(fine.tile)}",
            f"error      {expected.error:.1e} expected of gridding, relative l2; direct sums are exact to rounding",
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
    return f"{nanoseconds / 1e6:.3g} ms" if math.isfinite(nanoseconds) else "unknown"


def _times(counts: tuple[int, ...]) -> str:
    return " x ".join(f"{n:,}" for n in counts)
