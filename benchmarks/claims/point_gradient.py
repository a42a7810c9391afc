"""Claim: a gradient in the points costs the work of a transform or so in any number of dimensions, not d of them.

The extra of a gradient is the time of forward and backward, with the points alone wanting a gradient, less the time of
forward; the ratio is that extra over forward, all on one plan held on points that require a gradient. Ours against
ours: what other libraries offer is one more transform for each dimension. Target: each ratio at most 1.6.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

import fastspec as fs
from benchmarks.clocks import CPU, Call
from benchmarks.measure import SIZES, Benchmark, Case, Figure, Row, as_measured, relative_error
from benchmarks.problems import Problem, problem
from benchmarks.report import main

TARGET = 1.6


def forward_of(p: Problem, x: Tensor, case: Case) -> Callable[[], Tensor]:
    plan = fs.Plan(x, case.size.modes, eps=case.eps)
    return (lambda: plan.nufft1(p.strengths)) if case.kind == "nufft1" else (lambda: plan.nufft2(p.coefficients))


def calls_of(p: Problem, case: Case) -> tuple[Call, Call]:
    """The plain transform, and the transform with its gradient in the points, which is what it returns."""
    x = p.x.clone().requires_grad_()
    forward, cotangent = forward_of(p, x, case), p.coefficients if case.kind == "nufft1" else p.strengths
    return torch.no_grad()(forward), lambda: torch.autograd.grad(forward(), x, cotangent)[0]


def exact(p: Problem, case: Case) -> Tensor:
    """The gradient of Re(conj(cotangent) . transform); for both types the strengths of one are the other's cotangent.

    Type 1's slopes have the sign of type 2's, for the conjugate is on the modes.
    """
    return p.exact_point_gradient(p.strengths, p.coefficients)


def measure(case: Case, seconds: float) -> Iterator[Row]:
    p = problem(case.size, case.dtype)
    setting = as_measured(relative_error(calls_of(p, case)[1](), exact(p, case)), case.eps)
    for threads in CPU.settings():
        plain, with_gradient = calls_of(p, case)
        medians = CPU.medians({"plain": plain, "both": with_gradient}, seconds)
        extra = Figure("extra of the gradient", 1e3 * (medians["both"] - medians["plain"]), setting)
        transform = Figure("plain transform", 1e3 * medians["plain"])
        note = f"elsewhere {case.size.dim + 1} transforms in all"
        yield Row(str(case), threads, extra, transform, TARGET, note=note)


CASES = [Case(size, kind=kind) for size in (SIZES[0], SIZES[1], SIZES[3]) for kind in ("nufft1", "nufft2")]
BENCHMARK = Benchmark("point_gradient", CASES, measure, quick=CASES[:2])

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
