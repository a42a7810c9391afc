"""Claim: plain complex transforms of both types are faster than ducc0's, plans held on both sides.

Float32. Target: each ratio at most 0.9, their geometric mean at most 0.6.
"""

from functools import partial

from benchmarks import ours, rivals
from benchmarks.measure import SIZES, Benchmark, Case, Size
from benchmarks.report import main

MANY_MODES = Size(1_000_000, (1_000_000,))

measure = partial(
    ours.compare_transforms, rivals={"nufft1": rivals.ducc0_nufft1, "nufft2": rivals.ducc0_nufft2}, target=0.9
)

CASES = [
    Case(size, eps, kind=kind) for size in (*SIZES, MANY_MODES) for eps in (1e-6, 1e-3) for kind in ("nufft1", "nufft2")
]
BENCHMARK = Benchmark("transforms", CASES, measure, quick=CASES[:2], mean_target=0.6)

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
