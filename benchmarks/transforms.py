"""Claim: plain complex transforms of both types are faster than ducc0's, plans held on both sides.

Float32. Target: each ratio at most 0.9, their geometric mean at most 0.6.
"""

from collections.abc import Iterator

import limits
import ours
import rivals
from common import SIZES, Benchmark, Case, Row, Size, compare
from problems import problem
from report import main

TARGET = 0.9
MANY_MODES = Size(1_000_000, (1_000_000,))


def measure(case: Case, seconds: float) -> Iterator[Row]:
    p = problem(case.size, case.dtype)
    if case.kind == "nufft1":
        contenders, exact, stages = (ours.nufft1(p), [rivals.ducc0_nufft1(p)]), p.exact_type1, limits.nufft1
    else:
        contenders, exact, stages = (ours.nufft2(p), [rivals.ducc0_nufft2(p)]), p.exact_type2, limits.nufft2
    yield from compare(case, *contenders, exact, seconds, TARGET, limits.of_transform(stages, p.x, case.size.modes))


CASES = [
    Case(size, eps, kind=kind) for size in (*SIZES, MANY_MODES) for eps in (1e-6, 1e-3) for kind in ("nufft1", "nufft2")
]
BENCHMARK = Benchmark("transforms", CASES, measure, quick=CASES[:2], mean_target=0.6)

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
