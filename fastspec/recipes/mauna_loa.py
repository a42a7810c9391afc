"""Spectral bias, and a cure, on real irregular data: the weekly CO₂ series of Mauna Loa, 1958-2001.

Keeling & Whorf's series, which data/co2.csv holds and names the source of: 2,225 samples, gaps left as they are. A rise
over decades carries a seasonal cycle a twentieth its size. Three networks, all with Adam at the same rates (cosine
decay) on the full batch: (a) a tanh MLP under the mean squared error; (b) the same under SpectralLoss with a Sobolev
weight; (c) a PhaseMLP, whose shifts come from the data's nonuniform spectrum, under that SpectralLoss.

All three are monitored alike. The box is 44 years, a whole number, so that the yearly cycle and its harmonics are
wavenumbers. The mean is taken off first: sampled irregularly, its leakage would drown the seasons' spectrum.
"""

import csv
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

import fastspec as fs

from ..measure.heatmap import add_colorbar
from .harness import Loss, Outcome, Recipe, Schedule, dense, figure, train

ERRORS, FITS, HARMONICS = "error-per-frequency.png", "fits.png", "harmonics.png"
SERIES = Path(__file__).parent / "data" / "co2.csv"
PERIOD = 44.0
YEARLY, HALF_YEARLY = 1.0, 2.0
MSE, SPECTRAL, PHASE = "(a) MLP, MSE", "(b) MLP, SpectralLoss", "(c) PhaseMLP, SpectralLoss"
COLOURS = {MSE: "#EE7733", SPECTRAL: "#0077BB", PHASE: "#009E73"}
STYLES = {MSE: "-", SPECTRAL: (0, (4, 2)), PHASE: "-"}


@dataclass(frozen=True)
class Settings:
    seed: int = 0
    # Networks this small gain little from a second thread, and on a busy machine lose tenfold waiting for it.
    threads: int = 1
    steps: int = 3000
    soon: int = 200
    learning_rate: float = 3e-3
    final_rate: float = 1e-4
    hidden: tuple[int, ...] = (128, 128)
    n_frequencies: int = 3
    envelope_width: int = 32
    modes: int = 1024
    sobolev: float = 0.5
    threshold: float = 0.1
    # Slow frequencies to watch beside the peaks that the monitor finds, in cycles per box.
    slow: tuple[int, ...] = (2, 3, 5, 8)


FULL = Settings()
QUICK = replace(FULL, steps=250, hidden=(64, 64), modes=512)


class Standardise(nn.Module):
    """(x - mean) / std of the training points."""

    mean: Tensor
    std: Tensor

    def __init__(self, x: Tensor):
        super().__init__()
        self.register_buffer("mean", x.mean(0))
        self.register_buffer("std", x.std(0))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std


def main(settings: Settings, out: Path, device: torch.device) -> Outcome:
    years, ppm = load_co2(device)
    mean, scale = ppm.mean(), ppm.std()
    values = (ppm - mean) / scale
    spectral_loss = fs.SpectralLoss(settings.modes, x=years, weight=fs.weights.sobolev(settings.sobolev), period=PERIOD)
    losses: dict[str, Loss] = {MSE: nn.functional.mse_loss, SPECTRAL: spectral_loss, PHASE: spectral_loss}
    tracked = tracked_wavenumbers(years, values, settings)
    schedule = Schedule(settings.steps, settings.learning_rate, settings.final_rate)
    models, monitors, seconds = {}, {}, {}
    for name, loss in losses.items():
        torch.manual_seed(settings.seed)
        models[name] = build(name, years, values, settings).to(device)
        monitors[name] = fs.SpectralMonitor(years, values, settings.modes, period=PERIOD, peaks=tracked)
        seconds[name] = train(name, models[name], loss, years, values, monitors[name], schedule)
    draw_errors(monitors, out / ERRORS)
    draw_harmonics(monitors, settings.threshold, out / HARMONICS)
    draw_fits(models, years, ppm, mean, scale, out / FITS)
    return judge(models, monitors, seconds, years, values, scale.item(), settings)


