"""What every claim is made of: cases, equal accuracy, and the row that comes of a comparison.

Each library runs at the loosest tolerance of a common ladder at which its measured error meets the accuracy asked for,
so that none is paid for accuracy nobody asked for, nor rewarded for missing it. Then the libraries take turns.
"""

import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmarks.clocks import CPU, Call, Clock, Graph
from benchmarks.limits import Limit
from benchmarks.processes import in_passive_process

LADDER = (0.3, 0.5, 0.7, 1, 1.4, 2, 2.8, 4, 5.6, 8)  # times the accuracy asked for
SUPERSCRIPTS = ("", "", "²", "³")


# --- cases ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Size:
    points: int
    modes: tuple[int, ...]

    @property
    def dim(self) -> int:
        return len(self.modes)

    def __str__(self) -> str:
        return f"{self.dim}-D {brief(self.points)} points, {brief(self.modes[0])}{SUPERSCRIPTS[self.dim]} modes"


@dataclass(frozen=True)
class Case:
    size: Size
    eps: float = 1e-6
    dtype: torch.dtype = torch.float32
    kind: str = ""  # which of a benchmark's transforms

    def __str__(self) -> str:
        return f"{self.kind} {self.size}, {brief(self.eps)}".strip()


def brief(number: float) -> str:
    """1e5 for 100000, 1e-6 for 0.000001, 512 for 512."""
    mantissa, exponent = f"{number:e}".split("e")
    plain = 1 <= number < 1e5 and number == int(number) and float(mantissa) != 1
    return f"{number:g}" if plain else f"{float(mantissa):g}e{int(exponent)}"


SIZES = (
    Size(100_000, (1_000,)),
    Size(100_000, (256, 256)),
    Size(1_000_000, (512, 512)),
    Size(100_000, (64, 64, 64)),
    Size(1_000_000, (128, 128, 128)),
)


# --- equal accuracy ---------------------------------------------------------------------------------------------------

Make = Callable[[float, int], Call]  # of a tolerance and a number of threads


@dataclass(frozen=True)
class Contender:
    """A library on a problem. Its calls return the answer whose error counts."""

    name: str
    make: Make
    floor: float = 0.0  # tolerances below this are refused
    answer: Make | None = None  # what to measure the error of, where ``make``'s own calls leave part of the work out
    tolerant: bool = True  # whether the tolerance makes a difference


def plain(name: str, call: Call) -> Contender:
    """A call that has no tolerance."""
    return Contender(name, lambda eps, threads: call, tolerant=False)


def captured(name: str, call: Call) -> Contender:
    """The same as a CUDA graph: of a short call the host's time is most."""
    return Contender(name, lambda eps, threads: Graph(call), answer=lambda eps, threads: call, tolerant=False)


@dataclass(frozen=True)
class Setting:
    """The tolerance a library runs at, and the error measured there."""

    tolerance: float
    error: float
    met: bool


def ladder(eps: float, floor: float = 0.0) -> list[float]:
    return sorted({max(floor, eps * step) for step in LADDER})


def loosest(error_at: Callable[[float], float], eps: float, floor: float = 0.0) -> Setting:
    """The loosest rung whose error is at most eps, looking outward from eps; else the rung of least error."""
    rungs = ladder(eps, floor)
    place = next(i for i, rung in enumerate(rungs) if rung >= eps)
    errors = {place: error_at(rungs[place])}
    step = 1 if errors[place] <= eps else -1
    while 0 <= place + step < len(rungs) and (errors[place] <= eps) == (step > 0):
        place += step
        errors[place] = error_at(rungs[place])
    meeting = [i for i, error in errors.items() if error <= eps]
    best = max(meeting) if meeting else min(errors, key=errors.__getitem__)
    return Setting(rungs[best], errors[best], bool(meeting))


def relative_error(got: Any, exact: Tensor) -> float:
    return ((torch.as_tensor(got).to(exact.dtype) - exact).norm() / exact.norm()).item()


def calibrated(contender: Contender, exact: Tensor, eps: float, clock: Clock = CPU) -> Setting:
    threads, answer = clock.threads[-1], contender.answer or contender.make
    clock.use(threads)

    def error_at(tolerance: float) -> float:
        return relative_error(answer(tolerance, threads)(), exact)

    if contender.tolerant:
        return loosest(error_at, eps, contender.floor)
    return as_measured(error_at(eps), eps)


