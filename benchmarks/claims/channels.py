"""Claim: many channels at once share the work that their common points make.

The loss with its gradient of 32 channels on 1e5 points in 2-D, float32, against ducc0 by hand, which takes all channels
in one call of a held plan as well. Target: the ratio at most 0.35.
"""

from functools import partial

from benchmarks import ours, rivals
from benchmarks.measure import Benchmark, Case, Size
from benchmarks.report import main

CHANNELS = 32

measure = partial(ours.compare_loss, rivals=rivals.ducc0_loss, target=0.35, channels=CHANNELS)

KIND = f"{CHANNELS} channels,"
BENCHMARK = Benchmark(
    "channels",
    cases=[Case(Size(100_000, (128, 128)), kind=KIND)],
    measure=measure,
    quick=[Case(Size(10_000, (64, 64)), kind=KIND)],
)

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
