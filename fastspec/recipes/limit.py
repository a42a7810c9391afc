"""The limit of decay rates on trained networks, in 1-D and 2-D: below exponent d they fit by spikes (arXiv 2105.11675).

A wide ReLU network on the torus, whose tangent kernel's rates are measured, is filtered in frequency
(:class:`fastspec.nn.Filtered`) so that they are (1 + |k|²)^(-β/2), β from a quarter of the dimension d to 1.75 d. It is
trained on noisy values at scattered points until these are fitted, by Adam with the gradient evened by the kernel
(:func:`fastspec.precondition.kernel`), which changes the way to the end and, in the linearised regime, not the end.
Theory has a regular fit for β > d, and for β ≤ d one that is zero but for spikes at the data, the more so the more
modes there are. So the error at other points turns up where β crosses d, and below d, not above, more modes make it
worse. The minimum-norm interpolants of the same exponents are shown beside. Where the weight is on the loss nothing
turns up: that, and the linearised networks, are in benchmarks/studies/limit.py. Points, target, width and noise are
this recipe's own.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.func import functional_call

import fastspec as fs

from ..measure.spectra import wavenumbers
from .harness import Outcome, Recipe, figure, outcome, progress
from .trials import Trial, median, over_seeds, spread

ERRORS, FITS = "errors.png", "fits.png"
TAU = 2 * math.pi
DIMENSIONS = (1, 2)
LOWEST = 4  # wavenumber, from which the rates are a power
COLOURS = ("#33BBEE", "#0077BB")


@dataclass(frozen=True)
class Settings:
    seed: int = 0
    threads: int = 1
    seeds: int = 3
    width: int = 256
    sides: tuple[int, int] = (60, 14)  # points per axis, in 1-D and 2-D
    noise: float = 0.3
    factors: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75)  # β over d
    grids: tuple[tuple[int, int], tuple[int, int]] = ((255, 1023), (21, 41))  # modes per axis, few and many
    theory: tuple[int, int] = (4001, 101)
    steps: int = 250
    learning_rate: float = 3e-3
    damping: float = 1e-3
    every: int = 50  # steps, of the kernel's measurement
    below: float = 0.5  # the factor at which the error must have turned up
    above: float = 1.25  # that from which on it must not have
    rise: float = 1.25  # of the error over the least one, to count as turned up
    worse: float = 0.05  # by how much more modes must change the error below, and may at most above
    fitted: float = 0.1  # of the data's norm, left at the end at most


DEFAULT = Settings()
QUICK = replace(DEFAULT, sides=(40, 12), factors=(0.5, 1.0, 1.5), grids=((127, 511), (15, 31)), steps=100)


class Periodic(nn.Module):
    """A wide net on the torus, zero at first: sums of m^-½ a σ(w·x + b) less what they are at initialisation."""

    def __init__(self, d: int, activation: nn.Module, width: int):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2 * d, width), activation, nn.Linear(width, 1, bias=False)).double()
        for p, std in zip(self.net.parameters(), (1, 1, width**-0.5), strict=True):
            nn.init.normal_(p, std=std)
        for name, p in self.net.named_parameters():
            self.register_buffer(f"start_{name.replace('.', '_')}", p.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        features = torch.cat([x.cos(), x.sin()], -1)
        start = {name: self.get_buffer(f"start_{name.replace('.', '_')}") for name, _ in self.net.named_parameters()}
        out: Tensor = (self.net(features) - functional_call(self.net, start, (features,)))[:, 0]
        return out


@dataclass(frozen=True)
class Problem:
    """Noisy values at points of the torus, and a network to fit them, the same at each call."""

    make: Callable[[], Periodic]
    x: Tensor
    y: Tensor
    test: Tensor

    def error(self, values: Tensor) -> float:
        """Of values at the test points, relative to the function without noise."""
        return float((values - clean(self.test)).norm() / clean(self.test).norm())


def clean(x: Tensor) -> Tensor:
    return torch.sin(x).prod(1) + 0.5 * torch.cos(2 * x[:, 0])


def torus_grid(n: int, d: int) -> Tensor:
    axis = torch.arange(n, dtype=torch.float64) * (TAU / n)
    return torch.cartesian_prod(*[axis] * d).reshape(-1, d)


def problem(activation: nn.Module, d: int, seed: int, side: int, noise: float, width: int) -> Problem:
    """``side`` points per axis, each somewhere in the middle of its cell."""

    def make() -> Periodic:
        torch.manual_seed(seed)
        return Periodic(d, activation, width)

    gen = torch.Generator().manual_seed(seed)
    x = torus_grid(side, d)
    x = x + 0.8 * TAU / side * torch.rand(x.shape, generator=gen, dtype=torch.float64)
    test = torch.rand(1000, d, generator=gen, dtype=torch.float64) * TAU
    y = clean(x) + noise * torch.randn(len(x), generator=gen, dtype=torch.float64)
    return Problem(make, x, y, test)


def interpolant(task: Problem, exponent: float, modes: int) -> Tensor:
    """The minimum-norm one's values at the test points; the box is 2π long, so that frequencies are wavenumbers."""
    weight, d = fs.weights.sobolev(exponent / 2), task.x.shape[1]
    sol = fs.theory.min_norm_interpolant(task.x, task.y, None, (modes,) * d, period=TAU, weight=weight, tol=1e-6)
    return sol(task.test)