def as_measured(error: float, eps: float) -> Setting:
    return Setting(eps, error, error <= eps)


def geometric_mean(values: Iterable[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, values)))


# --- rows -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figure:
    """What was measured of one side, in its row's unit."""

    name: str
    value: float
    setting: Setting | None = None


@dataclass(frozen=True)
class Row:
    case: str
    threads: int | None  # of the CPU's
    ours: Figure
    rival: Figure | None = None
    target: float | None = None  # largest ratio that meets the claim
    limit: float | None = None  # least value this machine could reach; see limits.py
    unit: str = "ms"
    note: str = ""
    device: str = "cpu"

    @property
    def ratio(self) -> float | None:
        """None where there is no rival, or noise hides it."""
        return None if self.rival is None or self.noisy else self.ours.value / self.rival.value

    @property
    def noisy(self) -> bool:
        """Whether a side is no positive number, as a difference of two times is not on a busy machine."""
        return not all(0 < figure.value < math.inf for figure in (self.ours, self.rival) if figure)

    @property
    def met(self) -> bool | None:
        return None if self.ratio is None or self.target is None else self.ratio <= self.target

    @property
    def times_limit(self) -> float | None:
        return None if not self.limit or self.noisy else self.ours.value / self.limit

    @property
    def remark(self) -> str:
        sides = [f for f in (self.ours, self.rival) if f and f.setting]
        missed = [f"{f.name} misses eps" for f in sides if not f.setting.met]
        return "; ".join([*missed, *[self.note] * bool(self.note)])

    @property
    def way(self) -> str:
        """What tells the rows of one case apart."""
        return self.ours.name if self.threads is None else f"{self.threads} thread(s)"


@dataclass(frozen=True)
class Benchmark:
    """A claim: each ratio at most a row's target, and the geometric mean of all at most ``mean_target``."""

    name: str
    cases: Sequence[Any]
    measure: Callable[[Any, float], Iterator[Row]]  # of a case and the seconds to spend on each of its rows
    quick: Sequence[Any]  # cases for a first look
    mean_target: float | None = None
    rows_per_case: int = len(CPU.threads)
    device: str = "cpu"
    passive: bool = False  # measured where idle OpenMP threads sleep, for a rival with a pool of its own

    def chosen(self, quick: bool) -> Sequence[Any]:
        return self.quick if quick else self.cases

    def rows(self, quick: bool, seconds: float) -> Iterator[Row]:
        for case in self.chosen(quick):
            yield from in_passive_process(rows_of, self, case, seconds) if self.passive else self.measure(case, seconds)


def rows_of(benchmark: Benchmark, case: Any, seconds: float) -> list[Row]:
    return list(benchmark.measure(case, seconds))


Target = float | dict[int, float]  # one for all, or by number of threads


def compare(
    case: Any,
    ours: Contender,
    rivals: Sequence[Contender],
    exact: Tensor,
    seconds: float,
    target: Target,
    limit: Limit | None = None,
    clock: Clock = CPU,
) -> Iterator[Row]:
    """A row for each number of threads and each way to make our call: ours against the fastest of the rivals."""
    contenders = {c.name: c for c in (ours, *rivals)}
    settings = {name: calibrated(c, exact, case.eps, clock) for name, c in contenders.items()}
    for threads in clock.settings():
        least = limit(settings[ours.name].tolerance, threads) if limit else None
        calls = {name: c.make(settings[name].tolerance, threads) for name, c in contenders.items()}
        ways = clock.ways(ours.name, calls.pop(ours.name))
        medians = clock.medians(ways | calls, seconds)
        figures = {name: Figure(name, 1e3 * medians[name], settings[name]) for name in calls}
        fastest = min(figures.values(), key=lambda figure: figure.value, default=None)
        wanted = target[threads] if isinstance(target, dict) else target
        for name in ways:
            figure = Figure(name, 1e3 * medians[name], settings[ours.name])
            yield Row(str(case), threads, figure, fastest, wanted, least and 1e3 * least, device=clock.name)
