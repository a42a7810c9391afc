"""Medians and ranges of a side's runs, and what the targets ask of them."""

import statistics
from dataclasses import dataclass
from functools import partial

from .paces import Paces
from .problem import Side, Task
from .records import Record, Records


@dataclass(frozen=True)
class Spread:
    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Summary:
    """Of the seeds that reached the threshold where most did, else None; the other figures of all seeds."""

    side: Side
    runs: int
    reached: int
    rate: float
    swept: float
    steps: Spread | None
    seconds: Spread | None
    held_out: Spread
    worst: Spread
    ran: Spread
    took: Spread

    @classmethod
    def of(cls, side: Side, rows: list[Record]) -> "Summary":
        there = [row for row in rows if row.steps is not None]
        most = len(there) > len(rows) / 2

        def spread(name: str, of: list[Record]) -> Spread:
            return Spread.of([getattr(row, name) for row in of])

        return cls(
            side,
            len(rows),
            len(there),
            rows[0].rate,
            rows[0].swept,
            spread("steps", there) if most else None,
            spread("seconds", there) if most else None,
            *(spread(name, rows) for name in ("held_out", "worst", "ran", "took")),
        )


def summaries(task: Task, records: Records) -> dict[str, Summary]:
    """By the side's name, of those that have run."""
    found = {side.name: records.of(task, side) for side in task.sides}
    return {side.name: Summary.of(side, found[side.name]) for side in task.sides if found[side.name]}


@dataclass(frozen=True)
class Verdict:
    task: str
    target: str
    found: str
    met: bool


def verdicts(tasks: dict[str, Task], records: Records, paces: Paces) -> list[Verdict]:
    judges = {
        "sines": _sines,
        "photograph": _photograph,
        "ridges": _ridges,
        "poisson line": partial(_poisson, paces=paces),
        "poisson jittered": partial(_poisson, paces=paces),
    }
    out = []
    for name, judge in judges.items():
        found = summaries(tasks[name], records) if name in tasks else {}
        if "MSE, Adam" in found and ("kernel" in found or "energy norm" in found):
            out.append(judge(name, found))
    return out


def _ratio(ours: Spread | None, theirs: Spread | None, otherwise: float) -> float:
    """Of medians; a baseline that is not there within its steps counts as having needed all of them."""
    if ours is None:
        return float("inf")
    return ours.median / (theirs.median if theirs else otherwise)


def _times(value: float) -> str:
    return "not reached" if value == float("inf") else f"{value:.2f}"


def _sines(name: str, found: dict[str, Summary]) -> Verdict:
    mse, ours = found["MSE, Adam"], found["kernel"]
    steps = _ratio(ours.steps, mse.steps, mse.ran.median)
    seconds = _ratio(ours.seconds, mse.seconds, mse.took.median)
    held = ours.held_out.median
    return Verdict(
        name,
        "kernel: at most 1/10 of the steps and 1/5 of the seconds of tuned MSE and Adam, held-out error at most .1",
        f"{_times(steps)} of the steps, {_times(seconds)} of the seconds, {held:.3f}",
        steps <= 0.1 and seconds <= 0.2 and held <= 0.1,
    )


def _photograph(name: str, found: dict[str, Summary]) -> Verdict:
    mse, ours = found["MSE, Adam"], found["kernel"]
    held, steps = ours.held_out.median, ours.ran.median
    return Verdict(
        name,
        "kernel: held-out error at most .44 in at most 1,000 steps and less time than MSE's 4,000",
        f"{held:.3f} in {steps:.0f} steps and {ours.took.median:.1f} s; MSE {mse.held_out.median:.3f} in"
        f" {mse.ran.median:.0f} and {mse.took.median:.1f} s",
        held <= 0.44 and steps <= 1000 and ours.took.median < mse.took.median,
    )


def _ridges(name: str, found: dict[str, Summary]) -> Verdict:
    mse, ours = found["MSE, Adam"], found["kernel"]
    steps = _ratio(ours.steps, mse.steps, mse.ran.median)
    seconds = _ratio(ours.seconds, mse.seconds, mse.took.median)
    return Verdict(
        name,
        "kernel: at most 1/3 of the steps, no more time",
        f"{_times(steps)} of the steps, {_times(seconds)} of the seconds",
        steps <= 1 / 3 and seconds <= 1,
    )


def _poisson(name: str, found: dict[str, Summary], paces: Paces) -> Verdict:
    ours = found["energy norm"]
    baselines = [row for row in found.values() if row.side.group == "baseline"]
    mse = min(baselines, key=lambda row: row.held_out.median)
    less, step = mse.held_out.median / ours.held_out.median, paces.get((name, "energy norm"), float("inf"))
    return Verdict(
        name,
        "energy norm: at least 20 times less error at equal steps, a step at most 1.15 of MSE's time",
        f"{less:.1f} times less, a step {step:.2f}"
        if step < float("inf")
        else f"{less:.1f} times less, a step not timed",
        less >= 20 and step <= 1.15 and ours.ran.median == mse.ran.median,
    )