def load_co2(device: torch.device) -> tuple[Tensor, Tensor]:
    """Decimal years and CO₂ in ppm, each (2225, 1) float32."""
    with SERIES.open(newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    dates = [date.fromisoformat(row["date"]) for row in rows]
    start = dates[0]
    days = torch.tensor([(day - start).days for day in dates], dtype=torch.float64)
    years = start.year + (start.timetuple().tm_yday - 1 + days) / 365.2425
    ppm = torch.tensor([float(row["co2"]) for row in rows], dtype=torch.float64)
    return years[:, None].float().to(device), ppm[:, None].float().to(device)


def tracked_wavenumbers(years: Tensor, values: Tensor, settings: Settings) -> Tensor:
    """The series' own spectral peaks, some slow frequencies, and the two harmonics that the claim is about."""
    found = fs.SpectralMonitor(years, values, settings.modes, period=PERIOD).wavenumbers.flatten().tolist()
    return torch.tensor(sorted({*found, *settings.slow, YEARLY * PERIOD, HALF_YEARLY * PERIOD}))


def build(name: str, years: Tensor, values: Tensor, settings: Settings) -> nn.Module:
    if name == PHASE:
        return fs.nn.PhaseMLP.from_data(years, values, settings.n_frequencies, width=settings.envelope_width)
    return nn.Sequential(Standardise(years), *dense([1, *settings.hidden, 1]))


def judge(
    models: dict[str, nn.Module],
    monitors: dict[str, fs.SpectralMonitor],
    seconds: dict[str, float],
    years: Tensor,
    values: Tensor,
    scale: float,
    settings: Settings,
) -> Outcome:
    # Lasting: errors swing while Adam settles, and an untrained network may be near by chance.
    reached = {name: monitor.steps_to(settings.threshold, lasting=True) for name, monitor in monitors.items()}
    phase = reached[PHASE][YEARLY]
    ever = monitors[MSE].steps_to(settings.threshold)[YEARLY]
    found = cast(fs.nn.PhaseMLP, models[PHASE])
    with torch.no_grad():
        rms = {name: scale * (model(years) - values).square().mean().sqrt().item() for name, model in models.items()}
    return Outcome(
        claim=f"(c) has the yearly harmonic within 10 % in at most {settings.soon} steps, with frequencies it found"
        f" itself; (a) has not in {settings.steps:,}",
        holds=phase is not None and phase <= settings.soon and ever is None,
        headline={
            "frequencies_found_per_year": [round(f, 4) for f in found.frequencies.flatten().tolist()],
            "yearly_within_10_percent_from_step": {name: steps[YEARLY] for name, steps in reached.items()},
            "half_yearly_within_10_percent_from_step": {name: steps[HALF_YEARLY] for name, steps in reached.items()},
            "final_error_yearly": {name: final_error(monitor, YEARLY) for name, monitor in monitors.items()},
            "final_error_half_yearly": {name: final_error(monitor, HALF_YEARLY) for name, monitor in monitors.items()},
            "final_rms_ppm": {name: round(value, 3) for name, value in rms.items()},
            "training_seconds": seconds,
        },
        figures=[ERRORS, FITS, HARMONICS],
    )


def error_at(monitor: fs.SpectralMonitor, frequency: float) -> Tensor:
    return monitor.errors[:, monitor.frequencies.flatten().tolist().index(frequency)]


def final_error(monitor: fs.SpectralMonitor, frequency: float) -> float:
    return round(error_at(monitor, frequency)[-1].item(), 4)


def draw_errors(monitors: dict[str, fs.SpectralMonitor], path: Path) -> None:
    with figure(path, 11, 3.6) as page:
        axes = page.subplots(1, len(monitors), sharey=True)
        for ax, (name, monitor) in zip(axes, monitors.items(), strict=True):
            monitor.plot(ax=ax, unit="year", title=name, log_steps=True)
            ax.label_outer()
        add_colorbar(page, axes)


def draw_harmonics(monitors: dict[str, fs.SpectralMonitor], threshold: float, path: Path) -> None:
    with figure(path, 10, 3.6) as page:
        axes = page.subplots(1, 2, sharey=True)
        titles = {YEARLY: "yearly cycle (1 per year)", HALF_YEARLY: "half-yearly cycle (2 per year)"}
        for ax, (frequency, title) in zip(axes, titles.items(), strict=True):
            for name, monitor in monitors.items():
                steps, error = monitor.steps[1:], error_at(monitor, frequency)[1:]
                ax.plot(steps, error, label=name, color=COLOURS[name], linestyle=STYLES[name], linewidth=1.8)
            ax.axhline(threshold, color="0.5", linewidth=0.8, linestyle=":")
            ax.set(xscale="log", yscale="log", xlabel="step", title=title, xlim=(1, monitor.steps[-1]))
        axes[0].set_ylabel("relative error of the harmonic")
        axes[0].text(1.15, threshold * 1.08, "10 %", color="0.4", fontsize=9)
        axes[0].legend(frameon=False, loc="lower left")


def flat(*columns: Tensor) -> list[Tensor]:
    return [column.flatten().cpu() for column in columns]


def draw_fits(
    models: dict[str, nn.Module], years: Tensor, ppm: Tensor, mean: Tensor, scale: Tensor, path: Path
) -> None:
    """The whole series above; below, five years of it with each network in its own panel, where none hides another."""
    first, last = 1990.0, 1995.0
    inside = ((years >= first) & (years <= last)).flatten()
    x = torch.linspace(first, last, 1500, device=years.device)[:, None]
    with figure(path, 10, 5.2) as page:
        whole, *zooms = page.subplot_mosaic([["whole"] * len(models), list(models)]).values()
        whole.plot(*flat(years, ppm), ".", color="0.5", markersize=2)
        whole.axvspan(first, last, color="0.9", zorder=0)
        whole.set(ylabel="CO₂ (ppm)", title="weekly CO₂ on Mauna Loa; shaded: the years below", xlabel="year")
        for ax, (name, model) in zip(zooms, models.items(), strict=True):
            with torch.no_grad():
                fit, misfit = mean + scale * model(x), mean + scale * model(years) - ppm
            ax.plot(*flat(years[inside], ppm[inside]), ".", color="0.65", markersize=3.5)
            ax.plot(*flat(x, fit), color=COLOURS[name], linewidth=1.8)
            ax.set(title=f"{name}\nmisses by {misfit.square().mean().sqrt().item():.2f} ppm", xlabel="year")
            ax.sharey(zooms[0])
            ax.label_outer()
        zooms[0].set_ylabel("CO₂ (ppm)")


RECIPE = Recipe(
    "mauna-loa",
    "three networks on the weekly CO₂ series: which learns the seasons, and when",
    FULL,
    QUICK,
    main,
)
