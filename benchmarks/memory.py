"""Claim: beyond points and plan, the loss with its gradient needs little more than the fine grid and its half spectrum.

The growth of the peak resident set over a first forward and backward, in a process of its own, the points and the plan
held beforehand and the libraries warmed up on a small problem. Float32. Target: at most 1.3 times the bytes of the real
fine grid, its half spectrum, and 8 bytes for each point: a residual and a gradient.
"""

import ctypes
import gc
import json
import math
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from common import THREADS, Benchmark, Case, Figure, Row, Size
from problems import Problem
from report import main

TARGET = 1.3
CHILD = "--measure"
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
    import fastspec as fs

    loss = fs.SpectralLoss(p.size.modes, x=p.x, weight=p.weight, eps=1e-6)
    return loss.plan.layout.cells, lambda: loss(p.pred, p.target).backward()


def growth(points: int, threads: int, modes: list[int]) -> dict[str, int]:
    """Run in a process of its own: bytes the first step adds to the peak, and bytes of what it cannot do without."""
    import torch

    torch.set_num_threads(threads)
    loss_step(Problem(Size(50_000, tuple(32 for _ in modes))))[1]()
    p = Problem(Size(points, tuple(modes)))
    cells, step = loss_step(p)
    p.pred, p.target  # noqa: B018  (made when first asked for)
    settle()
    before = status("VmRSS")
    step()
    spectrum = math.prod(cells[:-1]) * (cells[-1] // 2 + 1)
    return {"growth": status("VmHWM") - before, "needed": 4 * math.prod(cells) + 8 * spectrum + 8 * points}


def in_a_process(case: Case, threads: int) -> dict[str, int]:
    arguments = [case.size.points, threads, *case.size.modes]
    command = [sys.executable, str(Path(__file__).resolve()), CHILD, *map(str, arguments)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def measure(case: Case, seconds: float) -> Iterator[Row]:
    """Medians over one process, and one more for each second: what an allocator keeps differs from run to run."""
    for threads in THREADS:
        runs = [in_a_process(case, threads) for _ in range(1 + int(seconds))]
        growth, needed = (statistics.median(run[key] for run in runs) / 2**20 for key in ("growth", "needed"))
        figures = Figure("fastspec", growth), Figure("grids and 8 bytes a point", needed)
        yield Row(str(case), threads, *figures, TARGET, unit="MiB")


CASES = [Case(Size(1_000_000, (512, 512))), Case(Size(1_000_000, (128, 128, 128)))]
BENCHMARK = Benchmark("memory", CASES, measure, quick=CASES[:1])

if __name__ == "__main__":
    if sys.argv[1:2] == [CHILD]:
        points, threads, *modes = map(int, sys.argv[2:])
        print(json.dumps(growth(points, threads, modes)))
    else:
        main(BENCHMARK, __doc__)
