"""The critical decay rate: minimum-norm interpolants are regular for α > d and spikes for α ≤ d (arXiv 2105.11675).

argmin Σ_k (1 + |ξ|²)^{α/2} |ĥ_k|² through a few points, for exponents below, at and above the dimension, as the number
of modes per axis N grows at fixed spacing. Between the points, and so in the mean over the box, the interpolant falls
like N^{α-d} below, like 1 / log N at, and tends to a positive limit above. The spacing, the points and their values,
drawn anew by each seed, are this recipe's own.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

import fastspec as fs

from .harness import Outcome, Recipe, figure, outcome, progress
from .trials import Trial, over_seeds, spread

VALUES, INTERPOLANTS = "value-between-points.png", "interpolants.png"
FACTORS = (0.5, 0.75, 1.0, 1.5, 2.0)  # α over d
COLOURS = ("#CC3311", "#EE7733", "0.3", "#33BBEE", "#0077BB")

CASES = tuple((d, factor) for d in (1, 2) for factor in FACTORS)  # the dimension, and α over it
Interpolant = fs.theory.MinNormInterpolant


@dataclass(frozen=True)
class Settings:
    seed: int = 0
    threads: int = 2
    seeds: int = 3
    line: tuple[int, ...] = (101, 1_001, 10_001, 100_001, 1_000_001)
    plane: tuple[int, ...] = (25, 51, 101, 201, 401, 801)
    period: float = 1.0
    tolerance: float = 0.15
    positive: float = 0.2  # what a positive limit is above


DEFAULT = Settings()
QUICK = replace(DEFAULT, line=(101, 1_001, 10_001, 100_001), plane=(25, 75, 225))


def name_of(case: tuple[int, float]) -> str:
    d, factor = case
    return f"{d}-D, alpha {factor * d:g}"


def sizes_of(settings: Settings, d: int) -> tuple[int, ...]:
    return settings.line if d == 1 else settings.plane


def run_trial(settings: Settings, seed: int, device: torch.device) -> Trial:
    points, values = data(device)
    t = torch.linspace(-0.5, 1.5, 1001, dtype=torch.float64, device=device)[:, None]
    found: Trial = {"heights": values[:2]}
    for i in progress("exponents", len(CASES)):
        d, factor = CASES[i]
        x = points[:, :d]
        solutions = [
            fs.theory.min_norm_interpolant(x, values, factor * d, (n,) * d, period=settings.period)
            for n in sizes_of(settings, d)
        ]
        found[name_of(CASES[i])] = {
            "means": [mean_value(solution) for solution in solutions],
            "residual": max(solution.residual for solution in solutions),
            "section": solutions[-1](x[0] + t * (x[1] - x[0])).real,
        }
    return found


def data(device: torch.device) -> tuple[Tensor, Tensor]:
    """Three points of the unit square, no two near in any axis, and their values."""
    x = torch.tensor([[0.2, 0.25], [0.5, 0.75], [0.8, 0.5]]) + 0.2 * (torch.rand(3, 2) - 0.5)
    return x.double().to(device), (0.7 + 0.3 * torch.rand(3)).double().to(device)


def mean_value(sol: Interpolant) -> float:
    """Over the box, ĥ_0: spikes have no measure, and the ripples of a sharp cut-off no mean."""
    return sol.coefficients[tuple(n // 2 for n in sol.coefficients.shape)].real.item()


def last_slope(sizes: Sequence[int], means: Sequence[float]) -> float:
    return math.log(means[-1] / means[-2]) / math.log(sizes[-1] / sizes[-2])


def deviation(case: tuple[int, float], means: Sequence[float], settings: Settings) -> float:
    """From the regime's law: of the slope, over d or over that of the rest; at the critical exponent, of the steps."""
    d, factor = case
    sizes = sizes_of(settings, d)
    slope = last_slope(sizes, means)
    if factor < 1:
        return abs(slope / d - (factor - 1))
    if factor > 1:  # the rest falls like N^(d-α)
        flatter = slope > last_slope(sizes[:-1], means[:-1])
        return abs(slope) / (d * (factor - 1)) if flatter and means[-1] > settings.positive else math.inf
    # the inverse grows by equal steps in log N
    steps = [(1 / b - 1 / a) / math.log(n / m) for (a, b), (m, n) in zip(pairwise(means), pairwise(sizes), strict=True)]
    return abs(steps[-1] / steps[-2] - 1) if steps[-1] > 0 else math.inf


def judge(settings: Settings, trials: list[Trial], out: Path) -> Outcome:
    means = {case: [t[name_of(case)]["means"] for t in trials] for case in CASES}
    off = {name_of(c): spread(deviation(c, found, settings) for found in means[c]) for c in CASES}
    slopes = {name_of(c): spread(last_slope(sizes_of(settings, c[0]), found) for found in means[c]) for c in CASES}
    draw_values(settings, trials[0], out / VALUES)
    draw_interpolants(trials[0], out / INTERPOLANTS)
    return outcome(
        "between the points the interpolant falls like N^(α-d) for α < d and like 1 / log N for α = d, and has a"
        " positive limit for α > d, in 1-D and in 2-D",
        {name: found["median"] < settings.tolerance for name, found in off.items()},
        {"deviation from the law": settings.tolerance, "a positive limit is above": settings.positive},
        {
            "last_slope_against_log_N": slopes,
            "last_value": {name_of(c): spread(found[-1] for found in means[c]) for c in CASES},
            "deviation_from_the_law": off,
            "largest_residual": max(t[name_of(case)]["residual"] for t in trials for case in CASES),
        },
        [VALUES, INTERPOLANTS],
    )


def draw_values(settings: Settings, trial: Trial, path: Path) -> None:
    with figure(path, 10, 3.6) as page:
        for d, ax in enumerate(page.subplots(1, 2), 1):
            for factor, colour in zip(FACTORS, COLOURS, strict=True):
                means = trial[name_of((d, factor))]["means"]
                ax.loglog(sizes_of(settings, d), means, "o-", color=colour, markersize=4, label=label_of(factor))
            ax.set(xlabel="modes per axis N", title=f"{d}-D: critical α = {d}")
            ax.set_ylabel("mean value, between the points")
            ax.xaxis.set_minor_formatter("")
        page.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)


def draw_interpolants(trial: Trial, path: Path) -> None:
    with figure(path, 10, 3.6) as page:
        for d, ax in enumerate(page.subplots(1, 2), 1):
            for factor, colour in zip(FACTORS, COLOURS, strict=True):
                section = trial[name_of((d, factor))]["section"].cpu()
                ax.plot(torch.linspace(-0.5, 1.5, len(section)), section, color=colour, label=label_of(factor))
            ax.plot([0, 1], trial["heights"].cpu(), "ko", markersize=5)
            ax.set(xlabel="along the line through two points", ylabel="h", title=f"{d}-D, the most modes")
        page.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)


def label_of(factor: float) -> str:
    return f"α = {factor:g} d"


RECIPE = Recipe(
    "upper-limit",
    "above the critical decay rate interpolants are spikes: three regimes in 1-D and 2-D",
    DEFAULT,
    QUICK,
    over_seeds(run_trial, judge),
)
