"""Claim: the weighted loss with its gradient is at least four times as fast as through pytorch-finufft.

Float32, both under autograd; pytorch-finufft plans at each call, for it has no plans to hold. Target: each ratio at
most 0.25.
"""

from functools import partial

from benchmarks import ours, rivals
from benchmarks.measure import Benchmark, Case, Size
from benchmarks.report import main

measure = partial(ours.compare_loss, rivals=rivals.pytorch_finufft_loss, target=0.25)

CASES = [
    Case(Size(1_000, (200,))),
    Case(Size(100_000, (1_000,))),
    Case(Size(10_000, (64, 64))),
    Case(Size(1_000_000, (512, 512))),
    Case(Size(100_000, (64, 64, 64))),
]
BENCHMARK = Benchmark("loss_finufft", CASES, measure, quick=CASES[:1], passive=True)

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
