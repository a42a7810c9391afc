"""Claim: on a small problem, autograd and Python around the loss cost no more than a second transform pair would.

1,000 points and 200 modes, 16 x 16, or 8 x 8 x 8: the loss and backward through autograd, against the two bare calls of
ducc0 with plans held. Target: at most twice their time with one thread, at most their time with two.
"""

from functools import partial

import torch

from benchmarks import ours, rivals
from benchmarks.measure import Benchmark, Case, Size
from benchmarks.report import main

measure = partial(ours.compare_loss, rivals=rivals.ducc0_bare_calls, target={1: 2.0, 2: 1.0})

CASES = [
    *(Case(Size(1_000, modes)) for modes in ((200,), (16, 16), (8, 8, 8))),
    Case(Size(1_000, (8, 8, 8)), 1e-12, torch.float64),
]
BENCHMARK = Benchmark("small", CASES, measure, quick=CASES[:1])

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
