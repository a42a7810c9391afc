"""Claim: the weighted loss with its gradient takes at most half of ducc0's two transforms and weight by hand in NumPy.

Float32, the points held, plans made once. Target: each ratio at most 0.5, their geometric mean at most 0.35.
"""

from functools import partial

from benchmarks import ours, rivals
from benchmarks.measure import SIZES, Benchmark, Case
from benchmarks.report import main

measure = partial(ours.compare_loss, rivals=rivals.ducc0_loss, target=0.5)

CASES = [Case(size, eps) for size in SIZES for eps in (1e-6, 1e-3)]
BENCHMARK = Benchmark("loss", CASES, measure, quick=CASES[:1], mean_target=0.35)

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
