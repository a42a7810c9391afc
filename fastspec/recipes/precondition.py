"""Ways past the high-frequency curse, in one table (arXiv 2201.07395, 2105.11675): each shifts high frequencies lower.

Σ sin(kx) / 2 at scattered points of [-π, π], by Adam at one rate, the same seeds and as many steps for all. The
baseline is a tanh network under the mean squared error. Beside it, on that very network: weighted losses (Sobolev,
focal), a preconditioned gradient (whitening up to the critical decay rate, the tangent kernel), adaptive activations;
and networks that see other frequencies: MscaleDNN, PhaseDNN, Fourier features, sines, stages; and some of them
together. Each is told nothing but the data, save the sweep over the width σ of Fourier features, which is shown and not
judged. The target and its settings are this recipe's own; MscaleDNN and PhaseDNN solve equations in their papers.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

import fastspec as fs

from ..measure.heatmap import add_colorbar, draw_heatmap
from .harness import Loss, Outcome, Recipe, Schedule, figure, outcome, train
from .trials import Trial, median, over_seeds, spread

STEPS, ERRORS = "steps.png", "error-per-frequency.png"
PLAIN, STAGES = "mean squared error", "stages"


@dataclass(frozen=True)
class Settings:
    seed: int = 0
    threads: int = 1
    seeds: int = 3
    points: int = 400
    wavenumbers: tuple[float, ...] = (1, 5, 15, 30)
    width: int = 128
    learning_rate: float = 3e-3
    final_rate: float = 1e-4
    falls_over: float = 0.3  # of the steps, at the end
    steps: int = 2000
    stages: int = 3
    modes: int = 128
    sigmas: tuple[float, ...] = (0.5, 2.0, 8.0)  # of Fourier features, cycles per unit
    threshold: float = 0.1
    sooner: float = 0.5  # steps to every frequency, of the baseline's


DEFAULT = Settings()
QUICK = replace(DEFAULT, points=250, wavenumbers=(1, 5, 12, 20), width=64, steps=400, modes=64, sigmas=())


@dataclass(frozen=True)
class Data:
    x: Tensor
    y: Tensor
    settings: Settings


Learner = tuple[nn.Module, Loss]  # a network, and the loss of its output and the target
Way = Callable[[Data], Learner]

mse = nn.functional.mse_loss


def network(data: Data, first: nn.Module | None = None, activation: Callable[[], nn.Module] = nn.Tanh) -> nn.Sequential:
    """Two hidden layers on standardised points, or on the features that ``first`` makes of them."""
    n = data.settings.width
    inputs = 1 if first is None else int(getattr(first, "out_features", 1))
    front = fs.nn.Standard(1).fit_values(data.x) if first is None else first
    layers = [front, nn.Linear(inputs, n), activation(), nn.Linear(n, n), activation(), nn.Linear(n, 1)]
    return nn.Sequential(*layers).to(data.x)


def sobolev(data: Data) -> Loss:
    return fs.SpectralLoss(data.settings.modes, x=data.x, weight=fs.weights.sobolev(0.5))


def focal(data: Data) -> Learner:
    return network(data), fs.SpectralLoss(data.settings.modes, x=data.x, weight=fs.weights.focal(1.0))


def whitening(data: Data) -> Learner:
    """As far as the critical decay rate lets it go."""
    model, modes = network(data), data.settings.modes
    q = fs.precondition.quadrature(data.x, modes)
    weight = fs.precondition.whitening_weight(model, data.x, modes, quadrature=q)
    plan = fs.Plan(data.x, modes)
    return model, lambda h, y: mse(fs.precondition.spectral(h, plan, weight, norm="forward", quadrature=q), y)


def kernel(data: Data, model: nn.Module | None = None) -> Learner:
    model = model or network(data)
    precondition = fs.precondition.Kernel(model, data.x, inducing=len(data.x) // 3)
    return model, lambda h, y: mse(precondition(h), y)


def phase(data: Data) -> nn.Module:
    return fs.nn.PhaseMLP.from_data(data.x, data.y)


def features(sigma: float | None) -> Callable[[Data], nn.Module]:
    def model(data: Data) -> nn.Module:
        found = fs.nn.FourierFeatures(1, sigma=sigma) if sigma else fs.nn.FourierFeatures.from_data(data.x, data.y)
        return network(data, found)

    return model


def sines(data: Data) -> nn.Module:
    layers = [fs.nn.SineLayer.from_data(data.x, data.y, data.settings.width), *list(network(data))[3:]]
    return nn.Sequential(*layers)


def adaptive(data: Data) -> nn.Module:
    return network(data, activation=lambda: fs.nn.AdaptiveActivation(features=data.settings.width))


def rowdy(data: Data) -> nn.Module:
    return network(data, activation=lambda: fs.nn.Rowdy(features=data.settings.width))


WAYS: dict[str, Way] = {
    PLAIN: lambda data: (network(data), mse),
    "Sobolev loss": lambda data: (network(data), sobolev(data)),
    "focal loss": focal,
    "whitening": whitening,
    "tangent kernel": kernel,
    "adaptive activation": lambda data: (adaptive(data), mse),
    "Rowdy activation": lambda data: (rowdy(data), mse),
    STAGES: lambda data: (fs.nn.MultiStage(1, width=data.settings.width).to(data.x), mse),
    "MscaleDNN": lambda data: (fs.nn.MscaleMLP.from_data(data.x, data.y, width=32), mse),
    "PhaseDNN": lambda data: (phase(data), mse),
    "Fourier features": lambda data: (features(None)(data), mse),
    "sine layer": lambda data: (sines(data), mse),
    "PhaseDNN, Sobolev loss": lambda data: (phase(data), sobolev(data)),
    "adaptive, Sobolev loss": lambda data: (adaptive(data), sobolev(data)),
    "Fourier features, kernel": lambda data: kernel(data, features(None)(data)),
}


def swept(sigma: float) -> str:
    return f"Fourier features, σ = {sigma:g}"


def ways(settings: Settings) -> dict[str, Way]:
    def told(sigma: float) -> Way:
        return lambda data: (features(sigma)(data), mse)

    return WAYS | {swept(sigma): told(sigma) for sigma in settings.sigmas}


def run_trial(settings: Settings, seed: int, device: torch.device) -> Trial:
    generator = torch.Generator().manual_seed(seed)
    x, test = ((torch.rand(n, 1, generator=generator) * 2 - 1) * math.pi for n in (settings.points, 2000))
    k = torch.tensor(settings.wavenumbers)
    (x, y), (test, clean) = ((t.to(device), (t * k).sin().sum(1, keepdim=True).to(device) / 2) for t in (x, test))
    found: Trial = {}
    for name, way in ways(settings).items():
        torch.manual_seed(seed)
        monitor = fs.SpectralMonitor(x, y, None, peaks=k[:, None].to(device))
        model, loss = way(Data(x, y, settings))
        run = in_stages if isinstance(model, fs.nn.MultiStage) else at_once
        seconds = run(name, model, loss, Data(x, y, settings), monitor)
        step = first_of_all(monitor, settings.threshold)
        with torch.no_grad():
            error = ((model(test) - clean).norm() / clean.norm()).item()
        found[name] = {
            "errors": monitor.errors,
            "at": monitor.steps,
            "steps": step,
            "seconds": None if step is None else seconds * step / settings.steps,
            "held_out": error,
        }
    return found


def at_once(name: str, model: nn.Module, loss: Loss, data: Data, monitor: fs.SpectralMonitor) -> float:
    return train(name, model, loss, data.x, data.y, monitor, schedule_of(data.settings, data.settings.steps))


def in_stages(name: str, model: nn.Module, loss: Loss, data: Data, monitor: fs.SpectralMonitor) -> float:
    """Each for its share of the steps, on what the ones before it left, scaled to one."""
    stages = cast(fs.nn.MultiStage, model)
    steps, seconds = data.settings.steps // data.settings.stages, 0.0
    schedule = schedule_of(data.settings, steps)
    for i in range(data.settings.stages):
        stages.add_stage(data.x, data.y)
        scaled = of_size(loss, cast(Tensor, stages.stages[-1].size))
        seconds += train(f"{name} {i + 1}", model, scaled, data.x, data.y, monitor, schedule, i * steps)
    return seconds


def of_size(loss: Loss, size: Tensor) -> Loss:
    return lambda h, y: loss(h, y) / size.square()


def schedule_of(settings: Settings, steps: int) -> Schedule:
    return Schedule(steps, settings.learning_rate, settings.final_rate, settings.falls_over)


def first_of_all(monitor: fs.SpectralMonitor, threshold: float) -> int | None:
    """At which every frequency's error is below the mark at once."""
    below = (monitor.errors < threshold).all(1).nonzero()
    return monitor.steps[int(below[0])] if len(below) else None


