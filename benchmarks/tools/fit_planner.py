"""Measures what the planner's costs are made of, on one thread of this CPU or on this GPU, and fits their rates.

    python -m benchmarks.tools.fit_planner                  takes six minutes; prints rates beside those in use
    python -m benchmarks.tools.fit_planner --write          writes them to rates.h too: build the extension anew
    python -m benchmarks.tools.fit_planner --check          how often the built planner's choice of direct sums or
                                                            gridding is within 1.2 of the better
    python -m benchmarks.tools.fit_planner --errors         measured errors over those the planner expects
    python -m benchmarks.tools.fit_planner --tables benchmarks/results/h100/kernels.csv
                                                            rates of a GPU from times measured before: see fit_cuda.py

Each time is the least of several medians, and each fit the non-negative one of least relative squares. On a CPU the
stages that meet points are timed alone, then gridded transforms, held plans both, for the rates of work; small
transforms and losses give what calls cost beyond. On a GPU both are CUDA graphs, but for what calls cost.

The coefficients of plan.h's expected_aliasing and expected_rounding are of errors, not of times. They were fitted by
hand, so that nine measured errors in ten stay below; --errors tells whether they do, by dimension and precision.
"""

import argparse
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import product
from pathlib import Path

import numpy as np
import torch

import fastspec as fs
from benchmarks import ours, report, stages
from benchmarks.claims import algorithms
from benchmarks.clocks import CUDA, EAGER, ONE_THREAD, Call, Clock, Graph
from benchmarks.measure import Size, relative_error
from benchmarks.problems import Problem
from benchmarks.tools import costs, fit_cuda
from benchmarks.tools.costs import Rates, Work, total
from benchmarks.tools.fits import Timed, fitted, residuals
from fastspec import _C

ROUNDS = 3
EPS = {torch.float32: (1e-2, 1e-4, 1e-6), torch.float64: (1e-5, 1e-9, 1e-12)}
PRECISIONS = {torch.float32: 1e-6, torch.float64: 1e-12}

LARGE = (
    *(Size(100_000, (n,)) for n in (1_000, 30_000, 300_000)),
    *(Size(100_000, (n, n)) for n in (64, 256, 512)),
    *(Size(30_000, (n, n, n)) for n in (16, 32, 64)),
)
UNEVEN = ((64, 8), (8, 64), (64, 64), (32, 8, 8), (8, 32, 32))  # tell an axis' tables from the sums
SMALL = tuple(Size(points, modes) for modes, points in product((*algorithms.MODES, *UNEVEN), (100, 1000, 3000)))
BY_DIMENSION = {1: ((31,), (200,), (1000,)), 2: ((15, 16), (37, 40)), 3: ((7, 8, 9), (12, 12, 12))}  # for errors
ERROR_EPS = {
    torch.float32: [10**-e for e in (1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5, 6)],
    torch.float64: [10**-e for e in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)],
}
QUICK = LARGE[::3], SMALL[::13]
ON_GPU = (
    *(Size(1_000_000, (n,)) for n in (10_000, 100_000, 1_000_000)),
    *(Size(1_000_000, (n, n)) for n in (128, 512, 2048)),
    *(Size(1_000_000, (n, n, n)) for n in (32, 64, 128)),
)
FEW_ON_GPU = tuple(Size(*size) for size in ((1000, (16, 16)), (1000, (16, 16, 16)), (10_000, (64, 64, 64))))


# --- measuring --------------------------------------------------------------------------------------------------------


def least_medians(calls: dict[str, Call], clock: Clock = ONE_THREAD) -> dict[str, float]:
    """Nanoseconds: the least of some medians, for what disturbs a machine only ever takes time."""
    rounds = [clock.medians(calls, 0, at_least=3) for _ in range(ROUNDS)]
    return {name: 1e9 * min(medians[name] for medians in rounds) for name in calls}


def planned(size: Size, eps: float, dtype: torch.dtype, complex: bool, algorithm: str, device: str = "cpu"):
    p = Problem(size, dtype, device=device)
    plan = fs.Plan(p.x, size.modes, eps=eps, algorithm=algorithm)
    fine, single = stages.gridding(plan), dtype == torch.float32
    return p, plan, Work(size.modes, size.points, single, complex, fine.cells, fine.tile, fine.width)


