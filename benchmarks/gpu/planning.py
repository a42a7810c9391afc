"""Claim: sorting the points of a plan takes at most half of cuFINUFFT's setpts, the windows' tables being there.

Float32. Target: each ratio at most 0.5.
"""

from collections.abc import Iterator

import fastspec as fs
from benchmarks.clocks import EAGER
from benchmarks.gpu import _cufinufft
from benchmarks.gpu._cases import SIZES
from benchmarks.measure import Benchmark, Case, Figure, Row
from benchmarks.problems import problem
from benchmarks.report import main

TARGET = 0.5


def measure(case: Case, seconds: float) -> Iterator[Row]:
    p = problem(case.size, device=EAGER.device)
    calls = {"fastspec": lambda: fs.Plan(p.x, case.size.modes, eps=case.eps)}
    if _cufinufft.cufinufft:
        plan, points = _cufinufft.plan(p, 1, case.eps, 0), p.x.T.contiguous()
        calls["cuFINUFFT setpts"] = lambda: plan.setpts(*points)
    figures = [Figure(name, 1e3 * median) for name, median in EAGER.medians(calls, seconds).items()]
    yield Row(str(case), None, *figures, target=TARGET, device=EAGER.name)


CASES = [Case(size) for size in SIZES]
BENCHMARK = Benchmark("gpu_planning", CASES, measure, quick=CASES[1:2], rows_per_case=1, device="cuda")

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
