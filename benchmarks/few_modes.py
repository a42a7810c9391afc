"""Claim: where few modes in 2-D would favour another algorithm, the loss is still faster than gridding by ducc0.

10,000 points, 32 x 32 modes, float32: the loss and backward through autograd, against ducc0's two transforms and weight
by hand in NumPy. Target: each ratio at most 0.6.
"""

from collections.abc import Iterator

import limits
import ours
import rivals
from common import Benchmark, Case, Row, Size, compare
from problems import problem
from report import main

TARGET = 0.6


def measure(case: Case, seconds: float) -> Iterator[Row]:
    p = problem(case.size, case.dtype)
    limit = limits.of_loss(p.x, case.size.modes)
    yield from compare(case, ours.loss(p), [rivals.ducc0_loss(p)], p.exact_gradient, seconds, TARGET, limit)


CASES = [Case(Size(10_000, (32, 32)), eps) for eps in (1e-6, 1e-3)]
BENCHMARK = Benchmark("few_modes", CASES, measure, quick=CASES[:1])

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
