"""Where the frequency principle does harm: the parity of ten bits (arXiv 1901.06523).

Π x_j on {-1, 1}^10 has the spectrum (-i)^10 sin^10 k along the diagonal k (1, ..., 1): next to nothing at low k, all at
π/2. That of 200 of its 1,024 points has low frequencies too, which are sampling's. A network prefers low frequencies:
it meets the training points by a function that has the spurious ones, and fails elsewhere. Network and rate are this
recipe's own.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

import fastspec as fs

from .harness import Outcome, Recipe, dense, descend, figure, outcome, progress
from .trials import Trial, over_seeds, spread

FIGURE = "spectra.png"
BITS = 10
ALL, TRAINED, NETWORK = "parity, all points", "parity, training points", "network, all points"
COLOURS = {ALL: "0.6", TRAINED: "#EE7733", NETWORK: "#0077BB"}


@dataclass(frozen=True)
class Settings:
    seed: int = 0
    threads: int = 1
    seeds: int = 5
    samples: int = 200
    hidden: tuple[int, ...] = (500, 100)
    learning_rate: float = 5e-4
    steps: int = 2000
    wavenumbers: int = 33  # from 0 to π/2 along the diagonal
    low: float = math.pi / 4  # where the parity has less than a thirtieth of its most
    fitted: float = 0.99  # accuracy on the training points
    spurious: float = 2.0  # low frequencies, over the parity's own
    missed: float = 0.5  # of the true frequency, at π/2
    chance: float = 0.6  # accuracy elsewhere


DEFAULT = Settings()
QUICK = replace(DEFAULT, hidden=(200, 100), steps=800)


def run_trial(settings: Settings, seed: int, device: torch.device) -> Trial:
    x = 1 - 2 * fs.walsh.cube(BITS, device=device)
    y = x.prod(1, keepdim=True)
    order = torch.randperm(len(x), device=device)
    train, rest = order[: settings.samples], order[settings.samples :]
    model = nn.Sequential(*dense([BITS, *settings.hidden, 1])).to(device)
    optimizer = torch.optim.Adam(model.parameters(), settings.learning_rate)
    for _ in progress("parity", settings.steps):
        descend(optimizer, nn.functional.mse_loss(model(x[train]), y[train]))
    k = torch.linspace(0, math.pi / 2, settings.wavenumbers, device=device)
    with torch.no_grad():
        h = model(x)
    sampled = fs.measure.alias_report(x[train], y[train], x, y, k)
    learnt = fs.measure.alias_report(x, h, x, y, k)
    return {
        "k": k,
        "spectra": {ALL: size(sampled.full), TRAINED: size(sampled.train), NETWORK: size(learnt.train)},
        "accuracy": {name: accuracy(h[i], y[i]) for name, i in (("training", train), ("elsewhere", rest))},
    }


def size(spectrum: Tensor) -> Tensor:
    return spectrum.abs().flatten()


def accuracy(h: Tensor, y: Tensor) -> float:
    return (h * y > 0).float().mean().item()


def low_frequencies(trial: Trial, name: str, settings: Settings) -> float:
    """Their root mean square."""
    sizes: Tensor = trial["spectra"][name][trial["k"] <= settings.low]
    return sizes.square().mean().sqrt().item()


def judge(settings: Settings, trials: list[Trial], out: Path) -> Outcome:
    low = {name: [low_frequencies(t, name, settings) for t in trials] for name in COLOURS}
    over = {name: spread(a / b for a, b in zip(low[name], low[ALL], strict=True)) for name in (TRAINED, NETWORK)}
    true = spread(t["spectra"][NETWORK][-1].item() for t in trials)
    right = {name: spread(t["accuracy"][name] for t in trials) for name in trials[0]["accuracy"]}
    draw(trials, out / FIGURE)
    return outcome(
        "the training points of a parity have low frequencies that it has not; the network that fits them has those on"
        " all points, misses the true one, and is no better than chance elsewhere",
        {
            "the training points have spurious low frequencies": over[TRAINED]["median"] > settings.spurious,
            "the network fits them": right["training"]["median"] > settings.fitted,
            "it has low frequencies on all points": over[NETWORK]["median"] > settings.spurious,
            "it misses the true one": true["median"] < settings.missed,
            "and is near chance elsewhere": right["elsewhere"]["median"] < settings.chance,
        },
        {
            "low frequencies over the parity's own": settings.spurious,
            "fitted": settings.fitted,
            "of the true frequency": settings.missed,
            "near chance": settings.chance,
        },
        {"accuracy": right, "low_frequencies_over_the_parity's": over, "network_at_the_true_frequency": true},
        [FIGURE],
    )


def draw(trials: list[Trial], path: Path) -> None:
    with figure(path, 7, 3.4) as page:
        ax = page.subplots()
        k = trials[0]["k"].cpu()
        for name, colour in COLOURS.items():
            curves = torch.stack([t["spectra"][name] for t in trials]).cpu()
            ax.plot(k, curves.median(0).values, color=colour, label=name)
            ax.fill_between(k, curves.amin(0), curves.amax(0), color=colour, alpha=0.2, linewidth=0)
        ticks = {0: "0", math.pi / 8: "π/8", math.pi / 4: "π/4", 3 * math.pi / 8: "3π/8", math.pi / 2: "π/2"}
        ax.set_xticks(list(ticks), list(ticks.values()))
        ax.set(xlabel="wavenumber k along the diagonal", ylabel="|spectrum|", title="median of the seeds, and extremes")
        page.legend(loc="outside right upper", frameon=False)


RECIPE = Recipe(
    "f-principle-parity",
    "parity of ten bits: sampling's low frequencies are learnt in place of the true one",
    DEFAULT,
    QUICK,
    over_seeds(run_trial, judge),
)
