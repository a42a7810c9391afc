"""Claim: where few modes in 2-D would favour another algorithm, the loss is still faster than gridding by ducc0.

10,000 points, 32 x 32 modes, float32: the loss and backward through autograd, against ducc0's two transforms and weight
by hand in NumPy. Target: each ratio at most 0.6.
"""

from functools import partial

from benchmarks import ours, rivals
from benchmarks.measure import Benchmark, Case, Size
from benchmarks.report import main

measure = partial(ours.compare_loss, rivals=rivals.ducc0_loss, target=0.6)

CASES = [Case(Size(10_000, (32, 32)), eps) for eps in (1e-6, 1e-3)]
BENCHMARK = Benchmark("few_modes", CASES, measure, quick=CASES[:1])

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
