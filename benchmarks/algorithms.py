"""Claim: the planner takes direct sums or gridding, whichever takes less time.

Transforms of type 1 with plans held and one thread, complex and real strengths, from 100 to 3,000 points and from 16 to
4,096 modes. The rival is the algorithm not taken. Target: each ratio at most 1.2, so that a wrong choice costs little.
"""

from collections.abc import Iterator
from functools import partial
from itertools import product

import torch
from common import Benchmark, Case, Figure, Row, Setting, Size, interleaved_medians, relative_error
from problems import problem
from report import main

import fastspec as fs

TARGET = 1.2


def measure(case: Case, seconds: float) -> Iterator[Row]:
    torch.set_num_threads(1)
    p, modes = problem(case.size, case.dtype), case.size.modes
    plans = {name: fs.Plan(p.x, modes, eps=case.eps, algorithm=name) for name in ("direct", "gridding")}
    data = p.strengths.real.contiguous() if case.kind == "rnufft1" else p.strengths
    wide = data.to(torch.promote_types(data.dtype, torch.float64))
    exact = getattr(fs.reference, case.kind)(p.x.double(), wide, modes)
    calls = {name: partial(getattr(plan, case.kind), data) for name, plan in plans.items()}
    medians = interleaved_medians(calls, seconds / 10, at_least=5)
    figures = [figure(name, 1e3 * medians[name], relative_error(calls[name](), exact), case.eps) for name in calls]
    layout = fs.Plan(p.x, modes, eps=case.eps).layout
    direct = layout.half_direct if case.kind == "rnufft1" else layout.direct
    yield Row(str(case), 1, *(figures if direct else reversed(figures)), TARGET)


def figure(name: str, milliseconds: float, error: float, eps: float) -> Figure:
    return Figure(name, milliseconds, Setting(eps, error, error <= eps))


MODES = [(16,), (64,), (256,), (8, 8), (16, 16), (32, 32), (4, 4, 4), (8, 8, 8), (16, 16, 16)]
PRECISIONS = {torch.float32: 1e-6, torch.float64: 1e-12}
CASES = [
    Case(Size(points, modes), eps, dtype, kind)
    for modes, (dtype, eps), points, kind in product(
        MODES, PRECISIONS.items(), (100, 300, 1000, 3000), ("nufft1", "rnufft1")
    )
]
QUICK = [case for case in CASES if case.size.points == 300 and case.dtype == torch.float32]
BENCHMARK = Benchmark("algorithms", CASES, measure, quick=QUICK, rows_per_case=1)

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
