"""Grokking from frequency (arXiv 2405.17479): a spurious low frequency of the training set is learnt first.

sin 6x on [-π, π] from 65 points: of 10,000 the 20 at which sin x is nearest to sin 6x, 10 at which sin 3x is, and 35
uniform ones. Their spectrum has a low peak that the function has not. The network fits it first and errs elsewhere; the
test error falls late. On 65 uniform points, and on 1,000, it does not. Points are the paper's; the network and its rate
are this recipe's own.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

import fastspec as fs

from ..measure.heatmap import add_colorbar, draw_heatmap
from .harness import Outcome, Recipe, dense, descend, figure, outcome, progress
from .trials import Trial, median, over_seeds, spread

SPECTRA, ERRORS = "spectra.png", "errors.png"
NONUNIFORM, UNIFORM, MANY = "65 chosen points", "65 uniform points", "1,000 uniform points"
COLOURS = {NONUNIFORM: "#CC3311", UNIFORM: "#33BBEE", MANY: "0.4"}
TRUE = 6


@dataclass(frozen=True)
class Settings:
    seed: int = 0
    threads: int = 1
    seeds: int = 3
    hidden: tuple[int, ...] = (200, 200)
    learning_rate: float = 2e-4
    steps: int = 4000
    every: int = 20
    learnt: float = 0.05  # relative mean squared error
    late: int = 100  # steps by which the test error must lag behind on the chosen points
    threshold: float = 0.1  # of a frequency of the training set
    present: float = 0.1  # of the largest: a frequency less than that is not in the training set


DEFAULT = Settings()
QUICK = replace(DEFAULT, hidden=(100, 100), learning_rate=5e-4, steps=2500)


def points(name: str) -> Tensor:
    """(n, 1) on [-π, π]."""
    if name == MANY:
        return torch.linspace(-math.pi, math.pi, 1000)[:, None]
    if name == UNIFORM:
        return torch.linspace(-math.pi, math.pi, 65)[:, None]
    many = torch.linspace(-math.pi, math.pi, 10_000, dtype=torch.float64)
    near = [
        many[(((k * many).sin() - (TRUE * many).sin()).abs()).argsort(stable=True)[:count]]
        for k, count in ((1, 20), (3, 10))
    ]
    uniform = torch.linspace(-math.pi, math.pi, 35, dtype=torch.float64)
    return torch.cat([*near, uniform])[:, None].float()


def run_trial(settings: Settings, seed: int, device: torch.device) -> Trial:
    new_x = torch.linspace(-math.pi, math.pi, 1500, device=device)[:, None]
    new_y = (TRUE * new_x).sin()
    k = torch.arange(1.0, 11.0, device=device)
    found: Trial = {}
    for name in COLOURS:
        torch.manual_seed(seed)
        x = points(name).to(device)
        y = (TRUE * x).sin()
        report = fs.measure.alias_report(x, y, new_x, new_y, k)
        spurious = sorted(int(v) for v in report.k[report.spurious].flatten().tolist() if v < TRUE)
        model = nn.Sequential(*dense([1, *settings.hidden, 1])).to(device)
        monitor = fs.SpectralMonitor(x, y, None, peaks=k[:, None])
        errors = learn(name, model, (x, y), (new_x, new_y), monitor, settings)
        found[name] = {
            "spectrum": report.train.abs().flatten(),
            "spurious": spurious,
            "steps": list(monitor.steps_to(settings.threshold).values()),
            "monitor": monitor.errors,
            "errors": errors,
        }
    return found


def learn(
    name: str,
    model: nn.Module,
    data: tuple[Tensor, Tensor],
    new: tuple[Tensor, Tensor],
    monitor: fs.SpectralMonitor,
    settings: Settings,
) -> Tensor:
    """Relative mean squared errors on the training set and elsewhere, every so many steps, (T, 2)."""
    optimizer, errors = torch.optim.Adam(model.parameters(), settings.learning_rate), []
    for step in progress(name, settings.steps + 1):
        prediction = model(data[0])
        loss = nn.functional.mse_loss(prediction, data[1])
        if step % settings.every == 0:
            monitor.update(step, prediction)
            with torch.no_grad():
                elsewhere = nn.functional.mse_loss(model(new[0]), new[1]) / new[1].square().mean()
            errors.append(torch.stack([loss.detach() / data[1].square().mean(), elsewhere]))
        descend(optimizer, loss)
    return torch.stack(errors)


def delay(found: Trial, settings: Settings) -> float:
    """Steps from the training error's first fall below the mark to the test error's; infinite where that never does."""
    first = [next((i for i, e in enumerate(c) if e < settings.learnt), math.inf) for c in found["errors"].mT.tolist()]
    return math.inf if math.inf in first else (first[1] - first[0]) * settings.every


def judge(settings: Settings, trials: list[Trial], out: Path) -> Outcome:
    delays = {name: spread(delay(t[name], settings) for t in trials) for name in COLOURS}
    spurious = trials[0][NONUNIFORM]["spurious"]
    steps = {k: median(t[NONUNIFORM]["steps"][k - 1] for t in trials) for k in present(settings, trials[0])}
    draw_spectra(settings, trials[0], out / SPECTRA)
    draw_errors(settings, trials[0], out / ERRORS)
    controls = max(delays[UNIFORM]["median"], delays[MANY]["median"])
    checks = {
        "a spurious low peak": bool(spurious),
        "it is learnt before the true one": bool(spurious) and steps[spurious[0]] < steps[TRUE],
        "the test error is late on the chosen points": delays[NONUNIFORM]["median"] >= settings.late,
        "and not on uniform ones": controls < settings.late,
    }
    return outcome(
        "where sampling puts a spurious low frequency into the training set, it is learnt before the true one, and the"
        " test error falls later than the training error",
        checks,
        {"learnt": settings.learnt, "late, in steps": settings.late, "of a frequency": settings.threshold},
        {
            "steps_the_test_error_is_late": delays,
            "spurious_wavenumbers": spurious,
            "steps_to_10_percent_by_wavenumber_median": {str(k): step for k, step in steps.items()},
        },
        [SPECTRA, ERRORS],
    )


def present(settings: Settings, trial: Trial) -> list[int]:
    """The wavenumbers that the training set has; errors of others are of nothing."""
    size = trial[NONUNIFORM]["spectrum"]
    return [k for k in range(1, 11) if size[k - 1] > settings.present * size.max()]


def draw_spectra(settings: Settings, trial: Trial, path: Path) -> None:
    with figure(path, 10, 3.4) as page:
        left, right = page.subplots(1, 2, width_ratios=(1, 1.4))
        for i, (name, colour) in enumerate(COLOURS.items()):
            k = [v + 0.25 * (i - 1) for v in range(1, 11)]
            left.bar(k, trial[name]["spectrum"].tolist(), width=0.25, color=colour, label=name)
        left.set(xlabel="wavenumber", ylabel="|spectrum| of the training set")
        page.legend(loc="outside lower left", ncols=3, frameon=False, fontsize=8)
        rows = present(settings, trial)
        errors, labels = trial[NONUNIFORM]["monitor"].cpu()[:, [k - 1 for k in rows]], list(map(str, rows))
        steps = [settings.every * i for i in range(len(errors))]
        draw_heatmap(steps, errors, labels, ax=right, frequency_label="wavenumber", title=NONUNIFORM, log_steps=True)
        add_colorbar(page, right)


def draw_errors(settings: Settings, trial: Trial, path: Path) -> None:
    with figure(path, 10, 3.2) as page:
        axes = page.subplots(1, 3, sharey=True)
        for ax, (name, colour) in zip(axes, COLOURS.items(), strict=True):
            steps = [settings.every * i for i in range(len(trial[name]["errors"]))]
            for curve, style, label in zip(
                trial[name]["errors"].cpu().mT, (":", "-"), ("training", "test"), strict=True
            ):
                ax.semilogy(steps, curve, style, color=colour, label=label)
            ax.axhline(settings.learnt, color="0.7", linewidth=0.8)
            ax.set(title=name, xlabel="step")
            ax.legend(frameon=False)
        axes[0].set_ylabel("relative mean squared error")


RECIPE = Recipe(
    "grokking",
    "a spurious low frequency of the training set is learnt first, and the test error falls late",
    DEFAULT,
    QUICK,
    over_seeds(run_trial, judge),
)
