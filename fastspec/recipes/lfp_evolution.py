"""The linear frequency principle in time (arXiv 2010.08153): each frequency's error, predicted step by step.

A wide two-layer tanh network m^-½ Σ a tanh(w x + b) starts at zero (two copies, the last layer of one negated) and
learns Σ sin(πkx + k) at scattered points of [-1, 1] by plain gradient descent. The principle says how fast, by the
formula's rates of Gaussian weights and wide biases, which no network is asked for. Settings are this recipe's own.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

import fastspec as fs

from .harness import Outcome, Recipe, descend, figure, outcome, progress
from .trials import Trial, over_seeds, spread

FIGURE = "error-over-time.png"
COLOURS = ("#CC3311", "#EE7733", "#33BBEE", "#0077BB")


@dataclass(frozen=True)
class Settings:
    seed: int = 0
    threads: int = 1
    seeds: int = 3
    neurons: int = 8000
    points: int = 60
    wavenumbers: tuple[float, ...] = (1, 3, 6, 10)  # half of a cycle per unit
    w: float = 6.0
    b: float = 10.0
    step: float = 0.03  # of time, the learning rate on ½ Σ r²
    steps: int = 2000
    every: int = 20
    box: float = 8.0  # the period that modes are of, well over the points' extent
    modes: int = 4001
    agreement: float = 0.1  # of a relative error, at any time and frequency


DEFAULT = Settings()
QUICK = replace(DEFAULT, neurons=2000, steps=1000)
FULL = replace(DEFAULT, neurons=200_000)


class TwoLayer(nn.Module):
    def __init__(self, settings: Settings):
        super().__init__()
        half = torch.randn(3, settings.neurons // 2)
        self.w, self.b = (nn.Parameter((s * h).repeat(2)) for s, h in zip((settings.w, settings.b), half, strict=False))
        self.a = nn.Parameter(torch.cat([half[2], -half[2]]))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = torch.tanh(x * self.w + self.b) @ self.a / len(self.a) ** 0.5
        return out


def run_trial(settings: Settings, seed: int, device: torch.device) -> Trial:
    x = 2 * torch.rand(settings.points, 1, device=device) - 1
    k = torch.tensor(settings.wavenumbers, device=device)
    y = (math.pi * k * x + k).sin().sum(1)
    model = TwoLayer(settings).to(device)
    monitor = fs.SpectralMonitor(x, y, None, peaks=k[:, None], period=2.0)
    optimizer = torch.optim.SGD(model.parameters(), settings.step)
    for step in progress("gradient descent", settings.steps + 1):
        prediction = model(x)
        if step % settings.every == 0:
            monitor.update(step, prediction)
        descend(optimizer, (prediction - y).square().sum() / 2)
    return {
        "times": [settings.step * step for step in monitor.steps],
        "measured": monitor.errors,
        "predicted": predicted(settings, x, y, monitor),
    }


def predicted(settings: Settings, x: Tensor, y: Tensor, monitor: fs.SpectralMonitor) -> Tensor:
    k = torch.arange(settings.modes, device=x.device) - settings.modes // 2
    xi = (k.double().abs() / settings.box).clamp_min(0.5 / settings.box)
    gamma = fs.theory.lfp_rate(xi, d=1, activation="tanh", w=settings.w, sigma_b=settings.b)
    rates = 2 * len(x) / settings.box * gamma.square()
    times = settings.step * torch.tensor(monitor.steps, dtype=torch.float64, device=x.device)
    tracked = monitor.frequencies.to(x.device) * settings.box
    zero = torch.zeros_like(y)
    return fs.theory.lfp_evolution(x, zero, y, rates, times, period=settings.box, wavenumbers=tracked)


def judge(settings: Settings, trials: list[Trial], out: Path) -> Outcome:
    differences = [(t["predicted"].cpu() - t["measured"].double().cpu()).abs() for t in trials]
    names = [f"{k:g}" for k in settings.wavenumbers]
    largest = {name: spread(d[:, i].max().item() for d in differences) for i, name in enumerate(names)}
    draw(settings, trials, out / FIGURE)
    return outcome(
        "the principle's formula predicts the error of each frequency at every time of the training",
        {f"wavenumber {name}": found["median"] < settings.agreement for name, found in largest.items()},
        {"largest difference of a relative error": settings.agreement},
        {
            "largest_difference_by_wavenumber": largest,
            "mean_difference": spread(d.mean().item() for d in differences),
            "error_at_the_end_by_wavenumber": {
                name: spread(t["measured"][-1, i].item() for t in trials) for i, name in enumerate(names)
            },
        },
        [FIGURE],
    )


def draw(settings: Settings, trials: list[Trial], path: Path) -> None:
    with figure(path, 10, 3.6) as page:
        axes = page.subplots(1, len(trials), sharey=True, squeeze=False)[0]
        for seed, (ax, trial) in enumerate(zip(axes, trials, strict=True), settings.seed):
            for i, (k, colour) in enumerate(zip(settings.wavenumbers, COLOURS, strict=True)):
                ax.plot(trial["times"], trial["measured"][:, i].cpu(), color=colour, linewidth=4, alpha=0.4)
                ax.plot(trial["times"], trial["predicted"][:, i].cpu(), color=colour, label=f"k = {k:g}")
            ax.set(xlabel="time (steps times rate)", title=f"seed {seed}", ylim=(0, None))
        axes[0].set_ylabel("relative error\n(broad: measured, thin: predicted)")
        page.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)


RECIPE = Recipe(
    "lfp-evolution",
    "the linear frequency principle predicts each frequency's error over time",
    DEFAULT,
    QUICK,
    over_seeds(run_trial, judge),
    FULL,
)
