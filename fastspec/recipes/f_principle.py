"""Frequency principle in one dimension (arXiv 1901.06523): networks fit a target from low to high frequency.

A tanh network learns sin x + sin 3x + sin 5x on [-π, π] under the mean squared error. Setting of the authors: 600
points, layers 1-200-200-200-100-1, Adam at 1e-4, full batch, weights and biases N(0, 1/width). We take the width that a
layer is fed by, which reproduces their loss curve (1.6 at the start, near 1e-4 at step 3,000).
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

import fastspec as fs

from ..measure.heatmap import add_colorbar
from .harness import Outcome, Recipe, Schedule, dense, figure, in_order, train

FIGURE = "f-principle.png"


@dataclass(frozen=True)
class Settings:
    seed: int = 0
    # Networks this small gain little from a second thread, and on a busy machine lose tenfold waiting for it.
    threads: int = 1
    points: int = 600
    hidden: tuple[int, ...] = (200, 200, 200, 100)
    learning_rate: float = 1e-4
    steps: int = 3000
    modes: int = 40
    threshold: float = 0.1


FULL = Settings()
QUICK = replace(FULL, points=200, hidden=(64, 64, 64), learning_rate=2e-3, steps=800)


def main(settings: Settings, out: Path, device: torch.device) -> Outcome:
    x = torch.linspace(-math.pi, math.pi, settings.points, device=device)[:, None]
    y = x.sin() + (3 * x).sin() + (5 * x).sin()
    model = network(settings).to(device)
    monitor = fs.SpectralMonitor(x, y, settings.modes)
    schedule = Schedule(settings.steps, settings.learning_rate)
    seconds = train("tanh network", model, nn.functional.mse_loss, x, y, monitor, schedule)
    with torch.no_grad():
        prediction = model(x)
    draw(monitor, x, y, prediction, out / FIGURE)
    reached = monitor.steps_to(settings.threshold)
    return Outcome(
        claim="the step at which the relative error first falls below 10 % increases with frequency",
        holds=in_order(list(reached.values())),
        headline={
            "steps_to_10_percent": {f"{k:g}": step for k, step in reached.items()},
            "final_loss": nn.functional.mse_loss(prediction, y).item(),
            "training_seconds": seconds,
        },
        figures=[FIGURE],
    )


def network(settings: Settings) -> nn.Sequential:
    layers = dense([1, *settings.hidden, 1])
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
            nn.init.normal_(layer.bias, std=layer.in_features**-0.5)
    return nn.Sequential(*layers)


def draw(monitor: fs.SpectralMonitor, x: Tensor, y: Tensor, prediction: Tensor, path: Path) -> None:
    with figure(path, 10, 3.4) as page:
        left, right = page.subplots(1, 2, width_ratios=(1.5, 1))
        monitor.plot(ax=left, title="error of each frequency", log_steps=True)
        add_colorbar(page, left)
        right.plot(x.flatten().cpu(), y.flatten().cpu(), color="0.6", linewidth=4, label="target")
        right.plot(x.flatten().cpu(), prediction.flatten().cpu(), color="#CC3311", linewidth=1.2, label="network")
        right.set(xlabel="x", title=f"fit after {monitor.steps[-1]:,} steps")
        right.legend(frameon=False, loc="upper left")


RECIPE = Recipe(
    "f-principle", "a tanh network learns sin x + sin 3x + sin 5x from low to high frequency", FULL, QUICK, main
)
