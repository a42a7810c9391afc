"""Deep frequency filtering under a shift of domain (arXiv 2203.12198): the same network with the filter and without.

A small convolutional network learns handwritten digits, enlarged to 16 × 16. It is tested on the rest of them under
three shifts that it never saw: a gradient of light, blur, and noise. With fs.nn.DeepFrequencyFilter after its first
stage, or without. The paper has ResNets and photographs of several domains; data, network and shifts are ours.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

import fastspec as fs

from .digits import load_digits, split
from .harness import Outcome, Recipe, descend, figure, outcome, progress
from .trials import Trial, over_seeds, spread

FIGURE = "accuracy.png"
WITHOUT, WITH = "without", "with the filter"


@dataclass(frozen=True)
class Settings:
    seed: int = 0
    threads: int = 1
    seeds: int = 8
    train_size: int = 1400
    channels: int = 16
    batch: int = 64
    learning_rate: float = 3e-3
    steps: int = 250
    light: float = 0.8
    blur: int = 5
    noise: float = 0.5
    better: float = 0.05  # mean accuracy over the shifts


DEFAULT = Settings()
QUICK = replace(DEFAULT, seeds=5, steps=120, channels=12)


def shifts(settings: Settings) -> dict[str, Callable[[Tensor], Tensor]]:
    ramp = torch.linspace(0, settings.light, 16)
    return {
        "none": lambda x: x,
        "light": lambda x: x + ramp.to(x),
        "blur": lambda x: nn.functional.avg_pool2d(x, settings.blur, 1, settings.blur // 2),
        "noise": lambda x: x + settings.noise * torch.randn_like(x),
    }


def network(channels: int, filtered: bool) -> nn.Sequential:
    between = [fs.nn.DeepFrequencyFilter(channels)] if filtered else []
    return nn.Sequential(
        nn.Conv2d(1, channels, 3, padding=1),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        *between,
        nn.MaxPool2d(2),
        nn.Conv2d(channels, 2 * channels, 3, padding=1),
        nn.BatchNorm2d(2 * channels),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * channels, 10),
    )


def run_trial(settings: Settings, seed: int, device: torch.device) -> Trial:
    images, labels = load_digits(device)
    images = nn.functional.interpolate(images[:, None], size=16, mode="bilinear")
    train, test = split(settings.train_size, seed)
    found: Trial = {}
    for name in (WITHOUT, WITH):
        torch.manual_seed(seed)
        model = network(settings.channels, name == WITH).to(device)
        optimizer = torch.optim.Adam(model.parameters(), settings.learning_rate)
        for _ in progress(name, settings.steps):
            batch = train[torch.randint(len(train), (settings.batch,))]
            descend(optimizer, nn.functional.cross_entropy(model(images[batch]), labels[batch]))
        model.eval()
        torch.manual_seed(seed)
        with torch.no_grad():
            found[name] = {
                shift: (model(change(images[test])).argmax(1) == labels[test]).float().mean().item()
                for shift, change in shifts(settings).items()
            }
    return found


def judge(settings: Settings, trials: list[Trial], out: Path) -> Outcome:
    names = list(shifts(settings))
    accuracy = {name: {s: spread(t[name][s] for t in trials) for s in names} for name in (WITHOUT, WITH)}
    gains = [statistics.mean(t[WITH][s] - t[WITHOUT][s] for s in names[1:]) for t in trials]
    draw(names, trials, out / FIGURE)
    return outcome(
        "under shifts of domain a convolutional network with the frequency filter is more accurate than without",
        {"more accurate under shifts": spread(gains)["median"] > settings.better},
        {"gain in mean accuracy over the shifts": settings.better},
        {
            "gain_in_mean_accuracy_over_shifts": spread(gains),
            "accuracy_median": {n: {s: found["median"] for s, found in by.items()} for n, by in accuracy.items()},
            "accuracy": accuracy,
        },
        [FIGURE],
    )


def draw(names: list[str], trials: list[Trial], path: Path) -> None:
    with figure(path, 6.5, 3.4) as page:
        ax = page.subplots()
        for shift, (name, colour) in zip((-0.15, 0.15), ((WITHOUT, "0.5"), (WITH, "#0077BB")), strict=True):
            for i, s in enumerate(names):
                values = [t[name][s] for t in trials]
                ax.plot([i + shift] * len(values), values, "o", color=colour, alpha=0.5, label=name if i == 0 else None)
                ax.plot([i + shift - 0.1, i + shift + 0.1], [statistics.median(values)] * 2, color=colour, linewidth=2)
        ax.set_xticks(range(len(names)), names)
        ax.set(xlabel="shift of domain", ylabel="accuracy", ylim=(0, 1.02), title="a dot is a seed, a bar the median")
        page.legend(loc="outside right upper", frameon=False)


RECIPE = Recipe(
    "dff",
    "deep frequency filtering under a shift of domain, on digits",
    DEFAULT,
    QUICK,
    over_seeds(run_trial, judge),
)
