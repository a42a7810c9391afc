"""Claim: the frequency-weighted loss with its gradient costs less than through any other library.

Times L = sum_k w_k |sum_j r_j e^{-ik.x_j} / M|^2 and dL/dpred, float32 and eps = 1e-6: fastspec's SpectralLoss with
its points held, pytorch-finufft under autograd, and ducc0 called by hand from NumPy, which has no autograd to pay for.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ducc0
import finufft
import matplotlib
import numpy as np
import torch
from common import RESULTS, geometric_mean, interleaved_medians, require_passive_threads, write_csv
from pytorch_finufft.functional import finufft_type1
from torch import Tensor

import fastspec as fs

EPS = 1e-6
DIRECT_SUM_LIMIT = 5e7
TWO_PI = 2 * np.pi


@dataclass(frozen=True)
class Size:
    points: int
    modes: tuple[int, ...]

    def __str__(self) -> str:
        return f"{len(self.modes)}-D, {self.points:,} points, {'x'.join(map(str, self.modes))} modes"


SIZES = (
    Size(1_000, (200,)),
    Size(100_000, (1_000,)),
    Size(10_000, (64, 64)),
    Size(1_000_000, (512, 512)),
    Size(100_000, (64, 64, 64)),
)


@dataclass(frozen=True)
class Problem:
    x: Tensor
    pred: Tensor
    target: Tensor
    weight: Tensor
    modes: tuple[int, ...]

    @classmethod
    def of(cls, size: Size) -> "Problem":
        gen = torch.Generator().manual_seed(0)
        x = (torch.rand(size.points, len(size.modes), generator=gen) - 0.5) * TWO_PI
        pred, target = (torch.randn(size.points, generator=gen) for _ in range(2))
        axes = [fs.reference.wavenumbers(n).float() for n in size.modes]
        k2 = sum(k**2 for k in torch.meshgrid(*axes, indexing="ij"))
        return cls(x, pred.requires_grad_(), target, (1 + k2).sqrt(), size.modes)


Step = Callable[[], tuple[float, Tensor]]


def fastspec_step(p: Problem, threads: int) -> Step:
    loss = fs.SpectralLoss(p.modes, x=p.x, weight=p.weight, eps=EPS)

    def step():
        value = loss(p.pred, p.target)
        return value.item(), torch.autograd.grad(value, p.pred)[0]

    return step


def pytorch_finufft_step(p: Problem, threads: int) -> Step:
    points = p.x.T.contiguous()

    def step():
        strengths = ((p.pred - p.target) / p.x.shape[0]).to(torch.complex64)
        spectrum = finufft_type1(points, strengths, p.modes, eps=EPS, modeord=0, nthreads=threads)
        value = (p.weight * (spectrum.real.square() + spectrum.imag.square())).sum()
        return value.item(), torch.autograd.grad(value, p.pred)[0]

    return step


def ducc0_step(p: Problem, threads: int) -> Step:
    x, pred, target, weight = p.x.numpy(), p.pred.detach().numpy(), p.target.numpy(), p.weight.numpy()
    options = {"coord": x, "epsilon": EPS, "nthreads": threads, "periodicity": TWO_PI}

    def step():
        strengths = ((pred - target) / len(x)).astype(np.complex64)
        spectrum = np.empty(p.modes, np.complex64)
        ducc0.nufft.nu2u(points=strengths, out=spectrum, forward=True, **options)
        weighted = weight * spectrum
        gradient = ducc0.nufft.u2nu(grid=weighted, forward=False, **options).real * np.float32(2 / len(x))
        return float(np.vdot(spectrum, weighted).real), torch.from_numpy(gradient)

    return step


LIBRARIES = {"fastspec": fastspec_step, "pytorch-finufft": pytorch_finufft_step, "ducc0 by hand": ducc0_step}


def exact(p: Problem) -> tuple[float, Tensor]:
    """Value and gradient in float64: direct sums, or FINUFFT at 1e-13 where those would take too long."""
    x, w = p.x.double(), p.weight.double()
    strengths = (p.pred.detach().double() - p.target) / len(x)
    if len(x) * w.numel() <= DIRECT_SUM_LIMIT:
        spectrum = fs.reference.nufft1(x, strengths, p.modes)
        back = fs.reference.nufft2(x, w * spectrum).real
    else:
        spectrum, back = finufft_in_float64(x, strengths, w)
    return (w * spectrum.abs() ** 2).sum().item(), back * 2 / len(x)


def finufft_in_float64(x: Tensor, strengths: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    d, coordinates = x.shape[1], x.T.contiguous().numpy()
    first, second = getattr(finufft, f"nufft{d}d1"), getattr(finufft, f"nufft{d}d2")
    spectrum = first(*coordinates, strengths.to(torch.complex128).numpy(), tuple(w.shape), eps=1e-13, isign=-1)
    back = second(*coordinates, w.numpy() * spectrum, eps=1e-13, isign=1)
    return torch.from_numpy(spectrum), torch.from_numpy(back.real.copy())


def measure(size: Size, threads: int, seconds: float) -> list[dict]:
    torch.set_num_threads(threads)
    problem = Problem.of(size)
    steps = {name: make(problem, threads) for name, make in LIBRARIES.items()}
    value, gradient = exact(problem)
    medians = interleaved_medians(steps, seconds)
    return [row(size, threads, name, medians[name], *steps[name](), value, gradient) for name in steps]


def row(size: Size, threads: int, library: str, seconds: float, got, got_gradient, value, gradient) -> dict:
    gradient_error = (got_gradient.double() - gradient).norm() / gradient.norm()
    return {
        "case": str(size),
        "threads": threads,
        "library": library,
        "median_ms": round(1e3 * seconds, 4),
        "value_error": f"{abs(got - value) / value:.1e}",
        "gradient_error": f"{gradient_error.item():.1e}",
    }


def print_table(rows: list[dict]) -> None:
    print(f"{'case':<40} {'threads':>7}  {'library':<16} {'ms':>9} {'value err':>10} {'grad err':>9}")
    for r in rows:
        figures = f"{r['median_ms']:>9.3f} {r['value_error']:>10} {r['gradient_error']:>9}"
        print(f"{r['case']:<40} {r['threads']:>7}  {r['library']:<16} {figures}")


def print_ratios(rows: list[dict]) -> None:
    for rival in [name for name in LIBRARIES if name != "fastspec"]:
        for threads in sorted({r["threads"] for r in rows}):
            found = ratios(rows, rival, threads)
            figures = f"geometric mean {geometric_mean(found):.2f}, smallest {min(found):.2f}"
            print(f"time of {rival} / time of fastspec, {threads} thread(s): {figures}")
    print(f"over pytorch-finufft in all, geometric mean: {geometric_mean(ratios(rows, 'pytorch-finufft')):.2f}")


def ratios(rows: list[dict], rival: str, threads: int | None = None) -> list[float]:
    ours, theirs = (
        [r["median_ms"] for r in rows if r["library"] == name and threads in (None, r["threads"])]
        for name in ("fastspec", rival)
    )
    return [b / a for a, b in zip(ours, theirs, strict=True)]


def plot(rows: list[dict], path: Path) -> None:
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    counts = sorted({r["threads"] for r in rows})
    figure, panels = plt.subplots(1, len(counts), figsize=(6 * len(counts), 4.5), sharey=True, squeeze=False)
    for panel, threads in zip(panels[0], counts, strict=True):
        draw_bars(panel, [r for r in rows if r["threads"] == threads])
        panel.set_title(f"{threads} thread{'s' if threads > 1 else ''}")
    panels[0, 0].set_ylabel("loss and gradient, ms")
    panels[0, -1].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def draw_bars(panel, rows: list[dict]) -> None:
    cases = list(dict.fromkeys(r["case"] for r in rows))
    for i, name in enumerate(LIBRARIES):
        heights = [r["median_ms"] for r in rows if r["library"] == name]
        panel.bar(np.arange(len(cases)) + 0.27 * (i - 1), heights, width=0.26, label=name)
    panel.set_yscale("log")
    panel.set_xticks(range(len(cases)), [case.replace(", ", "\n") for case in cases], fontsize=7)


def main() -> None:
    require_passive_threads()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the smallest size only")
    parser.add_argument("--seconds", type=float, default=5.0, help="time to spend on each size and thread count")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the CSV and the plot go")
    arguments = parser.parse_args()
    sizes = SIZES[:1] if arguments.quick else SIZES
    rows = [r for size in sizes for threads in (1, 2) for r in measure(size, threads, arguments.seconds)]
    write_csv(arguments.out / "weighted_loss.csv", rows)
    plot(rows, arguments.out / "weighted_loss.png")
    print_table(rows)
    print(f"written: {arguments.out / 'weighted_loss.csv'}, {arguments.out / 'weighted_loss.png'}")
    print_ratios(rows)


if __name__ == "__main__":
    main()
