"""Claim: plain complex transforms of both types are faster than cuFINUFFT's, plans held on both sides.

Float32; with the host's time, and as a CUDA graph without it. Target: each ratio at most 0.9.
"""

from functools import partial

from benchmarks import ours
from benchmarks.clocks import CUDA
from benchmarks.gpu import _cufinufft
from benchmarks.gpu._cases import EPS, SIZES
from benchmarks.measure import Benchmark, Case
from benchmarks.report import main

RIVALS = {"nufft1": _cufinufft.nufft1, "nufft2": _cufinufft.nufft2}

measure = partial(ours.compare_transforms, rivals=RIVALS, target=0.9, clock=CUDA)

CASES = [Case(size, eps, kind=kind) for size in SIZES for eps in EPS for kind in RIVALS]
BENCHMARK = Benchmark("gpu_transforms", CASES, measure, quick=CASES[2:4] + CASES[6:8], device="cuda")

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
