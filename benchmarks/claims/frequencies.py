"""Claim: the loss on frequencies takes at most a fifth of chunked cosines, sines and matrix products in torch.

Type 3 in eight dimensions, loss and gradient through autograd, float32; torch by hand, without autograd, in chunks of
the better of two sizes. Target: each ratio at most 0.2.
"""

from collections.abc import Iterator

from benchmarks.measure import Benchmark, Row, compare
from benchmarks.pairs import OnFrequencies, loss_on_frequencies, torch_on_frequencies
from benchmarks.report import main

TARGET = 0.2


def measure(case: OnFrequencies, seconds: float) -> Iterator[Row]:
    rivals = [torch_on_frequencies(case, chunk) for chunk in (128, 2048)]
    yield from compare(case, loss_on_frequencies(case), rivals, case.exact, seconds, TARGET)


CASES = [OnFrequencies(20_000, 2_000, 8)]
BENCHMARK = Benchmark("frequencies", CASES, measure, quick=[OnFrequencies(5_000, 500, 8)])

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
