"""Claim: so is one transform without a plan, on points never seen before: planning and sorting are within its time.

Float32, type 1, other points at each call. Target: each ratio to ducc0's one-shot call at most 0.8.
"""

from collections.abc import Iterator

from benchmarks import limits, ours, rivals
from benchmarks.claims.transforms import CASES as TRANSFORMS
from benchmarks.limits import Gridding, Stage
from benchmarks.measure import Benchmark, Case, Row, compare
from benchmarks.problems import problem
from benchmarks.report import main

TARGET = 0.8


def sorted_nufft1(g: Gridding) -> list[Stage]:
    return [limits.sort(g), *limits.nufft1(g)]


def measure(case: Case, seconds: float) -> Iterator[Row]:
    p = problem(case.size, case.dtype)
    limit = limits.of_transform(sorted_nufft1, p.x, case.size.modes)
    yield from compare(case, ours.one_shot(p), rivals.ducc0_one_shot(p), p.exact_type1, seconds, TARGET, limit)


CASES = [case for case in TRANSFORMS if case.kind == "nufft1"]
BENCHMARK = Benchmark("one_shot", CASES, measure, quick=CASES[:1])

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
