"""Claim: so does the loss in float64 at eps = 1e-12.

Target: the ratio to ducc0 by hand at most 0.5.
"""

import torch

from benchmarks.claims.loss import measure
from benchmarks.measure import Benchmark, Case, Size
from benchmarks.report import main

BENCHMARK = Benchmark(
    "loss_float64",
    cases=[Case(Size(1_000_000, (512, 512)), 1e-12, torch.float64)],
    measure=measure,
    quick=[Case(Size(100_000, (128, 128)), 1e-12, torch.float64)],
)

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
