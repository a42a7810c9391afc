"""Claim: on a small problem, autograd and Python around the loss cost no more than a second transform pair would.

1,000 points and 200 modes, 16 x 16, or 8 x 8 x 8: the loss and backward through autograd, against the two bare calls of
ducc0 with plans held. Target: at most twice their time with one thread, at most their time with two.
"""

from collections.abc import Iterator

import limits
import ours
import rivals
import torch
from common import Benchmark, Case, Row, Size, compare
from problems import problem
from report import main

TARGET = {1: 2.0, 2: 1.0}


def measure(case: Case, seconds: float) -> Iterator[Row]:
    p = problem(case.size, case.dtype)
    limit = limits.of_loss(p.x, case.size.modes)
    yield from compare(case, ours.loss(p), [rivals.ducc0_bare_calls(p)], p.exact_gradient, seconds, TARGET, limit)


CASES = [
    *(Case(Size(1_000, modes)) for modes in ((200,), (16, 16), (8, 8, 8))),
    Case(Size(1_000, (8, 8, 8)), 1e-12, torch.float64),
]
BENCHMARK = Benchmark("small", CASES, measure, quick=CASES[:1])

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