def run_trial(settings: Settings, seed: int, device: torch.device) -> Trial:
    return {f"{d}-D": of_dimension(d, settings, seed, device) for d in DIMENSIONS}


def of_dimension(d: int, settings: Settings, seed: int, device: torch.device) -> Trial:
    made = problem(nn.ReLU(), d, seed, settings.sides[d - 1], settings.noise, settings.width)
    task = Problem(lambda: made.make().to(device), *(t.to(device) for t in (made.x, made.y, made.test)))
    found: Trial = {"errors": [], "left": [], "fits": []}
    betas = [factor * d for factor in settings.factors]
    for modes in settings.grids[d - 1]:
        rates, k = own_rates(task, modes)
        runs = [fit(task, rates, k, beta, settings) for beta in betas]
        for key, values in zip(("errors", "left", "fits"), zip(*runs, strict=True), strict=True):
            found[key].append(list(values))
    tail = k >= LOWEST
    found["own"] = fs.measure.decay_exponent(rates[tail], k[tail])
    found["theory"] = [task.error(interpolant(task, beta, settings.theory[d - 1])) for beta in betas]
    found["data"] = [task.x.cpu(), task.y.cpu()]
    return found


def own_rates(task: Problem, modes: int) -> tuple[Tensor, Tensor]:
    """Of the network's modes, (*modes), on the torus, where it is periodic and nothing leaks; and |k|."""
    grid = (modes,) * task.x.shape[1]
    rates = fs.measure.ntk_rates(task.make(), torus_grid(modes, len(grid)).to(task.x.device), grid)
    return rates, wavenumbers(grid, task.x.device).norm(dim=-1)


def multiplier(rates: Tensor, k: Tensor, beta: float) -> Tensor:
    """Under which the rates are (1 + |k|²)^(-β/2), their sum what it was."""
    wanted = (1 + k.square()) ** (-beta / 2)
    return (wanted * (rates.sum() / wanted.sum()) / rates).sqrt()


def fit(task: Problem, rates: Tensor, k: Tensor, beta: float, settings: Settings) -> tuple[float, float, Tensor]:
    """Test error, share of the data left, and values on a section, of the network with rates (1 + |k|²)^(-β/2)."""
    grid = tuple(k.shape)
    model = fs.nn.Filtered(task.make(), 0.0, grid, multiplier=multiplier(rates, k, beta)).to(task.x.device)
    even = fs.precondition.Kernel(model, task.x, damping=settings.damping, every=settings.every)
    optimizer = torch.optim.Adam(model.parameters(), settings.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.steps, settings.learning_rate / 100)
    for _ in progress(f"{grid} modes, exponent {beta:g}", settings.steps):
        optimizer.zero_grad()
        nn.functional.mse_loss(even(model(task.x)), task.y).backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        left = ((model(task.x) - task.y).norm() / task.y.norm()).item()
        return task.error(model(task.test)), left, model(section(len(grid)).to(task.x)).cpu()


def section(d: int) -> Tensor:
    """A line through the torus along the first axis, (1001, d)."""
    t = torch.linspace(0, TAU, 1001, dtype=torch.float64)[:, None]
    return torch.cat([t, torch.full((1001, d - 1), math.pi / 2, dtype=torch.float64)], 1)


