"""On a CUDA device: the fused loss, the transforms, planning and a training step, beside cuFINUFFT 2.5.1.

Each library runs at the loosest tolerance at which its measured error meets eps; cuFINUFFT with each of its methods, of
which the fastest counts. Times are medians of CUDA events, the contenders taking turns. `make gpu` runs this; alone,
`python benchmarks/gpu.py [--quick] [--out DIR]`. It writes gpu.csv, gpu_stages.csv (our loss, stage by stage) and
gpu.png to DIR, $OUT or benchmarks/results.
"""

import argparse
import csv
import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from common import Setting, Size, brief, loosest, relative_error
from gpu_common import Call, copy_bandwidth, default_out, medians, need_gpu
from torch import Tensor, nn

import fastspec as fs
from fastspec import _ops
from fastspec._transform import half_fft, half_grid
from fastspec.loss import _HalfWeight

try:
    import cufinufft
except ImportError:
    cufinufft = None

SIZES = (
    Size(1_000_000, (100_000,)),
    Size(1_000_000, (512, 512)),
    Size(10_000_000, (1024, 1024)),
    Size(1_000_000, (128, 128, 128)),
    Size(10_000_000, (256, 256, 256)),
)
EPS = (1e-3, 1e-6)
DEVICE = "cuda"
METHODS = (0, 1, 2, 3, 4)  # cuFINUFFT's: 0 lets it choose; those it refuses are left out
REFERENCE_EPS = 1e-11


@dataclass(frozen=True)
class Row:
    work: str
    size: Size
    eps: float | None
    ours_ms: float
    rival: str
    rival_ms: float | None
    target: float
    ours_setting: Setting | None = None
    rival_setting: Setting | None = None
    limit_ms: float | None = None
    fft_ms: float | None = None

    @property
    def ratio(self) -> float | None:
        return None if self.rival_ms is None else self.ours_ms / self.rival_ms

    def record(self, device: str) -> dict:
        def number(value, form="{:.4g}"):
            return "" if value is None else form.format(value)

        ours, rival = self.ours_setting, self.rival_setting
        return {
            "device": device,
            "work": self.work,
            "size": str(self.size),
            "eps": number(self.eps, "{:.0e}"),
            "ours_ms": number(self.ours_ms),
            "rival": self.rival,
            "rival_ms": number(self.rival_ms),
            "ratio": number(self.ratio),
            "target": number(self.target),
            "met": "" if self.ratio is None else "yes" if self.ratio <= self.target else "no",
            "ours_tolerance": number(ours and ours.tolerance, "{:.1e}"),
            "ours_error": number(ours and ours.error, "{:.1e}"),
            "rival_tolerance": number(rival and rival.tolerance, "{:.1e}"),
            "rival_error": number(rival and rival.error, "{:.1e}"),
            "limit_ms": number(self.limit_ms),
            "fft_ms": number(self.fft_ms),
        }


