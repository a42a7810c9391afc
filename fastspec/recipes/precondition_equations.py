"""Equations whose solutions oscillate, by networks that shift high frequencies lower and by plain ones.

Helmholtz: u″ + λ²u = sin μx, u(±1) = 0, λ = 205, μ = 3, by PhaseDNN of shifts 0, μ, λ (arXiv 1909.11759), from its
residual; the unknown is u times λ² - μ², of size one. Poisson and Boltzmann: -u″ + λ²u = (λ² + μ²) sin μx, u(±1) = 0,
λ = 20, μ = 50, by MscaleDNN of scales 1 ... 32 (arXiv 2007.11207), by Ritz's energy with penalty 1000 at the ends. The
equations are the authors'; widths, steps and rates are ours. Points are drawn anew at every step.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

import fastspec as fs

from .harness import Outcome, Recipe, Schedule, dense, descend, figure, outcome, progress
from .trials import Trial, over_seeds, spread

FIGURE = "solutions.png"
HELMHOLTZ, BOLTZMANN = "Helmholtz", "Poisson-Boltzmann"
PLAIN, SHIFTED = "plain network", {HELMHOLTZ: "PhaseDNN", BOLTZMANN: "MscaleDNN"}
WAVES = {HELMHOLTZ: (205.0, 3.0), BOLTZMANN: (20.0, 50.0)}  # λ, μ
SHOWN = {HELMHOLTZ: 0.1, BOLTZMANN: 0.5}  # as far from zero as the picture goes

Loss = Callable[[nn.Module, Tensor], Tensor]


@dataclass(frozen=True)
class Settings:
    seed: int = 0
    threads: int = 1
    seeds: int = 3
    points: int = 800
    phase_width: int = 20
    scale_width: int = 32
    scales: int = 6
    steps: int = 2000
    learning_rate: float = 1e-2
    penalty: float = 1000.0
    within: float = 0.1  # of the solution, relative l2


DEFAULT = Settings()
QUICK = replace(DEFAULT, points=300, scale_width=24, steps=600)
FULL = replace(DEFAULT, points=5000, scale_width=150, steps=20_000)


def solution(equation: str, x: Tensor) -> Tensor:
    """Float64; of Helmholtz' equation times λ² - μ²."""
    lam, mu = WAVES[equation]
    if equation == HELMHOLTZ:
        return (mu * x).sin() - math.sin(mu) / math.sin(lam) * (lam * x).sin()
    return (mu * x).sin() - math.sin(mu) / math.sinh(lam) * (lam * x).sinh()


def slope(u: Tensor, x: Tensor) -> Tensor:
    (out,) = torch.autograd.grad(u.sum(), x, create_graph=True)
    return out


def residual_loss(model: nn.Module, x: Tensor) -> Tensor:
    """Of Helmholtz' equation over λ²."""
    lam, mu = WAVES[HELMHOLTZ]
    u = model(x)
    residual = slope(slope(u, x), x) / lam**2 + u - (1 - (mu / lam) ** 2) * (mu * x).sin()
    loss: Tensor = residual.square().mean() + model(x.new_tensor([[-1.0], [1.0]])).square().mean()
    return loss


def energy(penalty: float) -> Loss:
    """Ritz's, of Poisson's and Boltzmann's equation, over [-1, 1], and the penalty on the ends."""
    lam, mu = WAVES[BOLTZMANN]

    def loss(model: nn.Module, x: Tensor) -> Tensor:
        u = model(x)
        density = (slope(u, x).square() + (lam * u).square()) / 2 - (lam**2 + mu**2) * (mu * x).sin() * u
        ritz: Tensor = 2 * density.mean() + penalty * model(x.new_tensor([[-1.0], [1.0]])).square().sum()
        return ritz

    return loss


