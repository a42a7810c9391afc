"""Claim: beyond points and plan, the loss with its gradient needs little more than the fine grid and its half spectrum.

The growth of the peak resident set over a first forward and backward, in a process of its own, the points and the plan
held beforehand and the libraries warmed up on a small problem. Float32. Target: at most 1.3 times the bytes of the real
fine grid, its half spectrum, and 8 bytes for each point: a residual and a gradient.
"""

import ctypes
import gc
import math
import statistics
from collections.abc import Iterator
from pathlib import Path

import torch

import fastspec as fs
from benchmarks import stages
from benchmarks.clocks import CPU
from benchmarks.measure import Benchmark, Case, Figure, Row, Size
from benchmarks.problems import Problem
from benchmarks.processes import in_a_process
from benchmarks.report import main

TARGET = 1.3
RESET_PEAK = "5"  # see proc(5), clear_refs


def status(field: str) -> int:
    """Bytes, from this process' status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field + ":"))


def settle() -> None:
    """Gives freed memory back to the system, which would otherwise serve the step without the resident set growing."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text(RESET_PEAK)


def loss_step(p: Problem):
    loss = fs.SpectralLoss(p.size.modes, x=p.x, weight=p.weight, eps=1e-6)
    return stages.gridding(loss.plan).cells, lambda: loss(p.pred, p.target).backward()


def growth(size: Size, threads: int) -> dict[str, int]:
    """Run in a process of its own: bytes the first step adds to the peak, and bytes of what it cannot do without."""
    torch.set_num_threads(threads)
    loss_step(Problem(Size(50_000, (32,) * size.dim)))[1]()
    p = Problem(size)
    cells, step = loss_step(p)
    p.pred, p.target  # noqa: B018  (made when first asked for)
    settle()
    before = status("VmRSS")
    step()
    spectrum = math.prod(cells[:-1]) * (cells[-1] // 2 + 1)
    return {"growth": status("VmHWM") - before, "needed": 4 * math.prod(cells) + 8 * spectrum + 8 * size.points}


def measure(case: Case, seconds: float) -> Iterator[Row]:
    """Medians over one process, and one more for each second: what an allocator keeps differs from run to run."""
    for threads in CPU.threads:
        runs = [in_a_process(growth, case.size, threads) for _ in range(1 + int(seconds))]
        grown, needed = (statistics.median(run[key] for run in runs) / 2**20 for key in ("growth", "needed"))
        figures = Figure("fastspec", grown), Figure("grids and 8 bytes a point", needed)
        yield Row(str(case), threads, *figures, TARGET, unit="MiB")


CASES = [Case(Size(1_000_000, (512, 512))), Case(Size(1_000_000, (128, 128, 128)))]
BENCHMARK = Benchmark("memory", CASES, measure, quick=CASES[:1])

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
