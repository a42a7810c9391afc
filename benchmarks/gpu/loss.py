"""Claim: the weighted loss with its gradient takes at most half of cuFINUFFT's two transforms and weight by hand.

Float32, the points held, plans made once; with the host's time, and as a CUDA graph without it. Target: each ratio at
most 0.5.
"""

from functools import partial

from benchmarks import ours
from benchmarks.clocks import CUDA
from benchmarks.gpu import _cufinufft
from benchmarks.gpu._cases import EPS, SIZES
from benchmarks.measure import Benchmark, Case
from benchmarks.report import main

measure = partial(ours.compare_loss, rivals=_cufinufft.losses, target=0.5, ours=ours.loss_gradient, clock=CUDA)

CASES = [Case(size, eps) for size in SIZES for eps in EPS]
BENCHMARK = Benchmark("gpu_loss", CASES, measure, quick=CASES[1:4:2], device="cuda")

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
