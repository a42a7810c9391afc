"""The cure that plugs in: a network as it is, with one line in its training loop and without.

A tanh network 1-128-128-1 learns a sum of five sines, k = 1 ... 40, at 600 scattered noisy points, under the mean
squared error and Adam. The one line is :func:`fastspec.precondition.kernel`: the gradient at the outputs is multiplied
by c (K + c)^-1, K the network's own tangent kernel. Network, points, seeds, steps and rate are the same on both sides;
benchmarks/studies/cure.py has the comparison in which each side has its own best rate.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

import fastspec as fs

from ..measure.heatmap import add_colorbar, draw_heatmap
from .harness import Loss, Outcome, Recipe, Schedule, dense, figure, outcome, train
from .trials import Trial, median, over_seeds, spread

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


DEFAULT = Settings()
QUICK = replace(DEFAULT, points=300, wavenumbers=(1, 5, 15, 25), steps=400)


def run_trial(settings: Settings, seed: int, device: torch.device) -> Trial:
    return {name: run(name, settings, seed, device) for name in SIDES}


def plain_loss(model: nn.Module, x: Tensor, settings: Settings) -> Loss:
    return nn.functional.mse_loss


def preconditioned_loss(model: nn.Module, x: Tensor, settings: Settings) -> Loss:
    precondition = fs.precondition.Kernel(model, x, damping=settings.damping, inducing=settings.inducing)
    return lambda h, y: nn.functional.mse_loss(precondition(h), y)


SIDES = {WITHOUT: plain_loss, WITH: preconditioned_loss}


def run(name: str, settings: Settings, seed: int, device: torch.device) -> Trial:
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
    steps = list(monitor.steps_to(settings.threshold).values())
    return {"errors": monitor.errors, "steps": steps, "held_out": error.item(), "seconds": seconds}


def last_step(found: Trial) -> float:
    """By which every frequency has been within the threshold."""
    return max(math.inf if step is None else step for step in found["steps"])


def judge(settings: Settings, trials: list[Trial], out: Path) -> Outcome:
    draw(settings, trials[0], out / FIGURE)
    print(table(settings, trials[0]))
    reached = {name: spread(last_step(t[name]) for t in trials) for name in SIDES}
    held_out = {name: spread(t[name]["held_out"] for t in trials) for name in SIDES}
    return outcome(
        "one line in the loop brings every frequency of an unchanged network within 10 % in as many steps as leave it"
        " short of that without, in the median of the seeds, and lowers the error on held-out clean data",
        {
            "every frequency with the line": reached[WITH]["median"] < math.inf,
            "not every one without": reached[WITHOUT]["median"] == math.inf,
            "a lower error on held-out data": held_out[WITH]["median"] < held_out[WITHOUT]["median"],
        },
        {"learnt": settings.threshold, "within steps": settings.steps},
        {
            "all_within_10_percent_from_step": reached,
            "held_out_error": held_out,
            "seconds": {name: median(t[name]["seconds"] for t in trials) for name in SIDES},
        },
        [FIGURE],
    )


def table(settings: Settings, trial: Trial) -> str:
    """The step from which each frequency is within the threshold, and the error on held-out data."""
    lines = [" " * 16 + "".join(f"  k = {k:<4g}" for k in settings.wavenumbers) + "   held-out error"]
    for name, found in trial.items():
        steps = (step if step is not None else "never" for step in found["steps"])
        lines.append(f"{name:16}" + "".join(f"  {step!s:8}" for step in steps) + f"   {found['held_out']:.3f}")
    return "\n".join(["", "steps to within 10 % at each frequency", *lines, ""])


def draw(settings: Settings, trial: Trial, path: Path) -> None:
    labels = [f"{k:g}" for k in settings.wavenumbers]
    with figure(path, 9, 2.8) as page:
        axes = page.subplots(1, 2, sharey=True)
        for ax, (name, found) in zip(axes, trial.items(), strict=True):
            errors, title = found["errors"].cpu(), f"mean squared error, {name}"
            draw_heatmap(range(len(errors)), errors, labels, ax=ax, frequency_label="wavenumber", title=title)
        axes[1].set_ylabel("")
        add_colorbar(page, axes)


RECIPE = Recipe(
    "plug-in",
    "an unchanged network learns its high frequencies by one line in the loop",
    DEFAULT,
    QUICK,
    over_seeds(run_trial, judge),
)
