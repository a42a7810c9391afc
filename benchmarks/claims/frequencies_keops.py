"""Claim: the loss on frequencies takes at most half of the same sums by pykeops.

Type 3 in eight dimensions, loss and gradient through autograd, float32; pykeops by hand, without autograd. It brings
threads of its own, which it takes from OMP_NUM_THREADS, so it always has all. Target: the ratio at most 0.5 with two
threads.
"""

from collections.abc import Iterator

from benchmarks.measure import Benchmark, Row, compare
from benchmarks.pairs import OnFrequencies, keops_on_frequencies, loss_on_frequencies
from benchmarks.report import main

TARGET = 0.5


def measure(case: OnFrequencies, seconds: float) -> Iterator[Row]:
    rows = compare(case, loss_on_frequencies(case), [keops_on_frequencies(case)], case.exact, seconds, TARGET)
    yield from (row for row in rows if row.threads == 2)


CASES = [OnFrequencies(20_000, 2_000, 8)]
QUICK = [OnFrequencies(5_000, 500, 8)]
BENCHMARK = Benchmark("frequencies_keops", CASES, measure, quick=QUICK, rows_per_case=1, passive=True)

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
