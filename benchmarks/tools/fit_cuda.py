"""Fits the planner's rates of a GPU to times measured on one: see fit_planner.py.

Times come from the device itself, or from tables of such, as benchmarks/results/h100/kernels.csv: a row for each time,
of a stage alone (spread, interpolate, FFT, inverse FFT), or of a call with the host's time (type 1 by gridding or by
direct sums), or of two sums over all pairs of points and frequencies. Stages say which kernels were timed: "present"
ones, a "prototype" of these, or "past" ones, which are left out.
"""

import csv
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from scipy.optimize import minimize_scalar

from benchmarks.tools import costs
from benchmarks.tools.costs import Rates, Work, times, total
from benchmarks.tools.fits import Timed, fitted, misfits, residuals

CALLED = {"type 1 by gridding, called": "call", "type 1 by direct sums, called": "direct_call"}
PAIRS = "two sums over all pairs"


class Stage(NamedTuple):
    """Nanoseconds of the mean of both stages that meet points, or with an FFT of a whole transform."""

    work: Work
    nanoseconds: float
    fft: bool


@dataclass(frozen=True)
class Measured:
    """What a GPU's rates are fitted to."""

    stages: Sequence[Stage]
    others: Sequence[Timed]  # of calls and of pairs


def rates(measured: Measured) -> tuple[Rates, list[str]]:
    """Those of one precision first, then how many times as long float64 takes, where that was measured."""
    before = costs.read("cuda_rates")
    single = [s for s in measured.stages if s.work.single]
    double = [s for s in measured.stages if not s.work.single]

    def of(stages: Sequence[Stage], factors: Rates) -> list[Timed]:
        return [Timed(cost(stage, factors), stage.nanoseconds) for stage in stages]

    def misfit(complex_numbers: float) -> float:
        timed = of(single, before | {"complex_numbers": complex_numbers})
        return float((misfits(timed, fitted(timed)) ** 2).sum())

    found = before | {"complex_numbers": float(minimize_scalar(misfit, bounds=(1, 4), options={"xatol": 1e-9}).x)}
    found |= fitted(of(single, found))
    if double:
        found |= fitted([precision(stage, found) for stage in double], {"known": 1.0})
    found |= fitted(measured.others) if measured.others else {}
    return found, [residuals("stages and transforms", of(measured.stages, found), found)]


def cost(stage: Stage, factors: Rates) -> costs.Cost:
    slower = costs.cuda_factor(stage.work, factors)
    return times(slower, costs.cuda_instructions(stage.work)) | costs.cuda_memory(stage.work, stage.fft)


def precision(stage: Stage, found: Rates) -> Timed:
    """In float64, beside what does not take the longer for it."""
    as_single = total(costs.cuda_instructions(stage.work), found) * (
        found["complex_numbers"] if stage.work.complex else 1
    )
    known = total(costs.cuda_memory(stage.work, stage.fft), found)
    return Timed({"double_precision": as_single, "known": known}, stage.nanoseconds)


# --- tables -----------------------------------------------------------------------------------------------------------


def of_tables(paths: Iterable[Path]) -> Measured:
    rows = [row for path in paths for row in csv.DictReader(path.open(newline="")) if row["kernel"] != "past"]
    return Measured(list(stages_of(rows)), list(others_of(rows)))


def devices(paths: Iterable[Path]) -> list[str]:
    """By name."""
    return list(dict.fromkeys(row["device"] for path in paths for row in csv.DictReader(path.open(newline=""))))


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("x"))


def stages_of(rows: Sequence[dict[str, str]]) -> Iterator[Stage]:
    """Where both of a kind were timed: for points and a tile, and with the FFTs of as many cells."""
    found: dict[tuple[str, ...], dict[str, float]] = defaultdict(dict)
    ffts: dict[tuple[str, ...], dict[str, float]] = defaultdict(dict)
    for row in rows:
        if row["stage"] in ("spread", "interpolate"):
            key = (*(row[name] for name in ("device", "points", "numbers", "cells", "tile", "width")),)
            found[key][row["stage"]] = 1e6 * float(row["ms"])
        elif row["stage"] in ("FFT", "inverse FFT"):
            ffts[row["device"], row["numbers"], row["cells"]][row["stage"]] = 1e6 * float(row["ms"])
    for (device, points, kind, cells, tile, width), both in found.items():
        if len(both) < 2:
            continue
        grid, complex = numbers(cells), kind == "complex"
        work = Work(grid, int(points), True, complex, grid, numbers(tile), int(width))
        stage = statistics.fmean(both.values())
        yield Stage(work, stage, fft=False)
        if fft := ffts.get((device, kind, cells)):
            yield Stage(work, stage + statistics.fmean(fft.values()), fft=True)


def others_of(rows: Sequence[dict[str, str]]) -> Iterator[Timed]:
    """Calls are of so few points that hardly anything else takes time there."""
    for row in rows:
        if row["stage"] in CALLED:
            yield Timed({CALLED[row["stage"]]: 1.0}, 1e6 * float(row["ms"]))
        elif row["stage"] == PAIRS:
            yield Timed({"pair": 2.0 * int(row["points"]) * math.prod(numbers(row["modes"]))}, 1e6 * float(row["ms"]))
