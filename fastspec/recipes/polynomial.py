"""Polynomial networks and high frequencies (arXiv 2202.13473): the tangent kernel's decay, and sines on a circle.

A two-layer ReLU network and Π-nets of degree 2 and 4 whose factors are ReLU, all with the same number of parameters, on
points of the unit circle. First the decay of each kernel's eigenvalues with even wavenumber, at initialisation; then
Σ_k sin(kθ + φ_k) is learnt with Adam on the full batch. The paper has k = 5 ... 50 and deeper networks; the rest is our
own.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

import fastspec as fs

from ..measure.heatmap import add_colorbar, draw_heatmap
from .harness import Outcome, Recipe, Schedule, figure, outcome, train
from .trials import Trial, median, over_seeds, spread

KERNELS, ERRORS = "kernel-rates.png", "error-per-frequency.png"
RELU, SQUARE, QUARTIC = "ReLU", "degree 2", "degree 4"
COLOURS = {RELU: "#CC3311", SQUARE: "#33BBEE", QUARTIC: "#0077BB"}


@dataclass(frozen=True)
class Settings:
    seed: int = 0
    threads: int = 1
    seeds: int = 5
    parameters: int = 3000
    points: int = 256
    wavenumbers: tuple[int, ...] = (5, 10, 15, 20)
    learning_rate: float = 3e-3
    steps: int = 2000
    threshold: float = 0.1
    even_modes: tuple[int, ...] = (4, 6, 8, 12, 16, 24)
    slower_by: float = 0.2  # of the exponents


DEFAULT = Settings()
QUICK = replace(DEFAULT, seeds=3, parameters=1500, steps=1200)
FULL = replace(DEFAULT, parameters=50_000, wavenumbers=tuple(range(5, 55, 5)), steps=20_000, points=1024)


class Circle(nn.Module):
    def forward(self, angle: Tensor) -> Tensor:
        return torch.cat([angle.cos(), angle.sin()], -1)


def network(name: str, parameters: int) -> nn.Module:
    if name == RELU:
        width = parameters // 4
        return nn.Sequential(Circle(), nn.Linear(2, width), nn.ReLU(), nn.Linear(width, 1))
    degree = {SQUARE: 2, QUARTIC: 4}[name]
    return nn.Sequential(
        Circle(), fs.nn.PolyNet(2, width=parameters // (3 * degree + 1), degree=degree, activation=torch.relu)
    )


def run_trial(settings: Settings, seed: int, device: torch.device) -> Trial:
    angle = torch.arange(settings.points, device=device)[:, None] * (2 * math.pi / settings.points)
    k = torch.tensor(settings.wavenumbers, device=device)
    y = (angle * k + 2 * math.pi * torch.rand(len(k), device=device)).sin().sum(1, keepdim=True)
    even = torch.tensor(settings.even_modes, dtype=torch.float32, device=device)
    found: Trial = {"rates": {}, "errors": {}, "steps": {}}
    for name in COLOURS:
        model = network(name, settings.parameters).to(device)
        found["rates"][name] = fs.measure.ntk_rates(model, angle, even)
        monitor = fs.SpectralMonitor(angle, y, None, peaks=k[:, None])
        schedule = Schedule(settings.steps, settings.learning_rate)
        train(name, model, nn.functional.mse_loss, angle, y, monitor, schedule)
        found["errors"][name] = monitor.errors
        found["steps"][name] = list(monitor.steps_to(settings.threshold).values())
    return found


def judge(settings: Settings, trials: list[Trial], out: Path) -> Outcome:
    even = torch.tensor(settings.even_modes, dtype=torch.float32)
    exponent: Callable[[Tensor], float] = lambda rates: fs.measure.decay_exponent(rates.cpu(), even)  # noqa: E731
    exponents = {name: spread(exponent(t["rates"][name]) for t in trials) for name in COLOURS}
    steps = {
        name: [median(t["steps"][name][i] for t in trials) for i in range(len(settings.wavenumbers))]
        for name in COLOURS
    }
    draw_kernels(settings, trials[0], out / KERNELS)
    draw_errors(settings, trials[0], out / ERRORS)
    sooner = [q < r or q == r == math.inf for q, r in zip(steps[QUARTIC], steps[RELU], strict=True)]
    checks = {
        "the kernel decays more slowly": exponents[QUARTIC]["median"] < exponents[RELU]["median"] - settings.slower_by,
        "sines are learnt sooner": all(sooner) and steps[QUARTIC] != steps[RELU],
    }
    return outcome(
        "the polynomial network's tangent kernel decays more slowly with degree than a two-layer ReLU network's, and it"
        " learns sums of sines sooner",
        checks,
        {"difference of the exponents": settings.slower_by, "learnt": settings.threshold},
        {
            "decay_exponent_of_the_kernel": exponents,
            "wavenumbers": list(settings.wavenumbers),
            "steps_to_10_percent_median": steps,
        },
        [KERNELS, ERRORS],
    )


def draw_kernels(settings: Settings, trial: Trial, path: Path) -> None:
    with figure(path, 6.5, 3.4) as page:
        ax = page.subplots()
        for name, colour in COLOURS.items():
            rates = trial["rates"][name].cpu()
            ax.loglog(settings.even_modes, rates / rates[0], "o-", color=colour, markersize=4, label=name)
        ax.set_xticks(settings.even_modes, [str(k) for k in settings.even_modes])
        ax.minorticks_off()
        ax.set(xlabel="even wavenumber on the circle", ylabel="eigenvalue, of the first shown")
        page.legend(loc="outside right upper", frameon=False)


def draw_errors(settings: Settings, trial: Trial, path: Path) -> None:
    with figure(path, 11, 3.2) as page:
        axes = page.subplots(1, len(COLOURS), sharey=True)
        for ax, (name, errors) in zip(axes, trial["errors"].items(), strict=True):
            draw_heatmap(
                range(len(errors)),
                errors.cpu(),
                [str(k) for k in settings.wavenumbers],
                ax=ax,
                frequency_label="wavenumber on the circle",
                title=name,
            )
        for ax in axes[1:]:
            ax.set_ylabel("")
        add_colorbar(page, axes)


RECIPE = Recipe(
    "polynomial",
    "polynomial networks learn sums of sines sooner; their kernel's decay beside a ReLU network's",
    DEFAULT,
    QUICK,
    over_seeds(run_trial, judge),
    FULL,
)
