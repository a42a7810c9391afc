"""What the benchmarks on a GPU share: timing by events, this GPU's own ceilings, and the row that comes of a case."""

import argparse
import csv
import os
import statistics
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path

import torch
import triton
import triton.language as tl
from torch import Tensor

Call = Callable[[], object]


@dataclass(frozen=True)
class GpuRow:
    case: str
    ours_ms: float
    rival: str
    rival_ms: float
    ratio: float
    target: float
    limit_ms: float  # least time this GPU could take
    share_of_limit: float
    ours_error: float
    rival_error: float
    device: str


def row(case, times: dict[str, float], errors: dict[str, float], rival: str, target: float, limit_ms: float) -> GpuRow:
    ours = times["fastspec"]
    name = torch.cuda.get_device_name()
    share, ratio = limit_ms / ours, ours / times[rival]
    return GpuRow(
        case, ours, rival, times[rival], ratio, target, limit_ms, share, errors["fastspec"], errors[rival], name
    )


def medians(calls: dict[str, Call], seconds: float = 5.0, at_least: int = 5) -> dict[str, float]:
    """Median milliseconds on the device, the calls taking turns, after two of each to tune and warm up."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
        call()
    torch.cuda.synchronize()
    spent = 0.0
    while spent < 1e3 * seconds or len(next(iter(times.values()))) < at_least:
        for name, call in calls.items():
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            call()
            end.record()
            end.synchronize()
            times[name].append(start.elapsed_time(end))
            spent += times[name][-1]
    return {name: statistics.median(values) for name, values in times.items()}


def relative_error(got: Tensor, exact: Tensor) -> float:
    return ((got.to(exact.dtype) - exact).norm() / exact.norm()).item()


@cache
def copy_bandwidth() -> float:
    """Bytes a second, read and written, of a large copy."""
    source = torch.randn(2**28, device="cuda")
    target = torch.empty_like(source)
    return 2 * source.nbytes / (1e-3 * medians({"copy": lambda: target.copy_(source)}, 0.3)["copy"])


@triton.jit
def _exponentials(out, repeats, N: tl.constexpr):
    x = tl.arange(0, N).to(tl.float32)
    for _ in range(repeats):
        x = tl.exp2(tl.exp2(tl.exp2(tl.exp2(x))))
    tl.store(out + tl.program_id(0) * N + tl.arange(0, N), x)


@cache
def special_functions() -> float:
    """Special functions (here exp2) a second."""
    programs, width, repeats = 8192, 2048, 256
    out = torch.empty(programs, width, device="cuda")
    call = lambda: _exponentials[(programs,)](out, repeats, N=width)  # noqa: E731
    return 4 * repeats * out.numel() / (1e-3 * medians({"exp2": call}, 0.3)["exp2"])


def default_out() -> Path:
    return Path(os.environ.get("OUT") or Path(__file__).parent / "results")


def need_gpu() -> None:
    if not torch.cuda.is_available():
        raise SystemExit(f"torch {torch.__version__} finds no CUDA device, and this is measured on one")


def write(name: str, rows: Callable[[], Iterator[GpuRow]]) -> None:
    """Runs a benchmark from the command line: ``python benchmarks/NAME.py --out DIR``. Each row is written at once."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=default_out())
    out = parser.parse_args().out
    need_gpu()
    out.mkdir(parents=True, exist_ok=True)
    with open(out / f"{name}.csv", "w", newline="", buffering=1) as file:
        writer = csv.DictWriter(file, [field.name for field in fields(GpuRow)])
        writer.writeheader()
        for r in rows():
            writer.writerow(asdict(r))
            print(
                f"{r.case}: {r.ours_ms:.3g} ms, {r.ratio:.3g} of {r.rival} (target {r.target}), "
                f"{r.share_of_limit:.0%} of the limit; errors {r.ours_error:.1e}, {r.rival_error:.1e}",
                flush=True,
            )
