"""Claim: the weighted loss with its gradient takes at most half of ducc0's two transforms and weight by hand in NumPy.

Float32, the points held, plans made once. Target: each ratio at most 0.5, their geometric mean at most 0.35.
"""

from collections.abc import Iterator

import limits
import ours
import rivals
from common import SIZES, Benchmark, Case, Row, compare
from problems import problem
from report import main

TARGET = 0.5


def measure(case: Case, seconds: float) -> Iterator[Row]:
    p = problem(case.size, case.dtype)
    limit = limits.of_loss(p.x, case.size.modes)
    yield from compare(case, ours.loss(p), [rivals.ducc0_loss(p)], p.exact_gradient, seconds, TARGET, limit)


CASES = [Case(size, eps) for size in SIZES for eps in (1e-6, 1e-3)]
BENCHMARK = Benchmark("loss", CASES, measure, quick=CASES[:1], mean_target=0.35)

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
