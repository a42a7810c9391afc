"""The frequency principle on one photograph (arXiv 1901.06523): a network of pixel positions learns it coarse to fine.

Position to brightness, from half of the pixels, every other column; the rest is held out. The error is watched in
bands of frequency, all directions together, below what the columns left resolve. The photograph is scikit-learn's of a
temple in China, its middle at 64 × 64; network and rate are this recipe's own.
"""

from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor, nn

import fastspec as fs

from ..measure.heatmap import add_colorbar, draw_heatmap
from .harness import Outcome, Recipe, dense, descend, figure, outcome, progress
from .trials import Trial, in_order, over_seeds, spread

BANDS_FIGURE, STAGES = "error-per-band.png", "photograph.png"
SIDE = 64  # pixels over two units
BANDS = ((0.4, 1.0), (1.0, 2.0), (2.0, 4.0), (4.0, 7.6))  # cycles per unit; every other column resolves 8
MODES = 31


@dataclass(frozen=True)
class Settings:
    seed: int = 0
    threads: int = 1
    seeds: int = 3
    hidden: tuple[int, ...] = (200, 200, 100)
    learning_rate: float = 1e-3
    steps: int = 3000
    every: int = 10
    shown: tuple[int, ...] = (20, 200)  # steps, and the last one
    threshold: float = 0.3


DEFAULT = Settings()
QUICK = replace(DEFAULT, hidden=(100, 100), steps=1000)


def load_photograph(device: torch.device) -> tuple[Tensor, Tensor]:
    """Positions (SIDE², 2) in [-1, 1] and brightness (SIDE², 1), of mean zero and variance one, row by row."""
    pixels = torch.from_numpy(import_module("sklearn.datasets").load_sample_image("china.jpg").copy()).float().mean(2)
    left = (pixels.shape[1] - pixels.shape[0]) // 2
    square = pixels[None, None, :, left : left + pixels.shape[0]]
    small = nn.functional.interpolate(square, size=(SIDE, SIDE), mode="area").flatten()
    axis = (torch.arange(SIDE) + 0.5) * (2 / SIDE) - 1
    return torch.cartesian_prod(axis, axis).to(device), ((small - small.mean()) / small.std())[:, None].to(device)


def run_trial(settings: Settings, seed: int, device: torch.device) -> Trial:
    x, y = load_photograph(device)
    kept = torch.arange(len(x), device=device) % 2 == 0
    points, values = x[kept], y[kept]
    monitor = fs.SpectralMonitor(points, values, MODES, period=2.0, bands=BANDS)
    model = nn.Sequential(*dense([2, *settings.hidden, 1])).to(device)
    optimizer = torch.optim.Adam(model.parameters(), settings.learning_rate)
    shown: dict[str, Tensor] = {}
    for step in progress("photograph", settings.steps + 1):
        prediction = model(points)
        if step % settings.every == 0:
            monitor.update(step, prediction)
        if step in (*settings.shown, settings.steps):
            with torch.no_grad():
                shown[f"{step:,} steps"] = model(x).reshape(SIDE, SIDE)
        descend(optimizer, nn.functional.mse_loss(prediction, values))
    with torch.no_grad():
        missed = model(x) - y
    return {
        "at": monitor.steps,
        "errors": monitor.errors,
        "steps": list(monitor.steps_to(settings.threshold).values()),
        "shown": shown,
        "rms": {"trained on": rms(missed[kept]), "held out": rms(missed[~kept])},
    }


def rms(t: Tensor) -> float:
    return t.square().mean().sqrt().item()


def judge(settings: Settings, trials: list[Trial], out: Path) -> Outcome:
    labels = [f"{lo:g} to {hi:g}" for lo, hi in BANDS]
    steps = [spread(t["steps"][i] for t in trials) for i in range(len(BANDS))]
    draw_bands(trials[0], labels, out / BANDS_FIGURE)
    draw_stages(trials[0], out / STAGES)
    medians = [found["median"] for found in steps]
    return outcome(
        "a network of pixel positions learns the bands of a photograph from low frequency to high",
        {"low before high": in_order(medians), "two bands are learnt": medians[1] <= settings.steps},
        {"learnt": settings.threshold},
        {
            "steps_by_band_in_cycles_per_unit": dict(zip(labels, steps, strict=True)),
            "rms_error_over_the_photograph's": {
                name: spread(t["rms"][name] for t in trials) for name in trials[0]["rms"]
            },
        },
        [STAGES, BANDS_FIGURE],
    )


def draw_bands(trial: Trial, labels: list[str], path: Path) -> None:
    with figure(path, 7, 3) as page:
        ax = page.subplots()
        name = "cycles per unit, the picture being two wide"
        draw_heatmap(trial["at"], trial["errors"].cpu(), labels, ax=ax, frequency_label=name, log_steps=True)
        add_colorbar(page, ax)


def draw_stages(trial: Trial, path: Path) -> None:
    true = load_photograph(torch.device("cpu"))[1].reshape(SIDE, SIDE)
    pictures = {**trial["shown"], "the photograph": true}
    with figure(path, 2.3 * len(pictures), 2.6) as page:
        for ax, (title, picture) in zip(page.subplots(1, len(pictures)), pictures.items(), strict=True):
            ax.imshow(picture.cpu(), cmap="gray", vmin=true.min(), vmax=true.max())
            ax.set_title(title)
            ax.set_axis_off()


RECIPE = Recipe(
    "f-principle-photograph",
    "a network of pixel positions learns a photograph from coarse to fine",
    DEFAULT,
    QUICK,
    over_seeds(run_trial, judge),
)
