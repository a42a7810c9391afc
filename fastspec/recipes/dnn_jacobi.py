"""A network first, Jacobi's iteration then: each solves what the other is slow at (arXiv 2201.07395).

-u'' = g on (-1, 1) with zero ends, g = sin x + 4 sin 4x - 8 sin 8x + 16 sin 24x. A tanh network trained on the Ritz
energy learns low frequencies first; Jacobi's iteration on the finite differences removes high ones first. So a network
for a while and then Jacobi's iteration reach a smaller error than either alone, in as many seconds. Frequencies are
those of the sines that vanish at the ends; bands of them are watched.
"""

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

import fastspec as fs

from ..measure.heatmap import add_colorbar, draw_heatmap
from .harness import Outcome, Recipe, dense, descend, figure, outcome, progress
from .poisson import jacobi, solution, source
from .trials import Trial, in_order, median, over_seeds, spread

BANDS_FIGURE, TIME = "error-per-band.png", "error-over-time.png"
NETWORK, JACOBI, BOTH = "network", "Jacobi", "network, then Jacobi"
COLOURS = {NETWORK: "#EE7733", JACOBI: "0.5", BOTH: "#0077BB"}
# Cycles per unit, about the sines that most of the solution is made of: 0.5, 1 and 1.5, 3.5 and 4. It is odd, so that
# sines of an odd number of quarters are not in it.
BANDS = ((0.25, 0.75), (0.75, 1.75), (3.25, 4.25))


@dataclass(frozen=True)
class Settings:
    seed: int = 0
    threads: int = 1
    seeds: int = 3
    intervals: int = 512
    hidden: tuple[int, ...] = (128, 128)
    learning_rate: float = 1e-3
    steps: int = 3000
    switch: int = 600  # steps of the network before Jacobi
    every: int = 20
    threshold: float = 0.1
    better: float = 0.5  # the error of both, over the lesser of either


DEFAULT = Settings()
QUICK = replace(DEFAULT, steps=800, switch=400, hidden=(64, 64))


class Trace:
    """Errors over seconds, and per band over steps or sweeps."""

    def __init__(self, x: Tensor, exact: Tensor):
        self.exact = exact
        self.mirrored = torch.cat([x[:-1], 2 - x.flip(0)[:-1]])  # odd about the ends, of period 4
        self.monitor = fs.SpectralMonitor(self.mirrored, self.odd(exact), 256, period=4.0, bands=BANDS)
        self.seconds: list[float] = []
        self.errors: list[float] = []

    def odd(self, u: Tensor) -> Tensor:
        return torch.cat([u[:-1], -u.flip(0)[:-1]])

    def note(self, step: int, seconds: float, u: Tensor) -> None:
        self.seconds.append(seconds)
        self.errors.append(((u - self.exact).norm() / self.exact.norm()).item())
        self.monitor.update(step, self.odd(u))

    def saved(self, threshold: float) -> Trial:
        steps = list(self.monitor.steps_to(threshold).values())
        return {"seconds": self.seconds, "errors": self.errors, "monitor": self.monitor.to_dict(), "steps": steps}


def run_trial(settings: Settings, seed: int, device: torch.device) -> Trial:
    x = torch.linspace(-1, 1, settings.intervals + 1, dtype=torch.float64, device=device)
    exact, g = solution(x), source(x)
    by_network, handed = Trace(x, exact), {}
    model = nn.Sequential(*dense([1, *settings.hidden, 1])).to(device)
    optimizer = torch.optim.Adam(model.parameters(), settings.learning_rate)
    points, weight = x.float()[:, None], 2 / settings.intervals
    spent = 0.0
    for step in progress(NETWORK, settings.steps + 1):
        start = time.process_time()
        t = points.clone().requires_grad_()
        u = (1 - t**2) * model(t)
        (slope,) = torch.autograd.grad(u.sum(), t, create_graph=True)
        ritz = weight * (slope**2 / 2 - g.float()[:, None] * u).sum()
        descend(optimizer, ritz)
        if step % settings.every == 0 or step == settings.switch:
            by_network.note(step, spent, u.detach()[:, 0].double())
        if step == settings.switch:
            handed = {"u": u.detach()[:, 0].double(), "seconds": spent}
        spent += time.process_time() - start
    zero = sweep(Trace(x, exact), torch.zeros_like(x), g, 0.0, spent)
    both = sweep(Trace(x, exact), handed["u"], g, handed["seconds"], spent)
    traces = {NETWORK: by_network, JACOBI: zero, BOTH: both}
    return {name: trace.saved(settings.threshold) for name, trace in traces.items()}


