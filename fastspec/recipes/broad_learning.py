"""Random functional-linked networks learn low frequencies first, and help Jacobi's method (arXiv 2304.00957).

A broad learning system is given ever more nodes, whose last layer is solved for by least squares: the error of
Σ sin kx falls from low frequency to high. Then -u'' = g on (-1, 1) with zero ends, by collocation with the same random
features, by Jacobi's iteration on the finite differences, and by Jacobi's from the network's solution. Cost is counted
in multiplications, not in seconds: 2 M n² for least squares with n nodes on M points, 3 M for a sweep.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

import fastspec as fs

from ..measure.heatmap import add_colorbar, draw_heatmap
from .harness import Outcome, Recipe, figure, outcome, progress
from .poisson import jacobi, solution, source
from .trials import Trial, in_order, median, over_seeds, spread

ERRORS, POISSON = "error-per-frequency.png", "poisson.png"
JACOBI = "Jacobi alone"


@dataclass(frozen=True)
class Settings:
    seed: int = 0
    threads: int = 1
    seeds: int = 5
    wavenumbers: tuple[int, ...] = (1, 3, 5, 10, 20)
    points: int = 500
    feature_nodes: int = 20
    scale: float = 5.0
    nodes: int = 400
    added: int = 4  # at a time, so few that at first nothing is learnt
    threshold: float = 0.1
    intervals: int = 256
    poisson_nodes: tuple[int, ...] = (12, 16, 20, 24, 28, 32, 40, 80, 160)
    sweeps: int = 50_000
    solved: float = 1e-2  # relative l2 error
    faster: float = 0.9  # cost of both together, over the lesser of either


DEFAULT = Settings()
QUICK = replace(DEFAULT, seeds=3, nodes=250, intervals=128, sweeps=15_000)


def system(nodes: int, settings: Settings) -> fs.nn.BroadLearning:
    features = min(nodes, settings.feature_nodes)
    enhancement = nodes - features
    return fs.nn.BroadLearning(
        1, feature_nodes=features, enhancement_nodes=enhancement, scale=settings.scale, ridge=1e-10
    ).double()


def run_trial(settings: Settings, seed: int, device: torch.device) -> Trial:
    monitor = grown(settings, device)
    return {
        "nodes": monitor.steps,
        "errors": monitor.errors,
        "reached": list(monitor.steps_to(settings.threshold).values()),
        "poisson": poisson(settings, device),
    }


def grown(settings: Settings, device: torch.device) -> fs.SpectralMonitor:
    """The errors per frequency as nodes are added, which are the monitor's steps."""
    x = torch.linspace(-math.pi, math.pi, settings.points, dtype=torch.float64, device=device)[:, None]
    k = torch.tensor(settings.wavenumbers, device=device)
    y = (x * k).sin().sum(1, keepdim=True)
    monitor = fs.SpectralMonitor(x, y, None, peaks=k[:, None])
    model = system(settings.added, settings)
    for i in progress("nodes", settings.nodes // settings.added):
        nodes = settings.added * (i + 1)
        # feature nodes first, of a system drawn anew, and then enhancement nodes to those there are
        model = system(nodes, settings) if nodes <= settings.feature_nodes else model.grow(settings.added)
        monitor.update(nodes, model.to(device).fit(x, y)(x))
    return monitor


def poisson(settings: Settings, device: torch.device) -> dict[str, list[list[float]]]:
    """(cost, error) of each: Jacobi alone, and the system of so many nodes followed by Jacobi."""
    x = torch.linspace(-1, 1, settings.intervals + 1, dtype=torch.float64, device=device)
    exact, g = solution(x), source(x)
    starts = {JACOBI: (0, torch.zeros_like(x))}
    for nodes in settings.poisson_nodes:
        starts[f"{nodes} nodes"] = 2 * len(x) * nodes**2, collocated(x, g, nodes, settings)
    found = {}
    for name, (cost, u) in starts.items():
        curve = [[float(cost), relative(u, exact)]]
        before = 0
        for sweeps in marks(settings.sweeps):
            u = jacobi(u, g, sweeps - before)
            before = sweeps
            curve.append([cost + 3.0 * len(x) * sweeps, relative(u, exact)])
        found[name] = curve
    return found


def marks(most: int) -> list[int]:
    """Numbers of sweeps to look at, six a factor of ten."""
    return sorted({round(10 ** (i / 6)) for i in range(int(6 * math.log10(most)) + 1)} | {most})


def collocated(x: Tensor, g: Tensor, nodes: int, settings: Settings) -> Tensor:
    """u = A w with -A'' w = g inside and A w = 0 at the ends, by least squares."""
    model = system(nodes, settings).to(x.device)
    points, ones = x[:, None], torch.ones_like(x)[:, None]
    model.standard.fit(points)
    slope = lambda t: torch.func.jvp(model.features, (t,), (ones,))[1]  # noqa: E731
    second = torch.func.jvp(slope, (points,), (ones,))[1]
    features = model.features(points)
    ends = len(x) * features[[0, -1]]
    rows, right = torch.cat([-second[1:-1], ends]), torch.cat([g[1:-1], g.new_zeros(2)])
    w = torch.linalg.lstsq(rows, right[:, None], rcond=1e-12, driver="gelsd" if x.device.type == "cpu" else None)
    out: Tensor = (features @ w.solution)[:, 0]
    return out


def relative(u: Tensor, exact: Tensor) -> float:
    return float((u - exact).norm() / exact.norm())


def cost_to(curve: list[list[float]], error: float) -> float:
    return next((cost for cost, e in curve if e < error), math.inf)


def costs(trial: Trial, settings: Settings) -> dict[str, float]:
    """The least of the nodes alone, with Jacobi after at least one sweep, and Jacobi alone."""
    curves = {name: curve for name, curve in trial["poisson"].items() if name != JACOBI}
    return {
        "nodes alone": min(cost_to(curve[:1], settings.solved) for curve in curves.values()),
        JACOBI: cost_to(trial["poisson"][JACOBI], settings.solved),
        "nodes, then Jacobi": min(cost_to(curve[1:], settings.solved) for curve in curves.values()),
    }


def judge(settings: Settings, trials: list[Trial], out: Path) -> Outcome:
    reached = [median(t["reached"][i] for t in trials) for i in range(len(settings.wavenumbers))]
    spent = {name: spread(costs(t, settings)[name] for t in trials) for name in costs(trials[0], settings)}
    draw_errors(settings, trials[0], out / ERRORS)
    draw_poisson(settings, trials[0], out / POISSON)
    either = min(spent["nodes alone"]["median"], spent[JACOBI]["median"])
    checks = {
        "low before high": in_order(reached) and sum(step < math.inf for step in reached) >= 3,
        "nodes, then Jacobi, cost less than either": spent["nodes, then Jacobi"]["median"] < settings.faster * either,
    }
    return outcome(
        "as random nodes are added errors fall from low frequency to high, and followed by Jacobi's iteration they"
        " solve Poisson's equation sooner than either",
        checks,
        {"learnt": settings.threshold, "solved": settings.solved, "cost over the lesser of either": settings.faster},
        {
            "nodes_to_10_percent_median_by_wavenumber": {
                str(k): nodes for k, nodes in zip(settings.wavenumbers, reached, strict=True)
            },
            "multiplications_to_solve": spent,
        },
        [ERRORS, POISSON],
    )


def draw_errors(settings: Settings, trial: Trial, path: Path) -> None:
    with figure(path, 7, 3) as page:
        ax = page.subplots()
        labels = [str(k) for k in settings.wavenumbers]
        title = "a step is a number of nodes"
        draw_heatmap(trial["nodes"], trial["errors"].cpu(), labels, ax=ax, frequency_label="wavenumber", title=title)
        add_colorbar(page, ax)


def draw_poisson(settings: Settings, trial: Trial, path: Path) -> None:
    from matplotlib import colormaps

    with figure(path, 8, 3.6) as page:
        ax = page.subplots()
        for i, (name, curve) in enumerate(trial["poisson"].items()):
            cost, error = zip(*curve, strict=True)
            colour = "0.5" if name == JACOBI else colormaps["viridis"](1 - i / len(trial["poisson"]))
            shift = cost[0] or cost[1]
            ax.loglog([shift, *cost[1:]], error, color=colour, label=name)
            ax.plot(shift, error[0], "o", color=colour, markersize=4)
        ax.axhline(settings.solved, color="0.7", linewidth=0.8, linestyle=":")
        ax.set(xlabel="multiplications", ylabel="relative l2 error", title="dots: before the first sweep")
        page.legend(loc="outside right upper", frameon=False)


RECIPE = Recipe(
    "broad-learning",
    "random features learn low frequencies first; do they speed Jacobi's iteration up?",
    DEFAULT,
    QUICK,
    over_seeds(run_trial, judge),
)
