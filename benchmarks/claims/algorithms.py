"""Claim: the planner takes direct sums or gridding, whichever takes less time.

Transforms of type 1 with complex and with real strengths, and the loss with its gradient, plans held and one thread,
from 100 to 3,000 points and from 16 to 4,096 modes. The rival is the algorithm not taken. Target: each ratio at most
1.2, so that a wrong choice costs little.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product

import torch
from torch import Tensor

import fastspec as fs
from benchmarks import ours, stages
from benchmarks.clocks import CPU
from benchmarks.measure import Benchmark, Case, Figure, Row, Size, as_measured, relative_error
from benchmarks.problems import Problem, problem
from benchmarks.report import main

TARGET = 1.2


def measure(case: Case, seconds: float) -> Iterator[Row]:
    CPU.use(1)
    p, exact = problem(case.size, case.dtype), EXACT[case.kind]
    plans = {name: fs.Plan(p.x, case.size.modes, eps=case.eps, algorithm=name) for name in ("direct", "gridding")}
    calls = {name: CALLS[case.kind](p, plan) for name, plan in plans.items()}
    medians = CPU.medians(calls, seconds / 10)
    settings = {name: as_measured(relative_error(call(), exact(p)), case.eps) for name, call in calls.items()}
    figures = [Figure(name, 1e3 * medians[name], settings[name]) for name in calls]
    direct = stages.takes_direct_sums(fs.Plan(p.x, case.size.modes, eps=case.eps), case.kind)
    yield Row(str(case), 1, *(figures if direct else reversed(figures)), TARGET)


def real_strengths(p: Problem) -> Tensor:
    return p.strengths.real.contiguous()


CALLS: dict[str, Callable[[Problem, fs.Plan], Callable[[], Tensor]]] = {
    "nufft1": lambda p, plan: partial(plan.nufft1, p.strengths),
    "rnufft1": lambda p, plan: partial(plan.rnufft1, real_strengths(p)),
    "loss": ours.planned_loss,
}
EXACT = {
    "nufft1": lambda p: fs.reference.nufft1(p.x.double(), p.strengths.to(torch.complex128), p.size.modes),
    "rnufft1": lambda p: fs.reference.rnufft1(p.x.double(), real_strengths(p).double(), p.size.modes),
    "loss": lambda p: p.exact_gradient,
}

MODES = [(16,), (64,), (256,), (8, 8), (16, 16), (32, 32), (4, 4, 4), (8, 8, 8), (16, 16, 16)]
PRECISIONS = {torch.float32: 1e-6, torch.float64: 1e-12}
CASES = [
    Case(Size(points, modes), eps, dtype, kind)
    for modes, (dtype, eps), points, kind in product(MODES, PRECISIONS.items(), (100, 300, 1000, 3000), CALLS)
]
QUICK = [case for case in CASES if case.size.points == 300 and case.dtype == torch.float32]
BENCHMARK = Benchmark("algorithms", CASES, measure, quick=QUICK, rows_per_case=1)

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
