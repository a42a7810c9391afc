"""Not a claim: the stages of the loss on a GPU one by one, each as a CUDA graph, against its own limit.

The limit is to read each stage's inputs and write its outputs once, at the bandwidth of a large copy. Target: none,
but that of `weigh` on 2048 x 2048 cells, within the band everywhere: 80 % of that bandwidth, so 1.25 times the limit.
"""

from collections.abc import Iterator
from dataclasses import replace

import torch

import fastspec as fs
from benchmarks import stages
from benchmarks.clocks import CUDA, Call, Graph
from benchmarks.gpu._cases import EPS, SIZES
from benchmarks.limits import copy_bandwidth
from benchmarks.measure import Benchmark, Case, Figure, Row, Size
from benchmarks.problems import problem
from benchmarks.report import main

WEIGH, COPIES, TARGET = "weigh alone,", 16, 1.25  # several spectra take turns, so that none is still in cache


def measure(case: Case, seconds: float) -> Iterator[Row]:
    yield from weigh_row(case, seconds) if case.kind == WEIGH else stage_rows(case, seconds)


def stage_rows(case: Case, seconds: float) -> Iterator[Row]:
    p = problem(case.size, device=CUDA.device)
    plan = fs.Plan(p.x, case.size.modes, eps=case.eps, algorithm="gridding")
    fine, strengths = stages.gridding(plan), (p.pred.detach() - p.target)[None, None]
    grid = stages.spread(plan, strengths)
    spectrum, table = stages.fft(plan, grid), stages.weight_that_changes_nothing(plan)
    points = p.x.nbytes + 4 * len(p.x) + strengths.nbytes + grid.nbytes
    calls: dict[str, tuple[Call, int]] = {
        "spread": (lambda: stages.spread(plan, strengths), points),
        "FFT": (lambda: stages.fft(plan, grid), grid.nbytes + spectrum.nbytes),
        "weigh": (lambda: stages.weigh(spectrum, table), 2 * spectrum.nbytes + table.nbytes),
        "inverse FFT": (lambda: stages.inverse_fft(plan, spectrum), grid.nbytes + spectrum.nbytes),
        "interpolate": (lambda: stages.interpolate(plan, grid), points),
    }
    note = f"cells {fine.cells}, tiles {fine.tile}, width {fine.width}"
    for name, (call, moved) in calls.items():
        yield stage_row(f"{name} {case}", call, moved, seconds / 4, note=note)


def stage_row(case: str, call: Call, moved: int, seconds: float, **more) -> Row:
    """``moved``: bytes."""
    median = CUDA.medians({"fastspec": Graph(call)}, seconds)["fastspec"]
    limit = 1e3 * moved / copy_bandwidth(CUDA.device)
    return Row(case, None, Figure("fastspec", 1e3 * median), limit=limit, device=CUDA.name, **more)


def weigh_row(case: Case, seconds: float) -> Iterator[Row]:
    """COPIES passes over as many spectra are one graph."""
    rows, columns = case.size.modes
    shape = COPIES, 1, 1, columns // 2 + 1, rows
    spectra = list(torch.randn(shape, device=CUDA.device, dtype=torch.complex64))
    table = torch.full((1, columns // 2 + 1, rows - 1), 0.5, device=CUDA.device)
    moved = COPIES * (2 * spectra[0].nbytes + table.nbytes)
    row = stage_row(str(case), lambda: [stages.weigh(s, table) for s in spectra], moved, seconds, target=TARGET)
    yield replace(row, rival=Figure("limit", row.limit))


CASES = [Case(size, eps) for size in SIZES for eps in EPS] + [Case(Size(0, (2048, 2048)), kind=WEIGH)]
BENCHMARK = Benchmark(
    "gpu_stages", CASES, measure, quick=[CASES[1], CASES[3], CASES[-1]], rows_per_case=5, device="cuda"
)

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
