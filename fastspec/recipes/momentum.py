"""Momentum evens the rates at which a physics-informed network learns its modes (arXiv 2206.14862).

-u'' = C² sin(Cx) on [-1, 1], u(±1) = sin(±C), by one wide hidden layer of tanh, small changes of whose weights matter
(scaled by 1/√m). The residual, interior points and boundary conditions together, is projected on the eigenvectors of
its own tangent kernel. Mode of eigenvalue κ falls like (1 - ηκ)^s under gradient descent; with heavy-ball momentum β
every mode that is underdamped falls like β^(s/2), whatever its κ. Adam is shown beside them; no theory of modes is
claimed for it. Width, C and rates are this recipe's own.

The formula is of a network so wide that its kernel stays as it is, and momentum shows soonest that it does not: at a
width of 3,000 the worst mode's rate is off by 0.85, at 10,000 by 0.5, those of gradient descent by 0.09 and 0.02.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

import fastspec as fs

from ..tangent import Outputs, gram
from .harness import Outcome, Recipe, figure, outcome, progress
from .trials import Trial, median, over_seeds, spread

RESIDUALS, RATES = "residuals.png", "rates.png"
GD, MOMENTUM, ADAM = "gradient descent", "momentum", "Adam"
COLOURS = ("#CC3311", "#EE7733", "#33BBEE", "#0077BB")


@dataclass(frozen=True)
class Settings:
    seed: int = 0
    threads: int = 1
    seeds: int = 3
    width: int = 10_000
    points: int = 48
    c: float = 4.0
    spread_of_weights: float = 3.0
    boundary: float = 10.0  # weight of the boundary conditions
    fractions: tuple[float, ...] = (1.0, 0.16, 0.068, 0.023)  # the modes to watch, as κ / κ_max
    first: float = 0.13  # η κ_max
    beta: float = 0.99
    adam_rate: float = 1e-4
    steps: int = 1500
    agreement: float = 0.25  # of measured and predicted rates, relative
    narrowing: float = 4.0  # by which momentum must shrink the ratio of the fastest to the slowest


DEFAULT = Settings()
QUICK = replace(DEFAULT, width=3000, points=32, steps=800)
FULL = replace(DEFAULT, width=100_000)


class Wide(nn.Module):
    """m^-½ Σ a tanh(w x + b)."""

    def __init__(self, width: int, scale: float):
        super().__init__()
        self.w = nn.Parameter(scale * torch.randn(width))
        self.b = nn.Parameter(scale * (2 * torch.rand(width) - 1))
        self.a = nn.Parameter(torch.randn(width))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = torch.tanh(x * self.w + self.b) @ self.a / len(self.a) ** 0.5
        return out

    def curvature(self, x: Tensor) -> Tensor:
        t = torch.tanh(x * self.w + self.b)
        out: Tensor = (-2 * t * (1 - t**2)) @ (self.a * self.w**2) / len(self.a) ** 0.5
        return out


class Residual(nn.Module):
    """Of the equation at the points and of u at the ends, in one vector whose ½ square is the loss."""

    def __init__(self, net: Wide, settings: Settings):
        super().__init__()
        self.net, self.settings = net, settings

    def forward(self, x: Tensor) -> Tensor:
        c, t = self.settings.c, x[:, 0]
        equation = (self.net.curvature(x) + c**2 * (c * t).sin()) / self.settings.points**0.5
        ends = self.settings.boundary * (self.net(x) - (c * t).sin())
        return torch.where(t.abs() == 1, ends, equation)


def run_trial(settings: Settings, seed: int, device: torch.device) -> Trial:
    x = torch.cat([torch.linspace(-1, 1, settings.points + 2)[1:-1], torch.tensor([-1.0, 1.0])])[:, None]
    x = x.to(device)
    start = Residual(Wide(settings.width, settings.spread_of_weights), settings).to(device)
    values, vectors = torch.linalg.eigh(gram(Outputs(start), x).square)
    watched = [int((values / values[-1] - fraction).abs().argmin()) for fraction in settings.fractions]
    kappa, modes = values[watched], vectors[:, watched].float()
    found: Trial = {"kappa": kappa}
    for name in (GD, MOMENTUM, ADAM):
        model = Residual(Wide(settings.width, settings.spread_of_weights), settings).to(device)
        model.load_state_dict(start.state_dict())
        found[name] = descend_by(name, model, x, modes, settings, values[-1].item())
    lr = settings.first / values[-1].item()
    found["predicted"] = {
        GD: fs.theory.heavy_ball_rates(kappa, lr=lr),
        MOMENTUM: fs.theory.heavy_ball_rates(kappa, lr=lr, momentum=settings.beta),
    }
    return found


def descend_by(name: str, model: Residual, x: Tensor, modes: Tensor, settings: Settings, largest: float) -> Tensor:
    """|residual| on each mode before every step, (steps, modes)."""
    lr = settings.first / largest
    optimizer: torch.optim.Optimizer = torch.optim.Adam(model.parameters(), settings.adam_rate)
    if name != ADAM:
        optimizer = torch.optim.SGD(model.parameters(), lr, momentum=settings.beta if name == MOMENTUM else 0.0)
    sizes = []
    for _ in progress(name, settings.steps):
        residual = model(x)
        sizes.append((residual.detach() @ modes).abs())
        optimizer.zero_grad()
        (residual.square().sum() / 2).backward()
        optimizer.step()
    return torch.stack(sizes)


def rate(sizes: Tensor) -> float:
    """Per step: the slope of the logarithm of the envelope, what the mode never exceeds from there on, over its first
    two e-foldings; none where it does not get there. A mode that oscillates crosses zero, its envelope does not."""
    envelope = sizes.double().flip(0).cummax(0).values.flip(0)
    falling = envelope > envelope[0] * math.exp(-2)
    if bool(falling.all()):
        return math.nan
    logs = envelope[falling].log()
    steps = torch.arange(len(logs), dtype=torch.float64, device=logs.device)
    steps, logs = steps - steps.mean(), logs - logs.mean()
    return -((steps @ logs) / (steps @ steps)).item()


def judge(settings: Settings, trials: list[Trial], out: Path) -> Outcome:
    measured = {name: [[rate(c) for c in t[name].unbind(1)] for t in trials] for name in (GD, MOMENTUM, ADAM)}
    predicted = {name: [t["predicted"][name].tolist() for t in trials] for name in (GD, MOMENTUM)}
    ratios = {name: spread(fastest_over_slowest(r) for r in found) for name, found in measured.items()}
    off = {
        name: spread(max(never_if_nan(abs(m / p - 1)) for m, p in zip(ms, ps, strict=True)) for ms, ps in pairs)
        for name, pairs in ((n, list(zip(measured[n], predicted[n], strict=True))) for n in predicted)
    }
    draw_residuals(trials[0], out / RESIDUALS)
    draw_rates(trials[0], measured, out / RATES)
    checks = {f"rates under {name} match the formula": off[name]["median"] < settings.agreement for name in off}
    narrower = ratios[GD]["median"] / ratios[MOMENTUM]["median"]
    checks["momentum narrows the rates' spread"] = narrower > settings.narrowing
    medians = {name: [median(mode) for mode in zip(*found, strict=True)] for name, found in measured.items()}
    return outcome(
        "momentum shrinks the spread of the modes' decay rates, and each rate is the formula's",
        checks,
        {"largest deviation from the formula": settings.agreement, "narrowing of the spread": settings.narrowing},
        {
            "rates_per_step_median": medians,
            "fastest_over_slowest": ratios,
            "largest_deviation_from_the_formula": off,
        },
        [RESIDUALS, RATES],
    )


def fastest_over_slowest(rates: list[float]) -> float:
    """Infinite where a mode did not fall far enough to have a rate."""
    return math.inf if any(map(math.isnan, rates)) else max(rates) / min(rates)


def never_if_nan(value: float) -> float:
    return math.inf if math.isnan(value) else value


def draw_residuals(trial: Trial, path: Path) -> None:
    with figure(path, 10, 3.4) as page:
        axes = page.subplots(1, 3, sharey=True)
        share = trial["kappa"] / trial["kappa"][0]
        for ax, name in zip(axes, (GD, MOMENTUM, ADAM), strict=True):
            curves = (trial[name] / trial[name][0]).cpu()
            for i, colour in enumerate(COLOURS[: curves.shape[1]]):
                label = f"κ = {share[i].item():.2g} of the largest"
                ax.semilogy(curves[:, i], color=colour, linewidth=1, label=label)
            ax.set(title=name, xlabel="step", ylim=(1e-4, 3))
        axes[0].set_ylabel("residual on the mode, of its first")
        page.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)


def draw_rates(trial: Trial, measured: dict[str, list[list[float]]], path: Path) -> None:
    with figure(path, 6.5, 4.2) as page:
        ax = page.subplots()
        share = (trial["kappa"] / trial["kappa"][0]).cpu()
        for name, colour in ((GD, "#CC3311"), (MOMENTUM, "#0077BB"), (ADAM, "0.6")):
            for i, rates in enumerate(measured[name]):
                ax.loglog(share, rates, "o", color=colour, label=name if i == 0 else None)
        for name, colour in ((GD, "#CC3311"), (MOMENTUM, "#0077BB")):
            ax.loglog(share, trial["predicted"][name].cpu(), color=colour, label=f"{name}, the formula")
        ax.set(xlabel="eigenvalue κ of the mode, of the largest", ylabel="decay rate per step")
        page.legend(loc="outside lower center", ncols=3, frameon=False)


RECIPE = Recipe(
    "momentum",
    "momentum evens the rates at which a physics-informed network learns its modes",
    DEFAULT,
    QUICK,
    over_seeds(run_trial, judge),
    FULL,
)
