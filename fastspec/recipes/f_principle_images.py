"""The frequency principle on images: two ways to see low and high frequencies of 64 dimensions (arXiv 1901.06523).

A network learns which digit an image shows, as ten zeros and ones, under the mean squared error. **Projection**: the
spectrum of one class along the images' first principal component; the wavenumbers are fixed, from the slowest that the
data's extent along it resolves. **Filtering**: at every width δ, the error of the target's low-passed part falls below
the mark before that of the rest. The paper has CIFAR-10; data and network are ours.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

import fastspec as fs

from ..measure.heatmap import add_colorbar, draw_heatmap
from .digits import load_digits
from .harness import Outcome, Recipe, descend, figure, outcome, progress
from .trials import Trial, median, over_seeds

PROJECTION, FILTERING = "projection.png", "filtering.png"


@dataclass(frozen=True)
class Settings:
    seed: int = 0
    threads: int = 1
    seeds: int = 3
    hidden: tuple[int, ...] = (128, 128)
    learning_rate: float = 3e-4
    steps: int = 1500
    every: int = 20
    images: int = 1797
    deltas: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0)
    wavenumbers: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8)  # cycles per unit of the first principal component
    low: float = 0.2  # the highest wavenumber of the projection that counts as low
    threshold: float = 0.3


DEFAULT = Settings()
QUICK = replace(DEFAULT, images=1000, steps=800)


def run_trial(settings: Settings, seed: int, device: torch.device) -> Trial:
    images, labels = load_digits(device)
    x = images.flatten(1)[: settings.images]
    y = nn.functional.one_hot(labels[: settings.images], 10).float()
    k, deltas = torch.tensor(settings.wavenumbers, device=device), torch.tensor(settings.deltas)
    monitors = {
        PROJECTION: fs.SpectralMonitor(x, y[:, 0], k, method="projection", peaks=k, period=1.0),
        FILTERING: fs.SpectralMonitor(x, y, deltas, method="filter"),
    }
    model = network(x.shape[1], settings).to(device)
    optimizer = torch.optim.Adam(model.parameters(), settings.learning_rate)
    for step in progress("digits", settings.steps + 1):
        prediction = model(x)
        if step % settings.every == 0:
            monitors[PROJECTION].update(step, prediction[:, 0])
            monitors[FILTERING].update(step, prediction)
        descend(optimizer, nn.functional.mse_loss(prediction, y))
    return {
        name: {"errors": monitor.errors, "steps": list(monitor.steps_to(settings.threshold).values())}
        for name, monitor in monitors.items()
    }


def network(inputs: int, settings: Settings) -> nn.Sequential:
    layers: list[nn.Module] = []
    for fan_in, fan_out in zip((inputs, *settings.hidden), settings.hidden, strict=False):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(settings.hidden[-1], 10))


def judge(settings: Settings, trials: list[Trial], out: Path) -> Outcome:
    widths = len(settings.deltas)
    steps = {
        name: [median(t[name]["steps"][i] for t in trials) for i in range(trials[0][name]["errors"].shape[1])]
        for name in (PROJECTION, FILTERING)
    }
    low, high = steps[FILTERING][:widths], steps[FILTERING][widths:]
    pairs = list(zip(steps[PROJECTION], settings.wavenumbers, strict=True))
    slow = [step for step, k in pairs if k <= settings.low]
    fast = [step for step, k in pairs if k > settings.low]
    draw_projection(settings, trials[0][PROJECTION]["errors"].cpu(), out / PROJECTION)
    draw_filtering(settings, trials[0][FILTERING]["errors"].cpu(), out / FILTERING)
    checks = {
        "projection: low before high": max(slow) < min(fast),
        "filtering: low before high at every width": all(a < b for a, b in zip(low, high, strict=True)),
    }
    return outcome(
        "on images too, low frequencies of the target are learnt first: along the first principal component, and of"
        " each pair of low-passed part and rest",
        checks,
        {"learnt": settings.threshold, "low wavenumbers up to": settings.low},
        {
            "filtering_steps_low_and_high_by_width": {
                f"{d:g}": [a, b] for d, a, b in zip(settings.deltas, low, high, strict=True)
            },
            "projection_steps_by_wavenumber": {f"{k:g}": step for step, k in pairs},
        },
        [FILTERING, PROJECTION],
    )


def draw_projection(settings: Settings, errors: Tensor, path: Path) -> None:
    with figure(path, 7, 3) as page:
        ax = page.subplots()
        steps = [settings.every * i for i in range(len(errors))]
        labels = [f"{k:g}" for k in settings.wavenumbers]
        name = "cycles per unit of the component"
        draw_heatmap(steps, errors, labels, ax=ax, frequency_label=name, title="is it a zero?", log_steps=True)
        add_colorbar(page, ax)


def draw_filtering(settings: Settings, errors: Tensor, path: Path) -> None:
    steps = [settings.every * i for i in range(len(errors))]
    labels = [f"{delta:g}" for delta in settings.deltas]
    with figure(path, 10, 3.2) as page:
        axes = page.subplots(1, 2, sharey=True)
        parts = errors.split(len(labels), dim=1)
        for ax, part, title in zip(axes, parts, ("low-passed", "the rest"), strict=True):
            draw_heatmap(
                steps, part, labels, ax=ax, frequency_label="width δ of the filter", title=title, log_steps=True
            )
        axes[1].set_ylabel("")
        add_colorbar(page, axes)


RECIPE = Recipe(
    "f-principle-images",
    "digits: low frequencies first, along a principal component and by Gaussian filters",
    DEFAULT,
    QUICK,
    over_seeds(run_trial, judge),
)
