"""Claim: direct sums between few points and few modes take at most the time of gridding, and half that of plain torch.

Real numbers at 1e3 and 1e4 points and 16^2 to 16^3 modes, float32. Plans against plans, ops against ops, all as CUDA
graphs. The limit is to read and write each number once, at the bandwidth of a large copy. Target: the ratio at most 1
to gridding, at most 0.5 to plain torch.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor

import fastspec as fs
from benchmarks import stages
from benchmarks.clocks import EAGER, Call
from benchmarks.limits import copy_bandwidth
from benchmarks.measure import Benchmark, Case, Row, Size, captured, compare
from benchmarks.report import main


class OnModes:
    """Real strengths to half spectra, and half spectra to values and the gradient in the points."""

    def __init__(self, size: Size):
        gen = torch.Generator(EAGER.device).manual_seed(0)
        self.modes = size.modes
        self.x = torch.rand(size.points, size.dim, generator=gen, device=EAGER.device)
        self.c, self.g = torch.randn(2, size.points, generator=gen, device=EAGER.device)
        self.f = fs.reference.rnufft1(self.x, self.c, size.modes, period=1.0)

    def by_plan(self, algorithm: str) -> dict[str, Call]:
        plan = fs.Plan(self.x, self.modes, period=1.0, algorithm=algorithm)
        moving = fs.Plan(self.x.clone().requires_grad_(), self.modes, period=1.0, algorithm=algorithm)
        return {
            "type 1": lambda: plan.rnufft1(self.c),
            "gradient of type 2": lambda: torch.autograd.grad(moving.rnufft2(self.f), moving.x, self.g)[0],
        }

    def by_ops(self, in_torch: bool) -> dict[str, Call]:
        return stages.direct_sums(self.x, self.c, self.f, self.g, self.modes, in_torch)

    @cached_property
    def exact(self) -> dict[str, Tensor]:
        x, f = self.x.double().requires_grad_(), self.f.to(torch.complex128)
        values = fs.reference.rnufft2(x, f, self.modes, period=1.0)
        return {
            "type 1": fs.reference.rnufft1(x.detach(), self.c.double(), self.modes, period=1.0),
            "gradient of type 2": torch.autograd.grad(values, x, self.g.double())[0],
        }


def measure(case: Case, seconds: float) -> Iterator[Row]:
    p = OnModes(case.size)
    limit = (p.x.nbytes + p.c.nbytes + p.f.nbytes) / copy_bandwidth(EAGER.device)
    for rival, target, ours, theirs in (
        ("gridding", 1.0, p.by_plan("direct"), p.by_plan("gridding")),
        ("plain torch", 0.5, p.by_ops(False), p.by_ops(True)),
    ):
        for work, exact in p.exact.items():
            sides = captured("fastspec", ours[work]), [captured(rival, theirs[work])]
            named = replace(case, kind=work)
            yield from compare(named, *sides, exact, seconds / 2, target, lambda *_: limit, EAGER)


CASES = [Case(Size(points, modes), 5e-6) for points in (1000, 10_000) for modes in ((16, 16), (32, 32), (16, 16, 16))]
BENCHMARK = Benchmark("gpu_few_modes", CASES, measure, quick=CASES[:1], rows_per_case=4, device="cuda")

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
