"""The cure that plugs in: a network as it is, with one line in its training loop and without.

A tanh network 1-128-128-1 learns a sum of five sines, k = 1 ... 40, at 600 scattered noisy points, under the mean
squared error and Adam. The one line is :func:`fastspec.precondition.kernel`: the gradient at the outputs is multiplied
by c (K + c)^-1, K the network's own tangent kernel. Network, points, seeds, steps and rate are the same on both sides;
benchmarks/studies/cure.py has the comparison in which each side has its own best rate.
"""

import math
import statistics
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

import fastspec as fs

from ..measure.heatmap import add_colorbar
from .harness import Loss, Outcome, Recipe, Schedule, dense, figure, train

FIGURE = "error-per-frequency.png"
WITHOUT, WITH = "without", "with the line"


@dataclass(frozen=True)
class Settings:
    seed: int = 0
    threads: int = 1
    seeds: int = 3
    points: int = 600
    noise: float = 0.02
    wavenumbers: tuple[float, ...] = (1, 5, 15, 30, 40)
    hidden: tuple[int, ...] = (128, 128)
    steps: int = 700
    learning_rate: float = 7e-3
    final_rate: float = 1e-4
    falls_over: float = 0.3  # of the steps, at the end
    damping: float = 2e-3
    inducing: int = 200
    threshold: float = 0.1


FULL = Settings()
QUICK = replace(FULL, points=300, wavenumbers=(1, 5, 15, 25), steps=400)


def main(settings: Settings, out: Path, device: torch.device) -> Outcome:
    runs = {name: [run(name, settings, settings.seed + i, device) for i in range(settings.seeds)] for name in SIDES}
    draw({name: monitors[0][0] for name, monitors in runs.items()}, settings, out / FIGURE)
    reached = {name: [last_step(monitor, settings) for monitor, _, _ in found] for name, found in runs.items()}
    held_out = {name: statistics.median(error for _, error, _ in found) for name, found in runs.items()}
    seconds = {name: statistics.median(time for _, _, time in found) for name, found in runs.items()}
    print(table(runs, settings))
    return Outcome(
        claim="one line in the loop brings every frequency of an unchanged network within 10 % in as many steps as "
        "leave it short of that without, in the median of the seeds, and lowers the error on held-out clean data",
        holds=median(reached[WITH]) < math.inf
        and median(reached[WITHOUT]) == math.inf
        and held_out[WITH] < held_out[WITHOUT],
        headline={"all_within_10_percent_from_step": reached, "held_out_error": held_out, "seconds": seconds},
        figures=[FIGURE],
    )


def plain_loss(model: nn.Module, x: Tensor, settings: Settings) -> Loss:
    return nn.functional.mse_loss


def preconditioned_loss(model: nn.Module, x: Tensor, settings: Settings) -> Loss:
    precondition = fs.precondition.Kernel(model, x, damping=settings.damping, inducing=settings.inducing)
    return lambda h, y: nn.functional.mse_loss(precondition(h), y)


SIDES = {WITHOUT: plain_loss, WITH: preconditioned_loss}


def run(name: str, settings: Settings, seed: int, device: torch.device) -> tuple[fs.SpectralMonitor, float, float]:
    """How one training went, its error on held-out points, and its seconds."""
    generator = torch.Generator().manual_seed(seed)
    x, test = ((torch.rand(n, 1, generator=generator) * 2 - 1) * math.pi for n in (settings.points, 2000))
    k = torch.tensor(settings.wavenumbers)
    y, clean = (torch.sin(t * k).sum(1, keepdim=True) / 2 for t in (x, test))
    y = y + settings.noise * torch.randn(y.shape, generator=generator)
    x, y, test, clean = (t.to(device) for t in (x, y, test, clean))
    torch.manual_seed(seed)
    model = nn.Sequential(*dense([1, *settings.hidden, 1])).to(device)
    points = x / x.std()
    monitor = fs.SpectralMonitor(x, y, None, peaks=k[:, None])
    schedule = Schedule(settings.steps, settings.learning_rate, settings.final_rate, settings.falls_over)
    loss = SIDES[name](model, points, settings)
    seconds = train(f"{name}, seed {seed}", model, loss, points, y, monitor, schedule)
    with torch.no_grad():
        error = (model(test / x.std()) - clean).norm() / clean.norm()
    return monitor, error.item(), seconds


def last_step(monitor: fs.SpectralMonitor, settings: Settings) -> int | None:
    """By which every frequency has been within the threshold."""
    steps = list(monitor.steps_to(settings.threshold).values())
    found = [step for step in steps if step is not None]
    return max(found) if len(found) == len(steps) else None


def median(steps: list[int | None]) -> float:
    return statistics.median(math.inf if step is None else step for step in steps)


def table(runs: dict[str, list[tuple[fs.SpectralMonitor, float, float]]], settings: Settings) -> str:
    """Of the first seed: the step from which each frequency is within the threshold, and the error on held-out data."""
    lines = [" " * 16 + "".join(f"  k = {k:<4g}" for k in settings.wavenumbers) + "   held-out error"]
    for name, ((monitor, error, _), *_) in runs.items():
        steps = (step if step is not None else "never" for step in monitor.steps_to(settings.threshold).values())
        lines.append(f"{name:16}" + "".join(f"  {step!s:8}" for step in steps) + f"   {error:.3f}")
    return "\n".join(["", "steps to within 10 % at each frequency", *lines, ""])


def draw(monitors: dict[str, fs.SpectralMonitor], settings: Settings, path: Path) -> None:
    with figure(path, 9, 2.8) as page:
        axes = page.subplots(1, 2, sharey=True)
        for ax, (name, monitor) in zip(axes, monitors.items(), strict=True):
            monitor.plot(ax=ax, title=f"mean squared error, {name}")
        axes[1].set_ylabel("")
        add_colorbar(page, axes)


RECIPE = Recipe(
    "plug-in", "an unchanged network learns its high frequencies by one line in the loop", FULL, QUICK, main
)
