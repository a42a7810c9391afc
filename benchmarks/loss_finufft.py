"""Claim: the weighted loss with its gradient is at least four times as fast as through pytorch-finufft.

Float32, both under autograd; pytorch-finufft plans at each call, for it has no plans to hold. Target: each ratio at
most 0.25.
"""

from collections.abc import Iterator

import limits
import ours
import rivals
from common import Benchmark, Case, Row, Size, compare
from problems import problem
from report import main

TARGET = 0.25


def measure(case: Case, seconds: float) -> Iterator[Row]:
    p = problem(case.size, case.dtype)
    limit = limits.of_loss(p.x, case.size.modes)
    yield from compare(case, ours.loss(p), rivals.pytorch_finufft_loss(p), p.exact_gradient, seconds, TARGET, limit)


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
