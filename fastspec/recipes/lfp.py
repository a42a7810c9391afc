"""The linear frequency principle predicts what a wide two-layer network becomes (arXiv 2010.08153).

Five points in 1-D, and the four of XOR in 2-D. A network m^-½ Σ a σ(w·x + b) starts at zero (two copies, the last
layer of one negated) and is trained by gradient descent on the sum of squares. The principle says which interpolant it
becomes, that of least ∫ γ(ξ)^-2 |ĥ|² dξ, γ from the network's own weights. Settings of the authors: points,
initialisations in 1-D and the loss to train to; 10,000 neurons by ``--full``. Momentum, which changes no limit of a
linear model, saves steps. Agreement is measured within the data, and on [-1, 1]^d, where the network extrapolates.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

import fastspec as fs

from .harness import Outcome, Recipe, figure, outcome, progress
from .trials import Trial, over_seeds, spread

FIGURE, DIAGONAL = "interpolants.png", "xor.png"
LINE = ((-0.8,), (-0.6,), (-0.3,), (-0.06,), (0.1,)), (0.25, -0.25, -0.07, 0.15, -0.05)
XOR = ((-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5)), (0.25, -0.25, -0.25, 0.25)


@dataclass(frozen=True)
class Case:
    activation: str
    a: float
    w: float
    b: float
    d: int = 1

    @property
    def name(self) -> str:
        return f"{'XOR, ' if self.d == 2 else ''}{self.activation} ({self.a:g}, {self.w:g}, {self.b:g})"

    def data(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Points (M, d) and values (M,)."""
        x, y = XOR if self.d == 2 else LINE
        return torch.tensor(x, device=device), torch.tensor(y, device=device)

    def grids(self, x: Tensor) -> dict[str, Tensor]:
        """Points of a grid within the data's extent, and on [-1, 1]^d."""
        sides = {"inside": (x.min().item(), x.max().item()), "around": (-1.0, 1.0)}
        side = 401 if self.d == 1 else 41
        return {
            name: torch.cartesian_prod(*[torch.linspace(*ends, side, device=x.device)] * self.d).reshape(-1, self.d)
            for name, ends in sides.items()
        }


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
        Case("relu", 0.1, 3, 3, d=2),
    )
    neurons: int = 4000
    momentum: float = 0.99
    most_steps: int = 20_000
    loss: float = 8e-5
    period: float = 16.0
    modes: tuple[int, int] = (2**14 + 1, 513)  # of each axis, in 1-D and 2-D
    agreement: float = 0.2  # relative l2 distance within the data


DEFAULT = Settings()
QUICK = replace(DEFAULT, neurons=1000, most_steps=8000)
FULL = replace(DEFAULT, neurons=10_000, most_steps=200_000)


class TwoLayer(nn.Module):
    """m^-½ Σ a σ(w·x + b), uniform with these standard deviations, and its mirror image."""

    def __init__(self, case: Case, neurons: int):
        super().__init__()
        half = neurons // 2
        a, w, b = (
            scale * math.sqrt(3) * (2 * torch.rand(shape) - 1)
            for scale, shape in ((case.a, (half,)), (case.w, (case.d, half)), (case.b, (half,)))
        )
        self.a = nn.Parameter(torch.cat([a, -a]))
        self.w, self.b = nn.Parameter(w.repeat(1, 2)), nn.Parameter(b.repeat(2))
        self.activation = {"relu": torch.relu, "tanh": torch.tanh}[case.activation]

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.activation(x @ self.w + self.b) @ self.a / len(self.a) ** 0.5
        return out


def run_trial(settings: Settings, seed: int, device: torch.device) -> Trial:
    found: Trial = {}
    for case in settings.cases:
        x, y = case.data(device)
        model = TwoLayer(case, settings.neurons).to(device)
        predicted = prediction(model, case, settings)
        loss, steps = fitted(case.name, model, x, y, settings)
        grids = case.grids(x)
        with torch.no_grad():
            network = {name: model(grid) for name, grid in grids.items()}
        theory = {name: predicted(grid).float() for name, grid in grids.items()}
        distance = {name: ((network[name] - theory[name]).norm() / theory[name].norm()).item() for name in theory}
        found[case.name] = {"distance": distance, "loss": loss, "steps": steps, "network": network, "theory": theory}
    return found


