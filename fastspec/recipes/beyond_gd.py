"""The frequency principle without gradient descent (arXiv 2101.00747): low frequencies first, whoever minimises.

Conjugate gradients, BFGS and Powell's method, which takes no gradients, all by SciPy, and particle swarm optimisation,
which is ours, fit sin x + sin 3x by a tanh network of one small hidden layer. The monitor sees the best network so far
at each iteration. Half of a frequency is the mark, for not all of these come nearer on a network so small.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor

import fastspec as fs

from ..measure.heatmap import add_colorbar, draw_heatmap
from .harness import Outcome, Recipe, figure, outcome, progress
from .trials import Trial, in_order, median, over_seeds

FIGURE = "error-per-frequency.png"
WAVENUMBERS = (1, 3)
SCIPY = {"CG": "conjugate gradients", "BFGS": "BFGS", "Powell": "Powell"}
SWARM = "particle swarm"


@dataclass(frozen=True)
class Settings:
    seed: int = 0
    threads: int = 1
    seeds: int = 5
    points: int = 64
    width: int = 15
    iterations: int = 300
    powell_iterations: int = 30
    swarm_iterations: int = 1500
    particles: int = 100
    threshold: float = 0.5


DEFAULT = Settings()
QUICK = replace(DEFAULT, iterations=150, powell_iterations=15, swarm_iterations=800)

Record = Callable[[Tensor], None]


class Problem:
    """Mean squared error of the network whose 3 width + 1 parameters are one vector, or rows of them."""

    def __init__(self, settings: Settings):
        self.x = (torch.arange(settings.points) + 0.5) * (2 * math.pi / settings.points) - math.pi
        self.x = self.x.double()
        self.y = torch.stack([(k * self.x).sin() for k in WAVENUMBERS]).sum(0)
        self.width = settings.width

    def network(self, theta: Tensor) -> Tensor:
        """(..., P) -> (..., points)."""
        w, b, a, c = theta.split([self.width, self.width, self.width, 1], -1)
        out: Tensor = (torch.tanh(self.x[:, None] * w[..., None, :] + b[..., None, :]) @ a[..., None])[..., 0] + c
        return out

    def start(self) -> Tensor:
        return 0.5 * torch.randn(3 * self.width + 1, dtype=torch.float64)

    def loss(self, theta: Tensor) -> Tensor:
        return (self.network(theta) - self.y).square().mean(-1)

    def value(self, theta: object) -> float:
        return self.loss(torch.as_tensor(theta)).item()

    def gradient(self, theta: object) -> object:
        at = torch.as_tensor(theta).clone().requires_grad_()
        (found,) = torch.autograd.grad(self.loss(at), at)
        return found.numpy()


def run_trial(settings: Settings, seed: int, device: torch.device) -> Trial:
    problem = Problem(settings)
    start = problem.start()
    found: Trial = {}
    for name in (*SCIPY.values(), SWARM):
        monitor = fs.SpectralMonitor(problem.x, problem.y, None, peaks=torch.tensor(WAVENUMBERS))
        monitor.update(0, problem.network(start))

        def record(theta: Tensor, monitor: fs.SpectralMonitor = monitor) -> None:
            monitor.update(monitor.steps[-1] + 1, problem.network(theta))

        if name == SWARM:
            swarm(problem, start, settings, record)
        else:
            by_scipy(name, problem, start, settings, record)
        found[name] = {"errors": monitor.errors, "steps": list(monitor.steps_to(settings.threshold).values())}
    return found


def by_scipy(name: str, problem: Problem, start: Tensor, settings: Settings, record: Record) -> None:
    method = next(key for key, value in SCIPY.items() if value == name)
    iterations = settings.powell_iterations if method == "Powell" else settings.iterations
    import_module("scipy.optimize").minimize(
        problem.value,
        start.numpy(),
        method=method,
        jac=None if method == "Powell" else problem.gradient,
        callback=lambda theta: record(torch.as_tensor(theta)),
        options={"maxiter": iterations},
    )


def swarm(problem: Problem, start: Tensor, settings: Settings, record: Record) -> None:
    """Particles drawn to their own best place and to the best of all (Kennedy & Eberhart 1995; constants of Clerc)."""
    place = start + 0.5 * torch.randn(settings.particles, len(start), dtype=torch.float64)
    velocity, own, own_loss = torch.zeros_like(place), place.clone(), problem.loss(place)
    for _ in progress(SWARM, settings.swarm_iterations):
        best = own[own_loss.argmin()]
        record(best)
        to_own, to_best = (1.496 * torch.rand_like(place) for _ in range(2))
        velocity = 0.7298 * velocity + to_own * (own - place) + to_best * (best - place)
        place = place + velocity
        loss = problem.loss(place)
        better = loss < own_loss
        own, own_loss = torch.where(better[:, None], place, own), torch.where(better, loss, own_loss)


def judge(settings: Settings, trials: list[Trial], out: Path) -> Outcome:
    names = list(trials[0])
    steps = {name: [median(t[name]["steps"][i] for t in trials) for i in range(len(WAVENUMBERS))] for name in names}
    in_turn = {name: sum(in_order(t[name]["steps"]) for t in trials) for name in names}
    draw(trials[0], out / FIGURE)
    checks = {f"{name}: low before high": in_order(steps[name]) and steps[name][-1] < math.inf for name in names}
    return outcome(
        "without gradient descent too, the low frequency is learnt before the high one, by each of four methods",
        checks,
        {"learnt": settings.threshold},
        {"iterations_to_half_median": steps, f"seeds_of_{settings.seeds}_in_order": in_turn},
        [FIGURE],
    )


def draw(trial: Trial, path: Path) -> None:
    with figure(path, 10, 5) as page:
        axes = page.subplots(2, 2, sharey=True).flatten().tolist()
        for ax, (name, found) in zip(axes, trial.items(), strict=True):
            draw_heatmap(
                range(len(found["errors"])),
                found["errors"],
                [str(k) for k in WAVENUMBERS],
                ax=ax,
                frequency_label="wavenumber",
                title=f"{name}: iterations",
                log_steps=True,
            )
        add_colorbar(page, axes)


RECIPE = Recipe(
    "beyond-gd",
    "conjugate gradients, BFGS, Powell and particle swarm learn low frequencies first too",
    DEFAULT,
    QUICK,
    over_seeds(run_trial, judge),
)