def captured(call: Call) -> Call:
    """The call as one CUDA graph, without the host's time."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = call()

    def replay():
        graph.replay()
        return out

    return replay


# --- problems ---------------------------------------------------------------------------------------------------------


class Problem:
    def __init__(self, size: Size, channels: int = 1):
        self.size, self.channels = size, channels
        self.gen = torch.Generator(DEVICE).manual_seed(0)
        self.x = (torch.rand(size.points, size.dim, generator=self.gen, device=DEVICE) - 0.5) * 2 * torch.pi

    def _normal(self, shape, dtype=torch.float32) -> Tensor:
        return torch.randn(shape, generator=self.gen, device=DEVICE, dtype=dtype)

    @cached_property
    def pred(self) -> Tensor:
        return self._normal((self.size.points,))

    @cached_property
    def target(self) -> Tensor:
        return self._normal((self.size.points,))

    @cached_property
    def strengths(self) -> Tensor:
        shape = (self.size.points,) if self.channels == 1 else (self.channels, self.size.points)
        return self._normal(shape, torch.complex64)

    @cached_property
    def coefficients(self) -> Tensor:
        return self._normal(self.size.modes, torch.complex64)

    @cached_property
    def weight(self) -> Tensor:
        axes = [fs.reference.wavenumbers(n).float().to(DEVICE) for n in self.size.modes]
        return (1 + sum(k**2 for k in torch.meshgrid(*axes, indexing="ij"))).sqrt()


def our_loss(p: Problem, eps: float, dtype=torch.float32) -> Call:
    """The gradient in pred of a loss whose plan is held."""
    loss = fs.SpectralLoss(p.size.modes, x=p.x.to(dtype), weight=p.weight.to(dtype), eps=eps)
    pred, target = p.pred.to(dtype).detach().requires_grad_(), p.target.to(dtype)
    return lambda: torch.autograd.grad(loss(pred, target), pred)[0]


def our_transform(op: str, p: Problem, eps: float, dtype=torch.float32) -> Call:
    plan = fs.Plan(p.x.to(dtype), p.size.modes, eps=eps)
    data = p.strengths if op == "nufft1" else p.coefficients
    data = data.to(torch.complex128) if dtype == torch.float64 else data
    return lambda: getattr(plan, op)(data)


def their_plan(kind: int, p: Problem, eps: float, method: int, channels: int = 1):
    plan = cufinufft.Plan(
        kind, p.size.modes, channels, eps, isign=-1 if kind == 1 else 1, dtype="complex64", gpu_method=method
    )
    plan.setpts(*p.x.T.contiguous())
    return plan


def their_loss(p: Problem, eps: float, method: int) -> Call:
    first, second = their_plan(1, p, eps, method), their_plan(2, p, eps, method)
    weight = p.weight / p.size.points**2

    def gradient():
        spectrum = first.execute(torch.complex(p.pred - p.target, torch.zeros_like(p.pred)))
        weighed = weight * spectrum
        (weighed * spectrum.conj()).real.sum()
        return second.execute(2 * weighed).real

    return gradient


def their_transform(op: str, p: Problem, eps: float, method: int) -> Call:
    plan = their_plan(int(op[-1]), p, eps, method, p.channels)
    data = p.strengths if op == "nufft1" else p.coefficients
    return lambda: plan.execute(data)


def rivals(make: Callable[[int], Call]) -> dict[str, Call]:
    """A call for each method that cuFINUFFT has for this work. It refuses some, but never all of them."""
    calls = {}
    for method in METHODS if cufinufft else ():
        try:
            call = make(method)
            call()
            torch.cuda.synchronize()
        except (RuntimeError, ValueError, NotImplementedError) as refusal:
            print(f"cuFINUFFT method {method} is left out: {refusal}")
            continue
        calls[f"cuFINUFFT method {method}"] = call
    if cufinufft and not calls:
        raise RuntimeError("cuFINUFFT is here, but none of its methods ran: see what it said above")
    return calls


# --- rows -------------------------------------------------------------------------------------------------------------


def compare(work, p: Problem, eps, ours, theirs, exact: Tensor, target: float, seconds: float, **more) -> Iterator[Row]:
    """A row of our calls as they are, and one of them as a CUDA graph."""

    def setting(make) -> Setting:
        return loosest(lambda rung: relative_error(make(rung)(), exact), eps)

    here = setting(ours)
    call = ours(here.tolerance)
    calls: dict[str, Call] = {"ours": call, "graph": captured(call)}
    there, others = None, {}
    if cufinufft:
        there = setting(lambda rung: theirs(rung, 0))
        others = rivals(lambda method: theirs(there.tolerance, method))
    times = medians(calls | others, seconds * (len(calls) + len(others)))
    best = min(others, key=times.get) if others else None
    if best:
        there = Setting(there.tolerance, relative_error(others[best](), exact), there.met)
    for name, suffix in (("ours", ""), ("graph", ", as a graph")):
        yield Row(work + suffix, p.size, eps, times[name], best or "", times.get(best), target, here, there, **more)


def loss_rows(size: Size, eps: float, seconds: float, stages: list[dict], bandwidth: float) -> Iterator[Row]:
    p = Problem(size)
    exact = our_loss(p, REFERENCE_EPS, torch.float64)()
    measured = stage_times(p, eps, seconds, bandwidth)
    stages += measured
    fft = sum(stage["ms"] for stage in measured if "FFT" in stage["stage"])
    limit = sum(stage["limit_ms"] for stage in measured)
    yield from compare(
        "loss and gradient",
        p,
        eps,
        lambda rung: our_loss(p, rung),
        lambda rung, method: their_loss(p, rung, method),
        exact,
        0.5,
        seconds,
        limit_ms=limit,
        fft_ms=fft,
    )


def transform_rows(op: str, size: Size, eps: float, target: float, seconds: float, channels: int = 1) -> Iterator[Row]:
    p = Problem(size, channels)
    exact = our_transform(op, p, REFERENCE_EPS, torch.float64)()
    yield from compare(
        f"type {op[-1]}" + (f", {channels} at once" if channels > 1 else ""),
        p,
        eps,
        lambda rung: our_transform(op, p, rung),
        lambda rung, method: their_transform(op, p, rung, method),
        exact,
        target,
        seconds,
    )


def plan_row(size: Size, seconds: float) -> Row:
    """Sorting the points for tables that are there, against setpts."""
    p, eps = Problem(size), 1e-6
    calls: dict[str, Callable] = {"ours": lambda: fs.Plan(p.x, size.modes, eps=eps)}
    if cufinufft:
        plan, points = their_plan(1, p, eps, 0), p.x.T.contiguous()
        calls["cuFINUFFT setpts"] = lambda: plan.setpts(*points)
    times = medians(calls, seconds * len(calls))
    return Row("planning", size, eps, times["ours"], "cuFINUFFT setpts", times.get("cuFINUFFT setpts"), 0.5)


def training_row(seconds: float) -> Row:
    """A step of a network of four hidden layers of 256, as a graph, with SpectralLoss and with MSELoss."""
    size = Size(100_000, (128, 128))
    p = Problem(size)

    def step(loss) -> Call:
        torch.manual_seed(0)
        sizes = (2, 256, 256, 256, 256)
        layers = [layer for a, b in zip(sizes, sizes[1:], strict=False) for layer in (nn.Linear(a, b), nn.Tanh())]
        model = nn.Sequential(*layers, nn.Linear(256, 1)).to(DEVICE)
        optimizer = torch.optim.Adam(model.parameters(), 1e-3, capturable=True)
        target = p.target.unsqueeze(-1)

        def once():
            optimizer.zero_grad(set_to_none=True)
            value = loss(model(p.x), target)
            value.backward()
            optimizer.step()
            return value

        return captured(once)

    calls = {"ours": step(fs.SpectralLoss(size.modes, x=p.x, weight=p.weight)), "MSELoss": step(nn.MSELoss())}
    times = medians(calls, seconds * len(calls))
    return Row("training step", size, None, times["ours"], "MSELoss", times["MSELoss"], 1.1)


def stage_times(p: Problem, eps: float, seconds: float, bandwidth: float) -> list[dict]:
    """Our loss, stage by stage, with what reading inputs and writing outputs once would take."""
    loss = fs.SpectralLoss(p.size.modes, x=p.x, weight=p.weight, eps=eps)
    points, layout = loss.plan.planned.points, loss.plan.layout
    dim, strengths = layout.dim, (p.pred - p.target).view(1, 1, -1)
    table = _HalfWeight(loss.plan.planned, p.weight).deconvolved(loss.plan.planned)
    grid = _ops.spread(*points[:4], strengths, layout.cells, layout.tile)
    reversed_axes = (0, 1, *range(1 + dim, 1, -1))

    def forward() -> Tensor:
        return half_fft(layout, grid).permute(reversed_axes).flatten(0, 1).contiguous()

    spectrum = forward()
    inverse = lambda: half_grid(layout, spectrum.unsqueeze(0).permute(reversed_axes)).contiguous()  # noqa: E731
    held = sum(t.nbytes for t in points[:2])
    interpolated = held + strengths.nbytes + grid.nbytes
    stages = {
        "spread": (lambda: _ops.spread(*points[:4], strengths, layout.cells, layout.tile), interpolated),
        "FFT": (forward, grid.nbytes + spectrum.nbytes),
        "weigh": (lambda: _ops.weigh(spectrum, table, 1.0), 2 * spectrum.nbytes + table.nbytes),
        "inverse FFT": (inverse, grid.nbytes + spectrum.nbytes),
        "interpolate": (lambda: _ops.interpolate(*points[:4], grid, layout.tile), interpolated),
    }
    return [
        {
            "size": str(p.size),
            "eps": f"{eps:.0e}",
            "cells": "x".join(map(str, layout.cells)),
            "tile": "x".join(map(str, layout.tile)),
            "width": layout.width,
            "stage": name,
            "ms": medians({name: call}, seconds / 4)[name],
            "limit_ms": 1e3 * bytes / bandwidth,
        }
        for name, (call, bytes) in stages.items()
    ]


def all_rows(quick: bool, seconds: float, stages: list[dict]) -> Iterator[Row]:
    bandwidth = copy_bandwidth()
    sizes = SIZES[:2] if quick else SIZES
    for size in sizes:
        for eps in EPS[-1:] if quick else EPS:
            yield from loss_rows(size, eps, seconds, stages, bandwidth)
            for op in ("nufft1", "nufft2"):
                yield from transform_rows(op, size, eps, 0.9, seconds)
        yield plan_row(size, seconds)
        gc.collect()
        torch.cuda.empty_cache()
    yield from transform_rows("nufft1", Size(10_000, (4096,)), 1e-6, 0.15, seconds, channels=32)
    yield training_row(seconds)


# --- results ----------------------------------------------------------------------------------------------------------


def show(row: Row) -> None:
    ratio = "no rival here" if row.ratio is None else f"{row.ratio:5.2f} of {row.rival}, target {row.target}"
    eps = "" if row.eps is None else f", {brief(row.eps)}"
    print(f"{row.work:32} {str(row.size) + eps:44} {row.ours_ms:8.3f} ms  {ratio}", flush=True)


def write(path: Path, rows: list[dict]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def plot(path: Path, rows: list[Row], device: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    rows = [row for row in rows if row.ratio is not None][::-1]
    if not rows:
        return
    figure, axes = plt.subplots(figsize=(9, 1 + 0.22 * len(rows)), layout="constrained")
    colors = ["tab:green" if row.ratio <= row.target else "tab:red" for row in rows]
    axes.barh(range(len(rows)), [row.ratio for row in rows], color=colors)
    axes.plot([row.target for row in rows], range(len(rows)), "k|", label="target")
    names = [f"{row.work}, {row.size}" + (f", {brief(row.eps)}" if row.eps else "") for row in rows]
    axes.set(yticks=range(len(rows)), yticklabels=names, xscale="log", xlabel="our time / rival's time", title=device)
    axes.tick_params(axis="y", labelsize=6)
    axes.legend()
    figure.savefig(path, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two sizes, one tolerance")
    parser.add_argument("--seconds", type=float, default=0.3, help="for each contender of a row")
    parser.add_argument("--out", type=Path, default=default_out())
    options = parser.parse_args()
    need_gpu()
    device = torch.cuda.get_device_name()
    print(f"{device}, torch {torch.__version__}, CUDA {torch.version.cuda}")
    if cufinufft is None:
        print("cuFINUFFT is not here: our times alone")
    rows: list[Row] = []
    stages: list[dict] = []
    options.out.mkdir(parents=True, exist_ok=True)
    for row in all_rows(options.quick, options.seconds, stages):  # what is written stays, if the rest takes too long
        rows.append(row)
        show(row)
        write(options.out / "gpu.csv", [row.record(device) for row in rows])
        write(options.out / "gpu_stages.csv", [{"device": device, **stage} for stage in stages])
    plot(options.out / "gpu.png", rows, device)


if __name__ == "__main__":
    main()