def both_transforms(p: Problem, plan: fs.Plan, complex: bool) -> dict[str, Call]:
    if complex:
        return {"type 1": lambda: plan.nufft1(p.strengths), "type 2": lambda: plan.nufft2(p.coefficients)}
    strengths, half = p.strengths.real.contiguous(), p.coefficients[..., : p.size.modes[-1] // 2 + 1].contiguous()
    return {"type 1": lambda: plan.rnufft1(strengths), "type 2": lambda: plan.rnufft2(half)}


def both_stages(p: Problem, plan: fs.Plan, complex: bool) -> dict[str, Call]:
    strengths = (p.strengths if complex else p.strengths.real.contiguous())[None, None]
    grid = stages.spread(plan, strengths)
    return {"spread": lambda: stages.spread(plan, strengths), "interpolate": lambda: stages.interpolate(plan, grid)}


def mean_of(calls: dict[str, Call], clock: Clock = ONE_THREAD) -> float:
    return statistics.fmean(least_medians(calls, clock).values())


def gridded(sizes: Sequence[Size], eps_of: dict, clock: Clock = ONE_THREAD) -> Iterator[tuple[Work, float, float]]:
    """Of each case the nanoseconds of a stage that meets points, and of a whole transform."""
    for size, (dtype, tolerances), complex in product(sizes, eps_of.items(), (False, True)):
        for eps in tolerances:
            p, plan, work = planned(size, eps, dtype, complex, "gridding", clock.device)
            calls = both_stages(p, plan, complex), both_transforms(p, plan, complex)
            if clock is CUDA:
                calls = [{name: Graph(call) for name, call in some.items()} for some in calls]
            yield work, *(mean_of(some, clock) for some in calls)


# --- fitting ----------------------------------------------------------------------------------------------------------


def cpu_rates(quick: bool) -> tuple[Rates, list[str]]:
    ONE_THREAD.use(1)
    large, small = QUICK if quick else (LARGE, SMALL)
    rates, said = {}, []

    def learn(of: str, timed: Sequence[Timed]) -> None:
        known = rates | {"known": 1.0}
        rates.update(fitted(timed, known))
        said.append(residuals(of, timed, known | rates))

    alone, whole = [], []
    for work, stage, transform in gridded(large, {k: v[:1] for k, v in EPS.items()} if quick else EPS):
        alone.append(Timed(costs.meeting_points(work), stage))
        whole.append(Timed(costs.gridding(work) | {"calling": 1.0}, transform))
    learn("stages and transforms", alone + whole)
    del rates["calling"]  # small transforms tell it better
    few, by_sums, steps = [], [], []
    for size, (dtype, eps) in product(small, PRECISIONS.items()):
        for complex in (False, True):
            few.append(small_transform(size, eps, dtype, complex, rates))
            by_sums.append(small_sums(size, eps, dtype, complex))
        if size.dim > 1:
            steps.append((size, eps, dtype))
    learn("small transforms", few)
    learn("direct sums", by_sums)
    learn("steps", [extra_of_step(*step, rates) for step in steps])
    return costs.read("cpu_rates") | rates, said


def small_transform(size: Size, eps: float, dtype: torch.dtype, complex: bool, rates: Rates) -> Timed:
    p, plan, work = planned(size, eps, dtype, complex, "gridding")
    cost = {f"call[{size.dim - 1}]": 1.0, f"share[{size.dim - 1}]": total(costs.gridding(work), rates)}
    return Timed(cost, mean_of(both_transforms(p, plan, complex)))


def small_sums(size: Size, eps: float, dtype: torch.dtype, complex: bool) -> Timed:
    p, plan, work = planned(size, eps, dtype, complex, "direct")
    return Timed({"direct_call": 1.0} | costs.direct_sums(work), mean_of(both_transforms(p, plan, complex)))


def extra_of_step(size: Size, eps: float, dtype: torch.dtype, rates: Rates) -> Timed:
    """A loss's step by gridding: one by direct sums, what transforms differ by, and the rest."""
    calls = {}
    for algorithm in ("gridding", "direct"):
        p, plan, work = planned(size, eps, dtype, False, algorithm)
        calls[algorithm] = ours.planned_loss(p, plan)
    measured = least_medians(calls)
    by_gridding, by_sums = costs.planners_steps(work, rates | {"step_ffts": 0.0})
    return Timed({"step_ffts": 1.0, "known": measured["direct"] + by_gridding - by_sums}, measured["gridding"])


def cuda_rates(quick: bool, tables: Sequence[Path] = ()) -> tuple[Rates, list[str]]:
    return fit_cuda.rates(fit_cuda.of_tables(tables) if tables else on_gpu(quick))


def on_gpu(quick: bool) -> fit_cuda.Measured:
    stages_of = [
        fit_cuda.Stage(work, nanoseconds, fft)
        for work, *both in gridded(ON_GPU[::3] if quick else ON_GPU, EPS, CUDA)
        for nanoseconds, fft in zip(both, (False, True), strict=True)
    ]
    return fit_cuda.Measured(stages_of, list(few_on_gpu(quick)))


def few_on_gpu(quick: bool) -> Iterator[Timed]:
    """Calls, with the host's time, and direct sums that are more than a call."""
    for size in FEW_ON_GPU[:1] if quick else FEW_ON_GPU:
        p, plan, _ = planned(size, 1e-6, torch.float32, False, "gridding", EAGER.device)
        yield Timed({"call": 1.0}, mean_of(both_transforms(p, plan, False), EAGER))
        p, plan, work = planned(size, 1e-6, torch.float32, False, "direct", EAGER.device)
        yield Timed(
            {"direct_call": 1.0, "pair": costs.cuda_pairs(work)}, mean_of(both_transforms(p, plan, False), EAGER)
        )


# --- telling ----------------------------------------------------------------------------------------------------------


def provenance(device: str, said: Sequence[str], tables: Sequence[Path] = ()) -> str:
    where = "nanoseconds of one thread" if device == "cpu" else "nanoseconds of the whole device"
    if tables:
        of = f"{', '.join(fit_cuda.devices(tables))}, as {', '.join(path.name for path in tables)} has it"
    else:
        of = f"{report.machine(device)}, torch {torch.__version__}"
    return (
        f"{'Fitted' if tables else 'Measured'} by benchmarks/tools/fit_planner.py, {date.today()}, {where},\n"
        f"on {of}.\n"
        f"Relative residuals, median and nine in ten: {'; '.join(said)}."
    )


def beside(rates: Rates, before: Rates) -> str:
    lines = [(name, f"{rates[name]:.4g}", f"{before[name]:.4g}") for name in rates]
    return report.aligned([("rate", "fitted", "in use"), *lines])


def check(quick: bool) -> str:
    cases = algorithms.QUICK if quick else algorithms.CASES
    benchmark = replace(algorithms.BENCHMARK, cases=cases)
    rows = list(benchmark.rows(quick=False, seconds=report.QUICK_SECONDS))
    missed = [row for row in rows if not row.met]
    found = f"{len(rows) - len(missed)} of {len(rows)} choices are within {algorithms.TARGET} of the better"
    return f"{report.table({'algorithms': missed})}\n{found}" if missed else found


def errors(quick: bool) -> str:
    """Quantiles of measured errors over expected ones, real strengths."""
    lines = [("dimension", "precision", "cases", "half below", "nine in ten", "largest")]
    for of_dim, (dtype, tolerances) in product(BY_DIMENSION.values(), ERROR_EPS.items()):
        cases = list(product(of_dim, tolerances, range(1 if quick else 5)))
        found = np.array([error_ratio(modes, eps, dtype, seed) for modes, eps, seed in cases])
        shown = (f"{np.quantile(found, q):.2f}" for q in (0.5, 0.9, 1))
        lines.append((f"{len(of_dim[0])}-D", str(dtype).removeprefix("torch."), str(len(cases)), *shown))
    return report.aligned(lines)


def expected_error(plan: fs.Plan) -> float:
    """What the planner expects of gridding real strengths."""
    single = plan.x.dtype == torch.float32
    return _C.choose_plan(plan.modes, len(plan.x), plan.eps, single=single, complex=False).error


def error_ratio(modes: tuple[int, ...], eps: float, dtype: torch.dtype, seed: int) -> float:
    gen = torch.Generator().manual_seed(seed)
    x = ((torch.rand(400, len(modes), generator=gen, dtype=torch.float64) - 0.5) * 2 * torch.pi).to(dtype)
    c = torch.randn(400, generator=gen, dtype=torch.float64).to(dtype)
    plan = fs.Plan(x, modes, eps=eps, algorithm="gridding")
    exact = fs.reference.rnufft1(x.double(), c.double(), modes)
    return relative_error(plan.rnufft1(c), exact) / expected_error(plan)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--quick", action="store_true", help="few cases, to see that it works")
    parser.add_argument("--write", action="store_true", help="replace the device's rates")
    parser.add_argument("--check", action="store_true", help="measure the built planner's choices instead")
    parser.add_argument("--errors", action="store_true", help="measure its errors instead")
    parser.add_argument("--tables", type=Path, nargs="+", default=(), help="fit a GPU's rates to these measurements")
    given = parser.parse_args()
    if given.tables:
        given.device = "cuda"
    if given.check or given.errors:
        print((check if given.check else errors)(given.quick))
        return
    if given.device == "cuda" and not given.tables and not torch.cuda.is_available():
        raise SystemExit(f"torch {torch.__version__} finds no CUDA device")
    rates, said = cuda_rates(given.quick, given.tables) if given.device == "cuda" else cpu_rates(given.quick)
    told, name = provenance(given.device, said, given.tables), f"{given.device}_rates"
    print(f"{told}\n\n{beside(rates, costs.read(name))}")
    if given.write:
        costs.write(name, rates, told, costs.RATES)
        print(f"written: {costs.RATES}")


if __name__ == "__main__":
    main()
