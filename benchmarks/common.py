"""What every benchmark needs: fair timing, and its figures in a file."""

import csv
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def require_passive_threads() -> None:
    """Start this script again if idle OpenMP threads would spin: they cost libraries with a pool of their own 4 ms."""
    if os.environ.get("OMP_WAIT_POLICY") != "passive":
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | {"OMP_WAIT_POLICY": "passive"})


def interleaved_medians(calls: dict[str, Callable[[], object]], seconds: float, at_least: int = 5) -> dict[str, float]:
    """Median seconds of each call, the calls taking turns so that a busy moment of the machine hits them alike."""
    for call in calls.values():
        call()
        call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(next(iter(times.values()))) < at_least:
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def geometric_mean(values: Iterable[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, values)))


def write_csv(path: Path, rows: Sequence[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
