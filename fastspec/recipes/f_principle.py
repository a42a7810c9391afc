"""Frequency principle in one dimension (arXiv 1901.06523): networks fit a target from low to high frequency.

A tanh network learns sin x + sin 3x + sin 5x on [-π, π] under the mean squared error. Setting of the authors: 600
points, layers 1-200-200-200-100-1, Adam at 1e-4, full batch, weights and biases N(0, 1/width). We take the width that a
layer is fed by, which reproduces their loss curve (1.6 at the start, near 1e-4 at step 3,000).
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

import fastspec as fs

from ..measure.heatmap import add_colorbar, draw_heatmap
from .harness import Outcome, Recipe, Schedule, dense, figure, outcome, train
from .trials import Trial, in_order, median, over_seeds, spread

FIGURE = "f-principle.png"


@dataclass(frozen=True)
class Settings:
    seed: int = 0
    # Networks this small gain little from a second thread, and on a busy machine lose tenfold waiting for it.
    threads: int = 1
    seeds: int = 3
    points: int = 600
    hidden: tuple[int, ...] = (200, 200, 200, 100)
    learning_rate: float = 1e-4
    steps: int = 3000
    modes: int = 40
    threshold: float = 0.1


DEFAULT = Settings()
QUICK = replace(DEFAULT, points=200, hidden=(64, 64, 64), learning_rate=2e-3, steps=800)


def run_trial(settings: Settings, seed: int, device: torch.device) -> Trial:
    x = torch.linspace(-math.pi, math.pi, settings.points, device=device)[:, None]
    y = x.sin() + (3 * x).sin() + (5 * x).sin()
    model = network(settings).to(device)
    monitor = fs.SpectralMonitor(x, y, settings.modes)
    schedule = Schedule(settings.steps, settings.learning_rate)
    seconds = train("tanh network", model, nn.functional.mse_loss, x, y, monitor, schedule)
    with torch.no_grad():
        prediction = model(x)
    return {
        "wavenumbers": monitor.frequencies.flatten().tolist(),
        "errors": monitor.errors,
        "steps": list(monitor.steps_to(settings.threshold).values()),
        "loss": nn.functional.mse_loss(prediction, y).item(),
        "seconds": seconds,
        **{"x": x, "y": y, "prediction": prediction},
    }


def network(settings: Settings) -> nn.Sequential:
    layers = dense([1, *settings.hidden, 1])
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
            nn.init.normal_(layer.bias, std=layer.in_features**-0.5)
    return nn.Sequential(*layers)


def judge(settings: Settings, trials: list[Trial], out: Path) -> Outcome:
    wavenumbers = [f"{k:g}" for k in trials[0]["wavenumbers"]]
    steps = {k: spread(t["steps"][i] for t in trials) for i, k in enumerate(wavenumbers)}
    draw(trials[0], wavenumbers, out / FIGURE)
    medians = [found["median"] for found in steps.values()]
    return outcome(
        "the step at which the relative error first falls below 10 % increases with frequency",
        {"low before high": in_order(medians) and medians[-1] < math.inf},
        {"learnt": settings.threshold},
        {
            "steps_to_10_percent_by_wavenumber": steps,
            f"seeds_of_{len(trials)}_in_order": sum(in_order(t["steps"]) for t in trials),
            "final_loss": spread(t["loss"] for t in trials),
            "training_seconds": median(t["seconds"] for t in trials),
        },
        [FIGURE],
    )


def draw(trial: Trial, wavenumbers: list[str], path: Path) -> None:
    errors = trial["errors"].cpu()
    x, y, prediction = (trial[name].flatten().cpu() for name in ("x", "y", "prediction"))
    with figure(path, 10, 3.4) as page:
        left, right = page.subplots(1, 2, width_ratios=(1.5, 1))
        title = "error of each frequency"
        draw_heatmap(
            range(len(errors)), errors, wavenumbers, ax=left, frequency_label="wavenumber", title=title, log_steps=True
        )
        add_colorbar(page, left)
        right.plot(x, y, color="0.6", linewidth=4, label="target")
        right.plot(x, prediction, color="#CC3311", linewidth=1.2, label="network")
        right.set(xlabel="x", title=f"fit after {len(errors) - 1:,} steps")
        page.legend(*right.get_legend_handles_labels(), loc="outside lower right", ncols=2, frameon=False)


RECIPE = Recipe(
    "f-principle",
    "a tanh network learns sin x + sin 3x + sin 5x from low to high frequency",
    DEFAULT,
    QUICK,
    over_seeds(run_trial, judge),
)
