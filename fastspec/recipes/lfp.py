"""The linear frequency principle predicts what a wide two-layer network becomes (arXiv 2010.08153).

Five points in 1-D. A network m^-½ Σ a σ(w x + b) starts at zero (two copies, the last layer of one negated) and is
trained by gradient descent on the sum of squares. The principle says which interpolant it becomes, that of least
∫ γ(ξ)^-2 |ĥ|² dξ, γ from the network's own weights. Settings of the authors: points, initialisations and the loss to
train to; 10,000 neurons by ``--full``. Momentum, which changes no limit of a linear model, saves steps. Agreement is
measured within the data, and on [-1, 1], where the network extrapolates.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

import fastspec as fs

from .harness import Outcome, Recipe, figure, outcome, progress
from .trials import Trial, over_seeds, spread

FIGURE = "interpolants.png"
X = (-0.8, -0.6, -0.3, -0.06, 0.1)
Y = (0.25, -0.25, -0.07, 0.15, -0.05)


@dataclass(frozen=True)
class Case:
    activation: str
    a: float
    w: float
    b: float

    @property
    def name(self) -> str:
        return f"{self.activation} ({self.a:g}, {self.w:g}, {self.b:g})"


@dataclass(frozen=True)
class Settings:
    seed: int = 0
    threads: int = 1
    seeds: int = 3
    cases: tuple[Case, ...] = (
        Case("relu", 0.1, 3, 3),
        Case("relu", 1, 0.2, 1),
        Case("tanh", 4, 1.5, 3),
        Case("tanh", 0.1, 3, 1),
    )
    neurons: int = 4000
    momentum: float = 0.99
    most_steps: int = 20_000
    loss: float = 8e-5
    period: float = 16.0
    modes: int = 2**14 + 1
    agreement: float = 0.2  # relative l2 distance within the data


DEFAULT = Settings()
QUICK = replace(DEFAULT, neurons=1000, most_steps=8000)
FULL = replace(DEFAULT, neurons=10_000, most_steps=200_000)


class TwoLayer(nn.Module):
    """m^-½ Σ a σ(w x + b), uniform with these standard deviations, and its mirror image."""

    def __init__(self, case: Case, neurons: int):
        super().__init__()
        half = [scale * math.sqrt(3) * (2 * torch.rand(neurons // 2) - 1) for scale in (case.a, case.w, case.b)]
        self.a = nn.Parameter(torch.cat([half[0], -half[0]]))
        self.w, self.b = (nn.Parameter(h.repeat(2)) for h in half[1:])
        self.activation = {"relu": torch.relu, "tanh": torch.tanh}[case.activation]

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.activation(x * self.w + self.b) @ self.a / len(self.a) ** 0.5
        return out


def run_trial(settings: Settings, seed: int, device: torch.device) -> Trial:
    x, y = (torch.tensor(v, device=device) for v in (X, Y))
    inside, around = (torch.linspace(*ends, 401, device=device) for ends in ((X[0], X[-1]), (-1.0, 1.0)))
    found: Trial = {}
    for case in settings.cases:
        model = TwoLayer(case, settings.neurons).to(device)
        predicted = prediction(model, case, settings)
        loss, steps = fitted(case.name, model, x[:, None], y, settings)
        with torch.no_grad():
            network = {grid: model(t[:, None]) for grid, t in (("inside", inside), ("around", around))}
        theory = {grid: predicted(t[:, None]).real.float() for grid, t in (("inside", inside), ("around", around))}
        distance = {grid: ((network[grid] - theory[grid]).norm() / theory[grid].norm()).item() for grid in theory}
        found[case.name] = {"distance": distance, "loss": loss, "steps": steps} | {
            "network": network["around"],
            "theory": theory["around"],
        }
    return found


def prediction(model: TwoLayer, case: Case, settings: Settings) -> fs.theory.MinNormInterpolant:
    """Of the principle, from the weights at the start."""
    a, w = model.a.detach().double(), model.w.detach().double()
    x, y = (torch.tensor(v, dtype=torch.float64, device=a.device) for v in (X, Y))

    def weight(k: Tensor) -> Tensor:
        xi = (k.double() / settings.period).abs().clamp_min(0.5 / settings.period).flatten()
        rate = fs.theory.lfp_rate(xi, d=1, activation=case.activation, a=a, w=w, sigma_b=case.b)
        return 1 / rate.square().clamp_min(1e-30 * rate.max() ** 2)

    return fs.theory.min_norm_interpolant(x[:, None], y, None, settings.modes, period=settings.period, weight=weight)


def fitted(name: str, model: nn.Module, x: Tensor, y: Tensor, settings: Settings) -> tuple[float, int]:
    """By gradient descent with momentum, at half the rate that the tangent kernel allows; the loss and the steps."""
    rates = fs.measure.ntk_rates(model, x, torch.zeros(1, device=x.device))
    largest = len(x) * rates.max().item()
    optimizer = torch.optim.SGD(model.parameters(), 0.5 / largest, momentum=settings.momentum)
    losses = []
    for _ in progress(name, settings.most_steps):
        optimizer.zero_grad()
        loss = (model(x) - y).square().sum()
        losses.append(loss.item())
        if losses[-1] < settings.loss:
            break
        loss.backward()
        optimizer.step()
    return losses[-1], len(losses)


def judge(settings: Settings, trials: list[Trial], out: Path) -> Outcome:
    names = [case.name for case in settings.cases]
    distance = {
        grid: {name: spread(t[name]["distance"][grid] for t in trials) for name in names}
        for grid in ("inside", "around")
    }
    draw(names, trials, out / FIGURE)
    checks = {name: distance["inside"][name]["median"] < settings.agreement for name in names}
    return outcome(
        "within the data the trained network is the linear frequency principle's interpolant",
        checks,
        {"relative l2 distance within the data": settings.agreement},
        {
            "distance_within_the_data": distance["inside"],
            "distance_on_-1_to_1": distance["around"],
            "final_loss": {name: spread(t[name]["loss"] for t in trials) for name in names},
            "steps": {name: spread(t[name]["steps"] for t in trials) for name in names},
        },
        [FIGURE],
    )


def draw(names: list[str], trials: list[Trial], path: Path) -> None:
    with figure(path, 11, 3.4) as page:
        axes = page.subplots(1, len(names), sharey=True)
        x = torch.linspace(-1, 1, 401)
        for ax, name in zip(axes, names, strict=True):
            ax.plot(x, trials[0][name]["theory"].cpu(), color="0.6", linewidth=4, label="the principle")
            for i, trial in enumerate(trials):
                label = "network, each seed" if i == 0 else None
                ax.plot(x, trial[name]["network"].cpu(), color="#CC3311", linewidth=1, label=label)
            ax.plot(X, Y, "ko", markersize=4)
            ax.set(title=name, xlabel="x", ylim=(-0.6, 0.6))
        axes[0].set_ylabel("h(x)")
        page.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)


RECIPE = Recipe(
    "lfp",
    "the linear frequency principle predicts what a wide two-layer network becomes",
    DEFAULT,
    QUICK,
    over_seeds(run_trial, judge),
    FULL,
)
