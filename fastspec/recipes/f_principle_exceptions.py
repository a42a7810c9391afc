"""Where the frequency principle breaks (arXiv 1901.06523): an activation that is a wave, and large initial weights.

sin x + sin 3x + sin 5x on [-π, π]. A tanh network learns it from low to high; one whose activation is a Ricker wavelet
of width a = 0.1, 2/(30a) π^¼ (1 - (x/a)²) e^{-x²/2a²}, does not, nor does the tanh network with weights ten times as
large. These are the authors' counterexamples; network and rate are this recipe's own.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

import fastspec as fs

from ..measure.heatmap import add_colorbar, draw_heatmap
from .harness import Outcome, Recipe, Schedule, figure, outcome, train
from .trials import Trial, in_order, over_seeds

FIGURE = "error-per-frequency.png"
PLAIN, RICKER, LARGE = "tanh", "Ricker wavelet", "tanh, large weights"
WAVENUMBERS = (1, 3, 5)


@dataclass(frozen=True)
class Settings:
    seed: int = 0
    threads: int = 1
    seeds: int = 5
    points: int = 200
    width: int = 100
    ricker: float = 0.1
    larger: float = 10.0
    learning_rate: float = 1e-3
    steps: int = 2000
    threshold: float = 0.1


DEFAULT = Settings()
QUICK = replace(DEFAULT, seeds=3, width=64, steps=1200)


class Ricker(nn.Module):
    def __init__(self, a: float):
        super().__init__()
        self.a = a

    def forward(self, x: Tensor) -> Tensor:
        square = (x / self.a).square()
        out: Tensor = 2 / (30 * self.a) * math.pi**0.25 * (1 - square) * torch.exp(-square / 2)
        return out


def network(name: str, settings: Settings) -> nn.Sequential:
    def activation() -> nn.Module:
        return Ricker(settings.ricker) if name == RICKER else nn.Tanh()

    n = settings.width
    model = nn.Sequential(nn.Linear(1, n), activation(), nn.Linear(n, n), activation(), nn.Linear(n, 1))
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(settings.larger if name == LARGE else 1.0)
    return model


def run_trial(settings: Settings, seed: int, device: torch.device) -> Trial:
    x = torch.linspace(-math.pi, math.pi, settings.points + 1, device=device)[:-1, None]
    k = torch.tensor(WAVENUMBERS, device=device)
    y = (x * k).sin().sum(1, keepdim=True)
    found: Trial = {}
    for name in (PLAIN, RICKER, LARGE):
        torch.manual_seed(seed)
        model = network(name, settings).to(device)
        monitor = fs.SpectralMonitor(x, y, None, peaks=k[:, None])
        train(name, model, nn.functional.mse_loss, x, y, monitor, Schedule(settings.steps, settings.learning_rate))
        # from there on: weights so large make errors that pass the mark by chance
        found[name] = {
            "errors": monitor.errors,
            "steps": list(monitor.steps_to(settings.threshold, lasting=True).values()),
        }
    return found


def judge(settings: Settings, trials: list[Trial], out: Path) -> Outcome:
    names = (PLAIN, RICKER, LARGE)
    count = {name: sum(in_order(t[name]["steps"]) for t in trials) for name in names}
    draw(trials[0], out / FIGURE)
    most = len(trials) / 2
    return outcome(
        "a tanh network learns from low frequency to high; with a Ricker wavelet for activation, or large weights, a"
        " network does not",
        {
            "tanh: in order": count[PLAIN] > most,
            "Ricker wavelet: not in order": count[RICKER] < most,
            "large weights: not in order": count[LARGE] < most,
        },
        {"learnt": settings.threshold, "share of the seeds": 0.5},
        {
            f"seeds_of_{len(trials)}_in_order": count,
            "steps_to_10_percent": {name: [t[name]["steps"] for t in trials] for name in names},
        },
        [FIGURE],
    )


def draw(trial: Trial, path: Path) -> None:
    with figure(path, 11, 2.8) as page:
        axes = page.subplots(1, len(trial), sharey=True)
        labels = [str(k) for k in WAVENUMBERS]
        for ax, (name, found) in zip(axes, trial.items(), strict=True):
            errors = found["errors"].cpu()
            draw_heatmap(
                range(len(errors)), errors, labels, ax=ax, frequency_label="wavenumber", title=name, log_steps=True
            )
            ax.label_outer()
        add_colorbar(page, axes)


RECIPE = Recipe(
    "f-principle-exceptions",
    "where the order breaks: a wavelet for activation, large initial weights",
    DEFAULT,
    QUICK,
    over_seeds(run_trial, judge),
)