def judge(settings: Settings, trials: list[Trial], out: Path) -> Outcome:
    names = list(trials[0])
    steps = {name: spread(t[name]["steps"] for t in trials) for name in names}
    baseline = min(steps[PLAIN]["median"], settings.steps)  # at least, where it never got there
    draw_steps(settings, steps, trials, out / STEPS)
    draw_errors(settings, trials[0], out / ERRORS)
    return outcome(
        "each way of shifting high frequencies lower brings every frequency within 10 % in at most half of the steps"
        " that the mean squared error takes, or has been given",
        {
            name: steps[name]["median"] <= settings.sooner * baseline
            for name in names
            if name != PLAIN and name not in map(swept, settings.sigmas)
        },
        {"learnt": settings.threshold, "steps over the baseline's": settings.sooner},
        {
            "steps_to_every_frequency_median": {name: found["median"] for name, found in steps.items()},
            "seconds_to_every_frequency_median": {name: median(t[name]["seconds"] for t in trials) for name in names},
            "held_out_error_median": {name: median(t[name]["held_out"] for t in trials) for name in names},
            "steps_to_every_frequency": steps,
        },
        [STEPS, ERRORS],
    )


def draw_steps(settings: Settings, steps: dict[str, dict[str, float]], trials: list[Trial], path: Path) -> None:
    """A row each; what is never reached is an arrow at the right."""
    with figure(path, 8, 0.28 * len(steps) + 1.2) as page:
        ax = page.subplots()
        for row, name in enumerate(steps):
            reached = [t[name]["steps"] for t in trials if t[name]["steps"] is not None]
            colour = "0.4" if name == PLAIN else "#0077BB"
            ax.plot(reached, [row] * len(reached), "o", color=colour, alpha=0.5)
            if len(reached) < len(trials):
                ax.plot(settings.steps, row, ">", color=colour)
            if steps[name]["median"] < math.inf:
                ax.plot([steps[name]["median"]] * 2, [row - 0.35, row + 0.35], color=colour, linewidth=2)
        ax.set_yticks(range(len(steps)), list(steps))
        ax.invert_yaxis()
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter("{x:,.0f}")
        ax.xaxis.set_minor_formatter("")
        ax.set(
            xscale="log", xlabel="steps until every frequency is within 10 %\ndot: a seed; bar: median; arrow: never"
        )


def draw_errors(settings: Settings, trial: Trial, path: Path) -> None:
    labels = [f"{k:g}" for k in settings.wavenumbers]
    rows = -(-len(trial) // 3)
    with figure(path, 11, 1.9 * rows) as page:
        axes = page.subplots(rows, 3, sharey=True).flatten().tolist()
        for ax, (name, found) in zip(axes, trial.items(), strict=False):
            draw_heatmap(
                found["at"],
                found["errors"].cpu(),
                labels,
                ax=ax,
                frequency_label="wavenumber",
                title=name,
                log_steps=True,
            )
            ax.set_xlabel("")
            ax.label_outer()
            ax.tick_params(labelbottom=True)
        for ax in axes[len(trial) :]:
            ax.set_visible(False)
        add_colorbar(page, axes)
        page.supxlabel("step; bar: below 10 % from there on; dotted: first below 10 %, but not for good", fontsize=10)


RECIPE = Recipe(
    "precondition",
    "weights, preconditioners and networks against the high-frequency curse, in one table",
    DEFAULT,
    QUICK,
    over_seeds(run_trial, judge),
)
