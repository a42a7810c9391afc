"""Claim: the Gaussian filter at 20 widths takes at most a fifth of chunked torch, and no memory for the pairs.

64 dimensions, float32, two threads; torch in chunks of the best of four sizes, as found with one
width. Target: the ratio at most 0.2; the peak resident set grows by at most 200 MB.
"""

import time
from collections.abc import Iterator

import fastspec as fs
from benchmarks.claims.memory import settle, status
from benchmarks.clocks import CPU
from benchmarks.measure import Benchmark, Figure, Row
from benchmarks.pairs import Filtering, torch_filter
from benchmarks.processes import in_a_process
from benchmarks.report import main

TARGET, MEGABYTES = 0.2, 200
CHUNKS = (32, 64, 128, 512)


def best_chunk(case: Filtering) -> int:
    times = {}
    for chunk in CHUNKS * 2:  # the first time is for warming up
        start = time.perf_counter()
        torch_filter(case.x, case.y, case.deltas[:1], chunk)
        times[chunk] = time.perf_counter() - start
    return min(times, key=times.__getitem__)


def growth(points: int) -> float:
    """Run in a process of its own: bytes that one call adds to the peak."""
    small, case = Filtering(500), Filtering(points)
    fs.measure.gaussian_filter(small.x, small.y, small.deltas)
    x, y = case.x, case.y
    settle()
    before = status("VmRSS")
    fs.measure.gaussian_filter(x, y, case.deltas)
    return status("VmHWM") - before


def measure(case: Filtering, seconds: float) -> Iterator[Row]:
    threads = CPU.threads[-1]
    CPU.use(threads)
    chunk = best_chunk(case)
    calls = {
        "fastspec": lambda: fs.measure.gaussian_filter(case.x, case.y, case.deltas),
        f"torch, {chunk} points at a time": lambda: torch_filter(case.x, case.y, case.deltas, chunk),
    }
    figures = [Figure(name, 1e3 * t) for name, t in CPU.medians(calls, seconds, at_least=1).items()]
    yield Row(str(case), threads, *figures, TARGET)
    grown = in_a_process(growth, case.points)
    yield Row(str(case), threads, Figure("fastspec", grown / 1e6), Figure("200 MB", MEGABYTES), 1.0, unit="MB")


CASES = [Filtering(20_000)]
BENCHMARK = Benchmark("gaussian_filter", CASES, measure, quick=[Filtering(2_000)])

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
