"""Networks in stages, each on what the last ones left, reach machine precision (arXiv 2307.08934).

sin(2x + 1) + 0.2 exp(1.3x) on [-1, 1], the authors' first example, by stages of three tanh layers of 20 units, as
theirs; L-BFGS in float64. Errors are root mean squares at random points between those of training. The paper names
no gain per stage: an order of magnitude is our mark.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

import fastspec as fs

from .harness import Outcome, Recipe, figure, outcome, progress
from .trials import Trial, over_seeds, spread

FIGURE = "error-per-stage.png"
COLOURS = ("#DDAA33", "#CC3311", "#33BBEE", "#0077BB")


@dataclass(frozen=True)
class Settings:
    seed: int = 0
    threads: int = 1
    seeds: int = 3
    stages: int = 4
    width: int = 20
    depth: int = 3
    points: int = 400
    iterations: int = 2000  # of L-BFGS, for a stage
    gain: float = 10.0
    precision: float = 1e-14


DEFAULT = Settings()
QUICK = replace(DEFAULT, stages=3, points=300, iterations=500)


def target(x: Tensor) -> Tensor:
    return (2 * x + 1).sin() + 0.2 * (1.3 * x).exp()


def run_trial(settings: Settings, seed: int, device: torch.device) -> Trial:
    x = torch.linspace(-1, 1, settings.points, dtype=torch.float64, device=device)[:, None]
    between = 2 * torch.rand(2000, 1, dtype=torch.float64, device=device).sort(0).values - 1
    model = fs.nn.MultiStage(1, width=settings.width, depth=settings.depth).to(x)
    found: Trial = {"x": between[:, 0], "left": [], "errors": [], "kappa": []}
    for i in range(settings.stages):
        minimise(f"stage {i + 1}", model, x, settings.iterations)
        with torch.no_grad():
            left = (model(between) - target(between))[:, 0]
        found["left"].append(left)
        found["errors"].append(left.square().mean().sqrt().item())
        found["kappa"].append(cast(Tensor, model.stages[-1].kappa).item())
    return found


def minimise(name: str, model: fs.nn.MultiStage, x: Tensor, iterations: int) -> None:
    """Adds a stage and trains it; a stage that can be lowered no further ends early."""
    y = target(x)
    optimizer = torch.optim.LBFGS(
        model.add_stage(x, y), max_iter=20, history_size=50, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = model.loss(x, y)
        value.backward()
        return value

    for _ in progress(name, iterations // 20):
        optimizer.step(loss)


def judge(settings: Settings, trials: list[Trial], out: Path) -> Outcome:
    stages = range(1, settings.stages + 1)
    errors = {f"stage {n}": spread(t["errors"][n - 1] for t in trials) for n in stages}
    gains = {f"stage {n}": spread(t["errors"][n - 2] / t["errors"][n - 1] for t in trials) for n in stages[1:]}
    draw(trials, out / FIGURE)
    checks = {f"{name} gains an order of magnitude": gain["median"] >= settings.gain for name, gain in gains.items()}
    checks["the last reaches machine precision"] = errors[f"stage {settings.stages}"]["median"] <= settings.precision
    return outcome(
        "each stage lowers the error by an order of magnitude, down to machine precision",
        checks,
        {"gain of a stage": settings.gain, "error after the last stage": settings.precision},
        {
            "error": errors,
            "gain": gains,
            "scale_kappa": {f"stage {n}": spread(t["kappa"][n - 1] for t in trials) for n in stages},
        },
        [FIGURE],
    )


def draw(trials: list[Trial], path: Path) -> None:
    with figure(path, 10, 3.6) as page:
        over_x, over_stages = page.subplots(1, 2, width_ratios=[2, 1])
        for i, (left, colour) in enumerate(zip(trials[0]["left"], COLOURS, strict=False)):
            over_x.semilogy(trials[0]["x"].cpu(), left.abs().cpu(), color=colour, linewidth=0.8, label=f"stage {i + 1}")
        over_x.set(xlabel="x", ylabel="|error|", title="what is left after each stage, first seed")
        over_x.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
        for trial in trials:
            over_stages.semilogy(range(1, len(trial["errors"]) + 1), trial["errors"], "o-", color="#0077BB")
        over_stages.set(
            xlabel="stages",
            ylabel="root mean square error",
            title="each seed",
            xticks=range(1, len(trial["errors"]) + 1),
        )


RECIPE = Recipe(
    "multi-stage",
    "networks in stages, each on what the last left: how far each brings the error down",
    DEFAULT,
    QUICK,
    over_seeds(run_trial, judge),
)
