"""Claim: the loss's FFTs, axis by axis and cropped in between, take no longer than torch's rfftn and irfftn whole.

The fine grids of the fused loss at 1e-6, both sides as CUDA graphs. Each begins and ends with what the stages beside it
take: a contiguous real grid, and a contiguous half spectrum with its axes reversed. The limit is one read of the one
and one write of the other at the bandwidth of a large copy. Target: each ratio at most 1.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

import fastspec as fs
from benchmarks import stages
from benchmarks.clocks import EAGER
from benchmarks.gpu._cases import SIZES
from benchmarks.limits import copy_bandwidth
from benchmarks.measure import Benchmark, Case, Row, captured, compare
from benchmarks.problems import problem
from benchmarks.report import main

TARGET = 1.0


def whole_fft(plan: fs.Plan, grid: Tensor) -> Tensor:
    spectrum = torch.fft.rfftn(grid, dim=tuple(range(2, grid.ndim)))[..., : plan.modes[-1] // 2 + 1]
    return stages.reversed_axes(spectrum).contiguous()


def whole_inverse(plan: fs.Plan, spectrum: Tensor) -> Tensor:
    fine, cells = stages.reversed_axes(spectrum), stages.gridding(plan).cells
    return torch.fft.irfftn(fine, s=cells, dim=tuple(range(2, fine.ndim)), norm="forward")


def measure(case: Case, seconds: float) -> Iterator[Row]:
    p = problem(case.size, device=EAGER.device)
    plan = fs.Plan(p.x, case.size.modes, eps=case.eps, algorithm="gridding")
    grid = torch.randn(1, 1, *stages.gridding(plan).cells, device=EAGER.device)
    spectrum = stages.fft(plan, grid)
    limit = (grid.nbytes + spectrum.nbytes) / copy_bandwidth(EAGER.device)
    for name, ours, theirs, data in (
        ("FFT", stages.fft, whole_fft, grid),
        ("inverse FFT", stages.inverse_fft, whole_inverse, spectrum),
    ):
        exact = theirs(plan, data.to(torch.promote_types(data.dtype, torch.float64)))
        sides = [captured(who, partial(f, plan, data)) for who, f in (("fastspec", ours), ("torch", theirs))]
        named = replace(case, kind=name)
        yield from compare(named, sides[0], sides[1:], exact, seconds / 2, TARGET, lambda *_: limit, EAGER)


CASES = [Case(size) for size in SIZES]
BENCHMARK = Benchmark("gpu_fft", CASES, measure, quick=CASES[1:2], device="cuda")

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