def networks(equation: str, settings: Settings) -> dict[str, nn.Module]:
    """The one made for it, and a plain one of about as many units a layer."""
    if equation == HELMHOLTZ:
        lam, mu = WAVES[equation]
        shifted: nn.Module = fs.nn.PhaseMLP([0.0, mu, lam], width=settings.phase_width)
        return {SHIFTED[equation]: shifted, PLAIN: nn.Sequential(*dense([1, *[5 * settings.phase_width] * 2, 1]))}
    width = settings.scales * settings.scale_width
    shifted = fs.nn.MscaleMLP(1, n_scales=settings.scales, width=settings.scale_width, activation="phi")
    return {SHIFTED[equation]: shifted, PLAIN: nn.Sequential(*dense([1, *[width] * 3, 1]))}


def run_trial(settings: Settings, seed: int, device: torch.device) -> Trial:
    grid = torch.linspace(-1, 1, 2001, dtype=torch.float64, device=device)
    found: Trial = {}
    for equation, loss in {HELMHOLTZ: residual_loss, BOLTZMANN: energy(settings.penalty)}.items():
        exact = solution(equation, grid)
        found[equation] = {}
        for name, model in networks(equation, settings).items():
            solve(f"{equation}, {name}", model.to(device), loss, settings)
            with torch.no_grad():
                u = model(grid[:, None].float())[:, 0]
            found[equation][name] = {"u": u, "error": ((u - exact).norm() / exact.norm()).item()}
    return found


def solve(name: str, model: nn.Module, loss: Loss, settings: Settings) -> None:
    schedule = Schedule(settings.steps, settings.learning_rate, settings.learning_rate / 30)
    optimizer = torch.optim.Adam(model.parameters(), schedule.learning_rate)
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule.factor)
    device = next(model.parameters()).device
    for _ in progress(name, settings.steps):
        x = (2 * torch.rand(settings.points, 1, device=device) - 1).requires_grad_()
        descend(optimizer, loss(model, x))
        rate.step()


def judge(settings: Settings, trials: list[Trial], out: Path) -> Outcome:
    errors = {
        equation: {name: spread(t[equation][name]["error"] for t in trials) for name in (shifted, PLAIN)}
        for equation, shifted in SHIFTED.items()
    }
    checks = {}
    for equation, shifted in SHIFTED.items():
        of = {name: error["median"] for name, error in errors[equation].items()}
        checks[f"{equation}: {shifted} solves it"] = of[shifted] <= settings.within
        checks[f"{equation}: a plain network does not"] = of[PLAIN] > settings.within
    draw(trials, out / FIGURE)
    return outcome(
        "networks that shift high frequencies lower solve equations with oscillating solutions, where plain do not",
        checks,
        {"relative l2 error": settings.within},
        {"error_" + equation.lower(): error for equation, error in errors.items()},
        [FIGURE],
    )


def draw(trials: list[Trial], path: Path) -> None:
    grid = torch.linspace(-1, 1, 2001, dtype=torch.float64)
    with figure(path, 10, 3.6) as page:
        for ax, (equation, shifted) in zip(page.subplots(1, 2), SHIFTED.items(), strict=True):
            near = grid.abs() <= SHOWN[equation]
            ax.plot(grid[near], solution(equation, grid)[near], color="0.7", linewidth=4, label="solution")
            for name, colour in ((PLAIN, "#CC3311"), (shifted, "#0077BB")):
                ax.plot(grid[near], trials[0][equation][name]["u"].cpu()[near], color=colour, linewidth=1, label=name)
            ax.set(title=equation, xlabel="x", ylabel="u (λ² - μ²)" if equation == HELMHOLTZ else "u")
            ax.legend(loc="lower center", bbox_to_anchor=(0.5, -0.42), ncols=3, frameon=False)


RECIPE = Recipe(
    "precondition-equations",
    "Helmholtz' equation by PhaseDNN, Poisson's and Boltzmann's by MscaleDNN, and both by plain networks",
    DEFAULT,
    QUICK,
    over_seeds(run_trial, judge),
    FULL,
)