def sweep(trace: Trace, u: Tensor, g: Tensor, seconds: float, until: float) -> Trace:
    """Jacobi's iteration, ever more sweeps at a time, until so many seconds are spent."""
    done, more = 0, 1
    trace.note(0, seconds, u)
    while seconds < until:
        start = time.process_time()
        u = jacobi(u, g, more)
        seconds += time.process_time() - start
        done += more
        trace.note(done, seconds, u)
        more = max(1, min(done // 4, 500))
    return trace


def judge(settings: Settings, trials: list[Trial], out: Path) -> Outcome:
    final = {name: spread(t[name]["errors"][-1] for t in trials) for name in COLOURS}
    steps = {name: [median(t[name]["steps"][i] for t in trials) for i in range(len(BANDS))] for name in COLOURS}
    ratio = spread(t[BOTH]["errors"][-1] / min(t[n]["errors"][-1] for n in (NETWORK, JACOBI)) for t in trials)
    draw_bands(trials[0], out / BANDS_FIGURE)
    draw_time(settings, trials[0], out / TIME)
    checks = {
        "the network: low before high": in_order(steps[NETWORK]),
        "Jacobi: high before low": in_order(steps[JACOBI][::-1]),
        "both beat either in as many seconds": ratio["median"] < settings.better,
    }
    return outcome(
        "a network learns low frequencies first, Jacobi's iteration high ones, and the one after the other reaches a"
        " smaller error than either in as many seconds",
        checks,
        {"a band is reached at": settings.threshold, "error of both over the lesser of either": settings.better},
        {
            "bands_cycles_per_unit": [list(band) for band in BANDS],
            "steps_or_sweeps_to_10_percent_median": steps,
            "final_relative_error": final,
            "error_of_both_over_the_lesser": ratio,
            "seconds_median": median(t[NETWORK]["seconds"][-1] for t in trials),
        },
        [BANDS_FIGURE, TIME],
    )


def draw_bands(trial: Trial, path: Path) -> None:
    labels = [f"{math.tau * lo:.0f} to {math.tau * hi:.0f}" for lo, hi in BANDS]
    with figure(path, 9, 3) as page:
        axes = page.subplots(1, 2, sharey=True)
        for ax, name, unit in zip(axes, (NETWORK, JACOBI), ("steps", "sweeps"), strict=True):
            held = trial[name]["monitor"]
            errors = torch.tensor(held["errors"], dtype=torch.float64)
            draw_heatmap(
                held["steps"],
                errors,
                labels,
                ax=ax,
                frequency_label="wavenumber (radians per unit)",
                title=f"{name}: {unit}",
                log_steps=True,
            )
        axes[1].set_ylabel("")
        add_colorbar(page, axes)


def draw_time(settings: Settings, trial: Trial, path: Path) -> None:
    with figure(path, 6.5, 3.4) as page:
        ax = page.subplots()
        for name, colour in COLOURS.items():
            ax.semilogy(trial[name]["seconds"], trial[name]["errors"], color=colour, label=name)
        ax.set(xlabel="seconds of the processor", ylabel="relative l2 error of u")
        page.legend(loc="outside right upper", frameon=False)


RECIPE = Recipe(
    "dnn-jacobi",
    "Poisson's equation by a network first and Jacobi's iteration then, each at its own frequencies",
    DEFAULT,
    QUICK,
    over_seeds(run_trial, judge),
)
