"""Claim: two threads do the loss with its gradient at least 1.7 times as fast as one, at a million points.

Float32, eps = 1e-6, one and two threads in turns. Target: the time of two over the time of one at most 1 / 1.7.
"""

from collections.abc import Iterator

from benchmarks import limits, ours
from benchmarks.clocks import CPU, Call
from benchmarks.measure import Benchmark, Case, Figure, Row, Size, calibrated
from benchmarks.problems import problem
from benchmarks.report import main

TARGET = 1 / 1.7


def on_threads(threads: int, call: Call) -> Call:
    def step():
        CPU.use(threads)
        return call()

    return step


def measure(case: Case, seconds: float) -> Iterator[Row]:
    p = problem(case.size, case.dtype)
    contender = ours.loss(p)
    setting = calibrated(contender, p.exact_gradient, case.eps)
    step = contender.make(setting.tolerance, 2)
    medians = CPU.medians({str(n): on_threads(n, step) for n in (1, 2)}, seconds)
    least = limits.of_loss(p.x, case.size.modes)(setting.tolerance, 2)
    two, one = (Figure(f"fastspec on {n}", 1e3 * medians[n], setting) for n in "21")
    yield Row(str(case), 2, two, one, TARGET, 1e3 * least)


CASES = [Case(Size(1_000_000, (512, 512))), Case(Size(1_000_000, (128, 128, 128)))]
BENCHMARK = Benchmark("threads", CASES, measure, quick=CASES[:1], rows_per_case=1)

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
