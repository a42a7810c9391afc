"""Operator-aware preconditioning of PINN residuals: the operator's bias against the network's (arXiv 2603.00904).

-u'' = g on (-1, 1), u(±1) = 0, the solution a sum of sine modes, by a plain tanh network with hard sides, whose
residual is measured in the norm with weight |k|^-s (:func:`fastspec.precondition.residual`). The network learns low
modes first, as a regression on u itself shows; by two derivatives mode k counts k^4 times, so mean squares of the
residual, s = 0, should lead with high modes. A weight between balances the two; more of it gives the network's bias
back. The monitor shows the balance as a tilt: the mean over the steps of log10 of the highest mode's error over the
lowest's. Each s has the best of some rates of Adam, by its median error. Equation, network and modes are those of
examples/deepxde_poisson.py. In 2-D the network's own bias outweighs the operator's, and mean squares do better:
:func:`fastspec.precondition.residual` has the numbers.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

import fastspec as fs

from ..measure.heatmap import add_colorbar, draw_heatmap
from .harness import Outcome, Recipe, dense, descend, figure, outcome, progress
from .trials import Trial, median, over_seeds, spread

ORDERS, TILT = "orders-of-learning.png", "tilt.png"
LOW, HIGH = -1.0, 1.0
REGRESSION = "u itself"


@dataclass(frozen=True)
class Settings:
    seed: int = 0
    threads: int = 1
    seeds: int = 3
    points: int = 256
    hidden: tuple[int, ...] = (64, 64)
    half_waves: tuple[int, ...] = (1, 4, 8, 24)
    sizes: tuple[float, ...] = (1.0, 0.25, 0.125, 0.04)
    powers: tuple[float, ...] = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)  # s
    learning_rates: tuple[float, ...] = (3e-3, 1e-2)
    steps: int = 1000
    every: int = 5
    threshold: float = 0.1
    gain: float = 5.0  # times less error at the balance than at either end


DEFAULT = Settings()
QUICK = replace(DEFAULT, powers=(0.0, 1.0, 4.0), learning_rates=(1e-2,), steps=500)
FULL = replace(DEFAULT, seeds=5, learning_rates=(3e-3, 1e-2, 3e-2), steps=3000)


class Pinned(nn.Module):
    """(1 - x²) times a network: zero at the sides."""

    def __init__(self, settings: Settings):
        super().__init__()
        self.net = nn.Sequential(*dense([1, *settings.hidden, 1]))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = (1 - x**2) * self.net(x)
        return out

    def operator(self, x: Tensor) -> Tensor:
        """-u'' at points x that require a gradient."""
        (slope,) = torch.autograd.grad(self(x).sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(slope.sum(), x, create_graph=True)
        return -second


@dataclass(frozen=True)
class Equation:
    """Points (M, 1), the solution there and the source, (M, 1)."""

    x: Tensor
    solution: Tensor
    source: Tensor

    @property
    def odd(self) -> fs.nn.Reflected:
        """About the sides, where half waves are the modes."""
        return fs.nn.Reflected(nn.Identity(), LOW, HIGH, odd=True)


def equation(settings: Settings, device: torch.device) -> Equation:
    x = (torch.arange(settings.points, device=device)[:, None] + 0.5) * (HIGH - LOW) / settings.points + LOW
    rates = torch.tensor(settings.half_waves, device=device) * math.pi / (HIGH - LOW)
    sizes = torch.tensor(settings.sizes, device=device)[:, None]
    sines = torch.sin((x - LOW) * rates)
    return Equation(x, sines @ sizes, sines @ (sizes * rates[:, None] ** 2))


def run_trial(settings: Settings, seed: int, device: torch.device) -> Trial:
    task = equation(settings, device)
    found: Trial = {REGRESSION: [train(settings, seed, task, None, lr) for lr in settings.learning_rates]}
    for power in settings.powers:
        found[f"{power:g}"] = [train(settings, seed, task, power, lr) for lr in settings.learning_rates]
    return found


def train(settings: Settings, seed: int, task: Equation, power: float | None, rate: float) -> Trial:
    """By the residual in the norm of a power, or by u itself, where it is None."""
    torch.manual_seed(seed)
    model = Pinned(settings).to(task.x.device)
    x, target = task.x.clone().requires_grad_(), task.solution if power is None else task.source
    norm = fs.precondition.residual(task.x, (LOW, HIGH), strength=(power or 0.0) / 2)
    scale = norm(target)
    odd = task.odd
    k = torch.tensor(settings.half_waves)
    monitor = fs.SpectralMonitor(odd.points(task.x) - LOW, odd.values(task.solution), peaks=k, period=odd.period)
    optimizer = torch.optim.Adam(model.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.steps, rate / 30)
    for step in progress(f"s = {power}, rate {rate:g}", settings.steps):
        if step % settings.every == 0:
            monitor.update(step, odd.values(model(task.x)))
        prediction = model(x) if power is None else model.operator(x)
        descend(optimizer, norm(prediction - target) / scale)
        schedule.step()
    with torch.no_grad():
        monitor.update(settings.steps, odd.values(model(task.x)))
        error = ((model(task.x) - task.solution).norm() / task.solution.norm()).item()
    reached = list(monitor.steps_to(settings.threshold, lasting=True).values())
    return {"error": error, "reached": reached, "steps": monitor.steps, "errors": monitor.errors}


def judge(settings: Settings, trials: list[Trial], out: Path) -> Outcome:
    best = {name: best_rate([trial[name] for trial in trials]) for name in trials[0]}
    runs = {name: [trial[name][best[name]] for trial in trials] for name in best}
    errors = {name: spread(run["error"] for run in found) for name, found in runs.items()}
    tilts = {name: median(tilt(run) for run in found) for name, found in runs.items()}
    first, *between, last = (f"{power:g}" for power in settings.powers)
    balance = min(between, key=lambda name: errors[name]["median"])
    draw_orders(settings, {name: runs[name][0] for name in (REGRESSION, first, balance, last)}, out / ORDERS)
    draw_tilt(settings, runs, tilts, out / TILT)
    ends = min(errors[first]["median"], errors[last]["median"])
    checks = {
        "the network's bias: u itself is learnt low modes first": tilts[REGRESSION] > 0,
        "the operator's: by mean squares of the residual high modes are first": tilts[first] < 0,
        "too much weight: low modes are first again": tilts[last] > 0,
        "the tilt grows with the weight": all(a <= b for a, b in zip(list_of(tilts), list_of(tilts)[1:], strict=False)),
        "a weight between errs least": settings.gain * errors[balance]["median"] < ends,
    }
    return outcome(
        "a residual's weight |k|^-s balances the operator's bias to high modes with the network's to low ones: the"
        " order of learning tilts from high first to low first as s grows, and between the solution errs least",
        checks,
        {"learnt": settings.threshold, "gain at the balance": settings.gain},
        {
            "error_by_s": {name: found for name, found in errors.items() if name != REGRESSION},
            "tilt_by_s_median": tilts,
            "s_at_the_balance": float(balance),
            "best_rates": {name: settings.learning_rates[i] for name, i in best.items()},
        },
        [ORDERS, TILT],
    )


def best_rate(runs: list[list[Trial]]) -> int:
    """Of runs by seed and rate, the rate of the least median error."""
    return min(range(len(runs[0])), key=lambda i: median(run[i]["error"] for run in runs))


def tilt(run: Trial) -> float:
    """The mean over the steps of log10 of the highest mode's error over the lowest's: positive where low ones lead."""
    errors = run["errors"].log10()
    return float((errors[:, -1] - errors[:, 0]).mean())


def list_of(tilts: dict[str, float]) -> list[float]:
    """In the order of s."""
    return [value for name, value in tilts.items() if name != REGRESSION]


def draw_orders(settings: Settings, runs: dict[str, Trial], path: Path) -> None:
    labels = [str(k) for k in settings.half_waves]
    with figure(path, 12, 3) as page:
        axes = page.subplots(1, len(runs), sharey=True)
        for ax, (name, run) in zip(axes, runs.items(), strict=True):
            title = name if name == REGRESSION else f"residual, s = {name}"
            draw_heatmap(
                run["steps"],
                run["errors"].cpu(),
                labels,
                ax=ax,
                frequency_label="half waves",
                title=title,
                log_steps=True,
            )
            ax.label_outer()
        add_colorbar(page, axes)


def draw_tilt(settings: Settings, runs: dict[str, list[Trial]], tilts: dict[str, float], path: Path) -> None:
    names = [name for name in runs if name != REGRESSION]
    powers = [float(name) for name in names]
    with figure(path, 9, 3.4) as page:
        left, right = page.subplots(1, 2)
        left.semilogy(powers, [median(run["error"] for run in runs[name]) for name in names], color="#0077BB")
        right.plot(powers, [tilts[name] for name in names], color="#0077BB", label="by the residual")
        for name, power in zip(names, powers, strict=True):
            left.semilogy([power] * len(runs[name]), [run["error"] for run in runs[name]], ".", color="#0077BB")
            tilted = [tilt(run) for run in runs[name]]
            right.plot([power] * len(tilted), tilted, ".", color="#0077BB")
        right.axhline(tilts[REGRESSION], color="#CC3311", linestyle="--", label="by u itself")
        right.axhline(0, color="0.6", linewidth=0.8)
        left.set(xlabel="s of the weight |k|^-s", ylabel="relative error of u")
        right.set(xlabel="s of the weight |k|^-s", ylabel="tilt: log10 of errors, k high over low")
        right.legend(frameon=False)


RECIPE = Recipe(
    "pinn-operator",
    "weights on a PINN's residual balance the operator's bias to high modes with the network's to low ones",
    DEFAULT,
    QUICK,
    over_seeds(run_trial, judge),
    FULL,
)
