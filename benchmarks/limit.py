"""What whitening does to test error on noisy data, across the critical exponent, in 1-D and 2-D, for two nets.

A net's own decay exponent α is taken to α(1 - p) by whitening of strength p, in the loss; beside it the minimum-norm
interpolant of exponent α(1 - p), the problem whose solutions become spikes at d (arXiv 2105.11675). Theory, of
linearised training from zero: with a loss r^T P r the error at the points obeys dr/dt = -K P r and the network's change
stays in the range of K, so a fully trained net tends to the same interpolant, that of K, whatever P > 0: a weight on
the error changes which frequencies come first, and so what an early end leaves out, but not the norm that is least in
the end. Not yet conclusive: at these points the fitted α is held low by aliasing, so no exponent above d is tried.
`python benchmarks/limit.py [--quick]` writes limit.csv and limit.png to benchmarks/results.
"""

import argparse
import csv
import math
import statistics
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

import fastspec as fs

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
POINTS, MODES = {1: 60, 2: 200}, {1: (255,), 2: (31, 31)}
NOISE, RATE = 0.3, 2e-3
TAU = 2 * math.pi


class Periodic(nn.Module):
    """A wide net on the torus, cos and sin of each coordinate, so that the box's edge makes no frequency of its own."""

    def __init__(self, d: int, activation: nn.Module, width: int = 512):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2 * d, width), activation, nn.Linear(width, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(torch.cat([x.cos(), x.sin()], -1))


NETS = {"ReLU": nn.ReLU, "tanh": nn.Tanh}


def clean(x: Tensor) -> Tensor:
    return torch.sin(x).prod(1) + 0.5 * torch.cos(2 * x[:, 0])


def measured(name: str, d: int, seed: int, steps: int) -> list[dict]:
    """A row for each strength."""
    torch.manual_seed(seed)
    x, test = torch.rand(POINTS[d], d) * TAU, torch.rand(1000, d) * TAU
    y = clean(x) + NOISE * torch.randn(len(x))
    dense = torch.rand(4096, d) * TAU  # the model's own exponent is measured where points are plenty
    rows = []
    for p in STRENGTHS:
        torch.manual_seed(seed)
        model = Periodic(d, NETS[name]())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", fs.precondition.CriticalRateWarning)
            whitening = fs.precondition.Whitening(model, dense, MODES[d], strength=p, samples=128)
        fit, left = trained(model, x, y, whitening.weight, steps)
        exponent = whitening.effective_exponent
        rows.append(
            {
                "net": name,
                "d": d,
                "seed": seed,
                "strength": p,
                "exponent": exponent,
                "net_error": error(fit(test), test),
                "residual_left": left,
                "interpolant_error": interpolant_error(x, y, exponent, test),
            }
        )
    return rows


def trained(model: nn.Module, x: Tensor, y: Tensor, weight: Tensor, steps: int):
    loss = fs.SpectralLoss(tuple(weight.shape), x=x, weight=weight)
    optimizer = torch.optim.Adam(model.parameters(), RATE)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(model(x), y[:, None]).backward()
        optimizer.step()

    def fit(points: Tensor) -> Tensor:
        with torch.no_grad():
            return model(points)[:, 0]

    return fit, ((fit(x) - y).norm() / y.norm()).item()


def interpolant_error(x: Tensor, y: Tensor, exponent: float, test: Tensor) -> float:
    """Of a box of 2π, in which frequencies in cycles per box are the wavenumbers, and many modes."""
    modes = (20_001,) if x.shape[1] == 1 else (401, 401)
    sol = fs.theory.min_norm_interpolant(x, y, None, modes, period=TAU, weight=fs.weights.sobolev(exponent / 2))
    return error(sol(test), test)


def error(values: Tensor, x: Tensor) -> float:
    return ((values - clean(x)).norm() / clean(x).norm()).item()


def draw(rows: list[dict], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6), layout="constrained")
    cells = figure.subplots(2, 2)
    for line, d in zip(cells, (1, 2), strict=True):
        for ax, name in zip(line, NETS, strict=True):
            chosen = [[r for r in rows if r["net"] == name and r["d"] == d and r["strength"] == p] for p in STRENGTHS]
            exponents = [statistics.median(r["exponent"] for r in found) for found in chosen]
            for key, label, colour in (
                ("net_error", "net, trained", "#0077BB"),
                ("interpolant_error", "interpolant of the exponent", "#CC3311"),
                ("residual_left", "net: residual left at the data", "0.6"),
            ):
                values = [[r[key] for r in found] for found in chosen]
                ax.plot(exponents, [statistics.median(v) for v in values], "o-", color=colour, label=label)
                ax.fill_between(exponents, [min(v) for v in values], [max(v) for v in values], color=colour, alpha=0.15)
            ax.axvline(d, color="0.3", linestyle=":")
            ax.set(title=f"{d}-D, {name}", xlabel="effective exponent α(1 - p)", ylabel="relative error")
            ax.invert_xaxis()
    cells[0, 0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=160)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one seed, a tenth of the steps; writes nothing")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    seeds, steps = (1, 150) if arguments.quick else (3, 1000)
    rows = [row for d in (1, 2) for name in NETS for seed in range(seeds) for row in measured(name, d, seed, steps)]
    for row in rows:
        print({key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()})
    if not arguments.quick:
        with (arguments.out / "limit.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        draw(rows, arguments.out / "limit.png")


if __name__ == "__main__":
    main()