def prediction(model: TwoLayer, case: Case, settings: Settings) -> fs.theory.MinNormInterpolant:
    """Of the principle, from the weights at the start."""
    x, y = (t.double() for t in case.data(model.a.device))
    a, w = model.a.detach().double(), model.w.detach().double().mT

    def weight(k: Tensor) -> Tensor:
        xi = (k.double() / settings.period).norm(dim=-1).clamp_min(0.5 / settings.period)
        rate = fs.theory.lfp_rate(xi.flatten(), d=case.d, activation=case.activation, a=a, w=w, sigma_b=case.b)
        return (1 / rate.square().clamp_min(1e-30 * rate.max() ** 2)).reshape(xi.shape)

    modes = (settings.modes[case.d - 1],) * case.d
    return fs.theory.min_norm_interpolant(x, y, None, modes, period=settings.period, weight=weight)


def fitted(name: str, model: nn.Module, x: Tensor, y: Tensor, settings: Settings) -> tuple[float, int]:
    """By gradient descent with momentum, at half the rate that the tangent kernel allows; the loss and the steps."""
    rates = fs.measure.ntk_rates(model, x, torch.zeros(1, x.shape[1], device=x.device))
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
    draw([case.name for case in settings.cases if case.d == 1], trials, out / FIGURE)
    draw_diagonal([case.name for case in settings.cases if case.d == 2], trials, out / DIAGONAL)
    checks = {name: distance["inside"][name]["median"] < settings.agreement for name in names}
    return outcome(
        "within the data the trained network is the linear frequency principle's interpolant",
        checks,
        {"relative l2 distance within the data": settings.agreement},
        {
            "distance_within_the_data": distance["inside"],
            "distance_from_-1_to_1": distance["around"],
            "final_loss": {name: spread(t[name]["loss"] for t in trials) for name in names},
            "steps": {name: spread(t[name]["steps"] for t in trials) for name in names},
        },
        [FIGURE, DIAGONAL],
    )


def draw(names: list[str], trials: list[Trial], path: Path) -> None:
    with figure(path, 11, 3.4) as page:
        axes = page.subplots(1, len(names), sharey=True)
        x = torch.linspace(-1, 1, 401)
        for ax, name in zip(axes, names, strict=True):
            ax.plot(x, trials[0][name]["theory"]["around"].cpu(), color="0.6", linewidth=4, label="the principle")
            for i, trial in enumerate(trials):
                label = "network, each seed" if i == 0 else None
                ax.plot(x, trial[name]["network"]["around"].cpu(), color="#CC3311", linewidth=1, label=label)
            ax.plot([x for (x,) in LINE[0]], LINE[1], "ko", markersize=4)
            ax.set(title=name, xlabel="x", ylim=(-0.6, 0.6))
        axes[0].set_ylabel("h(x)")
        page.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)


def draw_diagonal(names: list[str], trials: list[Trial], path: Path) -> None:
    """What the network says against what the principle says, within the data and beyond."""
    with figure(path, 4.6 * len(names), 4.2) as page:
        for ax, name in zip(page.subplots(1, len(names), squeeze=False)[0], names, strict=True):
            for grid, label, colour in (("around", "on [-1, 1]²", "0.7"), ("inside", "within the data", "#CC3311")):
                theory, network = (trials[0][name][of][grid].cpu() for of in ("theory", "network"))
                ax.plot(theory, network, ".", color=colour, markersize=2, label=label)
            ax.axline((0, 0), slope=1, color="black", linewidth=0.8)
            ax.set(title=name, xlabel="the principle", ylabel="network, first seed", aspect="equal")
            ax.legend(loc="upper left", frameon=False, markerscale=4)


RECIPE = Recipe(
    "lfp",
    "the linear frequency principle predicts what a wide two-layer network becomes",
    DEFAULT,
    QUICK,
    over_seeds(run_trial, judge),
    FULL,
)
