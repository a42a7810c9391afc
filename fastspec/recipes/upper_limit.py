"""The critical decay rate: minimum-norm interpolants are regular for α > d and spikes for α ≤ d (arXiv 2105.11675).

argmin Σ_k (1 + |ξ|²)^{α/2} |ĥ_k|² through a few points, for exponents below, at and above the dimension, as the number
of modes per axis N grows at fixed spacing. Between the points, and so in the mean over the box, the interpolant falls
like N^{α-d} below, like 1 / log N at, and tends to a positive limit above. The spacing, the points and their values are
this recipe's own.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

import fastspec as fs

from .harness import Outcome, Recipe, figure

VALUES, INTERPOLANTS = "value-between-points.png", "interpolants.png"
FACTORS = (0.5, 0.75, 1.0, 1.5, 2.0)  # α over d
COLOURS = ("#CC3311", "#EE7733", "0.3", "#33BBEE", "#0077BB")

Case = tuple[int, float]  # the dimension, and α over it
Interpolant = fs.theory.MinNormInterpolant


@dataclass(frozen=True)
class Settings:
    seed: int = 0
    threads: int = 2
    line: tuple[int, ...] = (101, 1_001, 10_001, 100_001, 1_000_001)
    plane: tuple[int, ...] = (25, 51, 101, 201, 401, 801)
    period: float = 1.0
    tolerance: float = 0.15


FULL = Settings()
QUICK = replace(FULL, line=(101, 1_001, 10_001, 100_001), plane=(25, 75, 225))


def main(settings: Settings, out: Path, device: torch.device) -> Outcome:
    sizes = {1: settings.line, 2: settings.plane}
    values: dict[Case, list[float]] = {}
    solutions: dict[Case, list[Interpolant]] = {}
    for d in (1, 2):
        for factor in FACTORS:
            solutions[d, factor] = [interpolant(d, factor * d, n, settings, device) for n in sizes[d]]
            values[d, factor] = [mean_value(sol) for sol in solutions[d, factor]]
    draw_values(values, sizes, out / VALUES)
    draw_interpolants(solutions, device, out / INTERPOLANTS)
    slopes = {key: last_slope(sizes[key[0]], v) for key, v in values.items()}
    return Outcome(
        claim="between the points the interpolant falls like N^(α-d) for α < d and like 1 / log N for α = d, and has a"
        " positive limit for α > d, in 1-D and in 2-D",
        holds=all(as_claimed(d, f, values[d, f], sizes[d], settings.tolerance) for d, f in values),
        headline={
            "last_slope_against_log_N": {f"{d}-D, alpha {f * d:g}": round(s, 3) for (d, f), s in slopes.items()},
            "last_value": {f"{d}-D, alpha {f * d:g}": round(v[-1], 5) for (d, f), v in values.items()},
            "largest_residual": max(sol.residual for found in solutions.values() for sol in found),
        },
        figures=[VALUES, INTERPOLANTS],
    )


def data(d: int, device: torch.device) -> tuple[Tensor, Tensor]:
    x = torch.tensor([[0.2, 0.3], [0.5, 0.7], [0.8, 0.4]], dtype=torch.float64, device=device)[:, :d]
    return x, torch.tensor([1.0, 0.7, 0.9], dtype=torch.float64, device=device)


def interpolant(d: int, alpha: float, n: int, settings: Settings, device: torch.device) -> Interpolant:
    return fs.theory.min_norm_interpolant(*data(d, device), alpha, (n,) * d, period=settings.period)


def mean_value(sol: Interpolant) -> float:
    """Over the box, ĥ_0: spikes have no measure, and the ripples of a sharp cut-off no mean."""
    return sol.coefficients[tuple(n // 2 for n in sol.coefficients.shape)].real.item()


def last_slope(sizes: Sequence[int], values: Sequence[float]) -> float:
    return math.log(values[-1] / values[-2]) / math.log(sizes[-1] / sizes[-2])


def as_claimed(d: int, factor: float, values: Sequence[float], sizes: Sequence[int], tolerance: float) -> bool:
    slope = last_slope(sizes, values)
    if factor < 1:
        return abs(slope - (factor - 1) * d) < tolerance * d
    if factor > 1:  # the rest falls like N^(d-α)
        return (
            values[-1] > 0.2
            and abs(slope) < tolerance * d * (factor - 1)
            and slope > last_slope(sizes[:-1], values[:-1])
        )
    # the inverse grows by equal steps in log N
    steps = [
        (1 / b - 1 / a) / math.log(n / m) for (a, b), (m, n) in zip(pairwise(values), pairwise(sizes), strict=True)
    ]
    return steps[-1] > 0 and abs(steps[-1] / steps[-2] - 1) < tolerance


def draw_values(values: dict[Case, list[float]], sizes: dict[int, tuple[int, ...]], path: Path) -> None:
    with figure(path, 9, 3.6) as page:
        for d, ax in enumerate(page.subplots(1, 2), 1):
            for factor, colour in zip(FACTORS, COLOURS, strict=True):
                ax.loglog(sizes[d], values[d, factor], "o-", color=colour, markersize=4, label=f"α = {factor * d:g}")
            ax.set(xlabel="modes per axis N", ylabel="mean value, between the points", title=f"{d}-D: critical α = {d}")
            ax.legend(frameon=False, fontsize=8)


def draw_interpolants(solutions: dict[Case, list[Interpolant]], device: torch.device, path: Path) -> None:
    with figure(path, 9, 3.6) as page:
        for d, ax in enumerate(page.subplots(1, 2), 1):
            (first, second), values = data(d, device)[0][:2], data(d, device)[1]
            t = torch.linspace(-0.5, 1.5, 1001, dtype=torch.float64, device=device)
            x = first + t[:, None] * (second - first)
            for factor, colour in zip(FACTORS, COLOURS, strict=True):
                ax.plot(t.cpu(), solutions[d, factor][-1](x).cpu(), color=colour, label=f"α = {factor * d:g}")
            ax.plot([0, 1], values[:2].cpu(), "ko", markersize=5)
            ax.set(xlabel="along the line through two points", title=f"{d}-D, the most modes")
            ax.legend(frameon=False, fontsize=8)


RECIPE = Recipe(
    "upper-limit",
    "above the critical decay rate interpolants are spikes: three regimes in 1-D and 2-D",
    FULL,
    QUICK,
    main,
)
