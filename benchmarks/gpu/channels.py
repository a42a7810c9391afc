"""Claim: many transforms at once share the work that their common points make.

Type 1 of 32 rows of strengths in 1-D, complex64. Target: each ratio to cuFINUFFT's, in one call as well, at most 0.15.
"""

from functools import partial

from benchmarks import ours
from benchmarks.clocks import CUDA
from benchmarks.gpu.transforms import RIVALS
from benchmarks.measure import Benchmark, Case, Size
from benchmarks.report import main

measure = partial(ours.compare_transforms, rivals=RIVALS, target=0.15, channels=32, clock=CUDA)

CASES = [Case(Size(10_000, (4096,)), kind="nufft1")]
BENCHMARK = Benchmark("gpu_channels", CASES, measure, quick=CASES, device="cuda")

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