def judge(settings: Settings, trials: list[Trial], out: Path) -> Outcome:
    checks: dict[str, bool] = {}
    errors: dict[str, dict[str, float]] = {}
    for d in DIMENSIONS:
        found = [trial[f"{d}-D"] for trial in trials]
        few, many = ([median(f["errors"][g][i] for f in found) for i in range(len(settings.factors))] for g in (0, 1))
        errors[f"{d}-D"] = {
            f"{factor * d:g}": round(error, 3) for factor, error in zip(settings.factors, many, strict=True)
        }
        least, low = min(many), settings.factors.index(settings.below)
        high = [i for i, factor in enumerate(settings.factors) if factor >= settings.above]
        checks |= {
            f"{d}-D: the error has turned up at {settings.below * d:g}": many[low] > settings.rise * least,
            f"{d}-D: it has not from {settings.above * d:g} on": max(many[i] for i in high) < settings.rise * least,
            f"{d}-D: more modes make it worse there": many[low] > (1 + settings.worse) * few[low],
            f"{d}-D: they do not here": all(abs(many[i] / few[i] - 1) < settings.worse for i in high),
            f"{d}-D: the data are fitted": all(max(f["left"][1]) < settings.fitted for f in found),
        }
    draw_errors(settings, trials, out / ERRORS)
    draw_fits(settings, trials[0]["1-D"], out / FITS)
    return outcome(
        "of trained networks too, the error between noisy data turns up where the kernel's decay exponent crosses the"
        " dimension d, in 1-D and 2-D, and below d, not above, more modes make it worse",
        checks,
        {"rise": settings.rise, "change by more modes": settings.worse, "left of the data": settings.fitted},
        {
            "test_error_by_exponent_median": errors,
            "own_exponent": {f"{d}-D": spread(t[f"{d}-D"]["own"] for t in trials) for d in DIMENSIONS},
            "left_of_the_data": {f"{d}-D": spread(max(t[f"{d}-D"]["left"][1]) for t in trials) for d in DIMENSIONS},
        },
        [ERRORS, FITS],
    )


def draw_errors(settings: Settings, trials: list[Trial], path: Path) -> None:
    with figure(path, 9, 4) as page:
        for d, ax in zip(DIMENSIONS, page.subplots(1, 2), strict=True):
            betas = [factor * d for factor in settings.factors]
            found = [trial[f"{d}-D"] for trial in trials]
            theory = [median(f["theory"][i] for f in found) for i in range(len(betas))]
            ax.plot(betas, theory, "--", color="0.5", label="minimum-norm interpolant")
            for g, colour in enumerate(COLOURS):
                middle = [median(f["errors"][g][i] for f in found) for i in range(len(betas))]
                label = ("network, fewer modes", "network, more modes")[g]
                ax.plot(betas, middle, "o-", color=colour, label=label)
                for f in found:
                    ax.plot(betas, f["errors"][g], ".", color=colour, markersize=3)
            ax.axvline(d, color="0.6", linestyle=":")
            few, many = settings.grids[d - 1]
            ax.set(title=f"{d}-D: {few} and {many} modes an axis", xlabel="decay exponent β of the kernel")
            ax.set_ylim(bottom=0)
            ax.invert_xaxis()
            ax.set_ylabel("relative error between the data")
        page.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)


def draw_fits(settings: Settings, found: Trial, path: Path) -> None:
    t, (x, y) = section(1), found["data"]
    shown = [0, len(settings.factors) // 2, len(settings.factors) - 1]
    with figure(path, 10, 3.2) as page:
        for i, ax in zip(shown, page.subplots(1, 3, sharey=True), strict=True):
            ax.plot(t, clean(t), color="0.7", label="without noise")
            ax.plot(t, found["fits"][1][i], color=COLOURS[1], linewidth=1, label="network")
            ax.plot(x, y, "k.", markersize=3, label="data")
            ax.set(title=f"1-D, exponent {settings.factors[i]:g}", xlabel="x")
        page.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)


RECIPE = Recipe(
    "limit",
    "trained networks below the critical decay rate: the test error turns up at exponent d",
    DEFAULT,
    QUICK,
    over_seeds(run_trial, judge),
)
