"""Claim: many channels at once share the work that their common points make.

The loss with its gradient of 32 channels on 1e5 points in 2-D, float32, against ducc0 by hand, which takes all channels
in one call of a held plan as well. Target: the ratio at most 0.35.
"""

from collections.abc import Iterator

import limits
import ours
import rivals
from common import Benchmark, Case, Row, Size, compare
from problems import Problem
from report import main

TARGET = 0.35
CHANNELS = 32


def measure(case: Case, seconds: float) -> Iterator[Row]:
    p = Problem(case.size, case.dtype, CHANNELS)
    limit = limits.of_loss(p.x, case.size.modes, CHANNELS)
    yield from compare(case, ours.loss(p), [rivals.ducc0_loss(p)], p.exact_gradient, seconds, TARGET, limit)


KIND = f"{CHANNELS} channels,"
BENCHMARK = Benchmark(
    "channels",
    cases=[Case(Size(100_000, (128, 128)), kind=KIND)],
    measure=measure,
    quick=[Case(Size(10_000, (64, 64)), kind=KIND)],
)

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
