"""What every benchmark needs: its cases, equal accuracy, fair timing, and the row that comes of them.

Each library runs at the loosest tolerance of a common ladder at which its measured error meets the accuracy asked for,
so that none is paid for accuracy nobody asked for, nor rewarded for missing it. Then the libraries take turns.
"""

import math
import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import torch
from torch import Tensor

LADDER = (0.3, 0.5, 0.7, 1, 1.4, 2, 2.8, 4, 5.6, 8)  # times the accuracy asked for
THREADS = (1, 2)
PAUSE, TURN = 0.03, 0.03  # seconds
SUPERSCRIPTS = ("", "", "²", "³")


def in_passive_process(work: Callable[..., Any], *arguments: Any) -> Any:
    """The result of work in a process whose idle OpenMP threads sleep at once.

    By default they spin, for four milliseconds in the way of a library that brings a second pool of OpenMP threads.
    """
    before = os.environ.get("OMP_WAIT_POLICY")
    os.environ["OMP_WAIT_POLICY"] = "passive"
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(work, *arguments).result()
    finally:
        del os.environ["OMP_WAIT_POLICY"]
        if before is not None:
            os.environ["OMP_WAIT_POLICY"] = before


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

Call = Callable[[], Any]
Make = Callable[[float, int], Call]  # of a tolerance and a number of threads


@dataclass(frozen=True)
class Contender:
    """A library on a problem. Its calls return the answer whose error counts."""

    name: str
    make: Make
    floor: float = 0.0  # tolerances below this are refused
    answer: Make | None = None  # what to measure the error of, where ``make``'s own calls leave part of the work out


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


def calibrated(contender: Contender, exact: Tensor, eps: float) -> Setting:
    torch.set_num_threads(max(THREADS))
    answer = contender.answer or contender.make
    return loosest(lambda rung: relative_error(answer(rung, max(THREADS))(), exact), eps, contender.floor)


# --- fair timing ------------------------------------------------------------------------------------------------------


def interleaved_medians(calls: dict[str, Call], seconds: float, at_least: int = 5) -> dict[str, float]:
    """Median seconds of each call, the calls taking turns so that a busy moment of the machine hits them alike.

    A turn is several calls, as in a training loop, after a pause: torch's idle threads spin for some milliseconds, and
    would take a processor from the next library. The first call of a turn, which wakes the threads, is not counted.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(next(iter(times.values()))) < at_least:
        for name, call in calls.items():
            time.sleep(PAUSE)
            times[name] += turn(call)[1:]
    return {name: statistics.median(values) for name, values in times.items()}


def turn(call: Call) -> list[float]:
    times: list[float] = []
    while len(times) < 3 or sum(times) < TURN:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return times


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
    threads: int
    ours: Figure
    rival: Figure
    target: float  # largest ratio that meets the claim
    limit: float | None = None  # least value this machine could reach; see limits.py
    unit: str = "ms"
    note: str = ""

    @property
    def ratio(self) -> float:
        return self.ours.value / self.rival.value

    @property
    def met(self) -> bool:
        return self.ratio <= self.target

    @property
    def times_limit(self) -> float | None:
        return None if self.limit is None else self.ours.value / self.limit

    @property
    def remark(self) -> str:
        missed = [f"{f.name} misses eps" for f in (self.ours, self.rival) if f.setting and not f.setting.met]
        return "; ".join([*missed, *[self.note] * bool(self.note)])


@dataclass(frozen=True)
class Benchmark:
    """A claim: each ratio at most a row's target, and the geometric mean of all at most ``mean_target``."""

    name: str
    cases: Sequence[Any]
    measure: Callable[[Any, float], Iterator[Row]]  # of a case and the seconds to spend on each of its rows
    quick: Sequence[Any]  # cases for a first look
    mean_target: float | None = None
    rows_per_case: int = len(THREADS)
    passive: bool = False  # measured where idle OpenMP threads sleep, for a rival with a pool of its own

    def chosen(self, quick: bool) -> Sequence[Any]:
        return self.quick if quick else self.cases

    def rows(self, quick: bool, seconds: float) -> Iterator[Row]:
        for case in self.chosen(quick):
            yield from in_passive_process(rows_of, self, case, seconds) if self.passive else self.measure(case, seconds)


def rows_of(benchmark: Benchmark, case: Any, seconds: float) -> list["Row"]:
    return list(benchmark.measure(case, seconds))


Limit = Callable[[float, int], float]  # seconds, of our tolerance and a number of threads
Target = float | dict[int, float]  # one for all, or by number of threads


def compare(
    case: Case,
    ours: Contender,
    rivals: Sequence[Contender],
    exact: Tensor,
    seconds: float,
    target: Target,
    limit: Limit | None = None,
) -> Iterator[Row]:
    """A row for each number of threads: ours against the fastest of the rivals."""
    contenders = {c.name: c for c in (ours, *rivals)}
    settings = {name: calibrated(c, exact, case.eps) for name, c in contenders.items()}
    for threads in THREADS:
        least = limit(settings[ours.name].tolerance, threads) if limit else None
        torch.set_num_threads(threads)
        calls = {name: c.make(settings[name].tolerance, threads) for name, c in contenders.items()}
        medians = interleaved_medians(calls, seconds)
        figures = {name: Figure(name, 1e3 * median, settings[name]) for name, median in medians.items()}
        fastest = min((figures[r.name] for r in rivals), key=lambda figure: figure.value)
        wanted = target[threads] if isinstance(target, dict) else target
        yield Row(str(case), threads, figures[ours.name], fastest, wanted, least and 1e3 * least)
