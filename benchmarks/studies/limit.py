"""Test error on noisy data against whitening strength, across the critical exponent d: in 1-D and 2-D, for two nets.

A net's kernel has rates |k|^-α, whitening of strength p leaves an exponent α(1 - p), and the interpolant of exponent at
most d is zero but for spikes at the data (arXiv 2105.11675). Where the whitening sits decides what that means:

- On the loss, as SpectralLoss and precondition.spectral have it, gradient descent obeys dr/dt = -K P r at the points
  and the net's change stays in the range of its kernel K: trained to the end it is K(x, X) K(X, X)^-1 y whatever P > 0.
  So the error of that does not depend on p, and does not turn up at d. What p changes is the path: after a fixed number
  of steps, how much of the noise has been fitted.
- On the model, its output filtered by λ_k^{-p/2} (fs.nn.Filtered), the kernel itself becomes one of exponent α(1 - p),
  and so does what it interpolates by. The error falls as p takes the exponent down to about d, where least of the
  noise leaks between the points, and turns up beyond it, where the signal is lost between spikes.
- The minimum-norm interpolant of exponent α(1 - p), theory's own, does the same.

So it is found: in all four panels the interpolant's error, and the filtered kernel's, is least at the exponent next to
d (in 1-D for ReLU the filter's turns up at 0.5 rather than 1, its 511 modes being few) and doubles or triples beyond;
a weight on the loss leaves the end where it was, and turns nothing up at d.

Points, networks and interpolants are those of the recipe (fastspec/recipes/limit.py), which trains filtered networks to
the end. The first two are computed in the linearised regime, exactly, and beside it for the nets themselves under Adam,
which are not trained to the end but to the residual in the table. It writes limit.csv, limit.md and limit.png to
benchmarks/results: `python -m benchmarks.studies.limit [--quick] [1] [2]`.
"""

import argparse
import csv
import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

import fastspec as fs
from benchmarks import RESULTS
from benchmarks.report import write_csv
from fastspec._files import write_figure, write_whole
from fastspec.measure.spectra import wavenumbers
from fastspec.recipes.limit import Problem, interpolant, problem

STRENGTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2)
NOISE, WIDTH = 0.3, 256
SOME_STEPS, THE_END = 1e3, 1e15  # of gradient descent at the largest rate that is stable


@dataclass(frozen=True)
class Size:
    side: int  # points per axis, each somewhere in the middle of its cell
    modes: int  # of the loss, per axis: at least as many as points, or it could not see all of the residual
    grid: int  # modes of the filter per axis, and points of its grid
    theory: int  # modes of the interpolant
    adam_steps: int
    adam_seeds: int


SIZES = {1: Size(60, 61, 511, 4001, 1000, 1), 2: Size(14, 15, 39, 101, 300, 1)}
QUICK = {1: Size(60, 61, 127, 1001, 50, 1), 2: Size(14, 15, 31, 61, 10, 1)}


class Square(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.relu().square()


NETS: dict[str, Callable[[], nn.Module]] = {"ReLU": nn.ReLU, "ReLU²": Square}


# --- one net, one data set --------------------------------------------------------------------------------------------


def posed(name: str, d: int, seed: int, size: Size) -> Problem:
    return problem(NETS[name](), d, seed, size.side, NOISE, WIDTH)


def jacobian(model: nn.Module, x: Tensor) -> Tensor:
    """(M, P)."""
    parameters = {name: p.detach() for name, p in model.named_parameters()}
    rows = vmap(grad(lambda p, point: functional_call(model, p, (point[None],))[0]), (None, 0))(parameters, x)
    return torch.cat([row.flatten(1) for row in rows.values()], 1)


def measured(problem: Problem, size: Size, adam: bool) -> list[dict]:
    d = problem.x.shape[1]
    model = problem.make()
    plain = fs.nn.Filtered(model, 0.0, (size.grid,) * d)
    at, beside, everywhere = (jacobian(model, x) for x in (problem.x, problem.test, plain.grid))
    rates = plain.spectrum(everywhere.mT).abs().square().sum(0)
    k = wavenumbers(tuple(rates.shape), None)
    alpha = fs.measure.decay_exponent(rates[k.norm(dim=-1) >= 4], k[k.norm(dim=-1) >= 4])
    inside = (slice((size.grid - size.modes) // 2, (size.grid + size.modes) // 2),) * d
    plan = fs.Plan(problem.x, (size.modes,) * d)
    rows = []
    for p in STRENGTHS:
        row = {"strength": p, "exponent": alpha * (1 - p)}
        weight = rates[inside] ** -p
        weighed = plan.nufft2(weight * plan.nufft1(torch.eye(len(problem.x), dtype=torch.float64))).real
        for key, steps in (("loss, some steps", SOME_STEPS), ("loss, the end", THE_END)):
            row[key], row[f"{key}: left"] = descent(problem, at, beside, weighed, steps)
        multiplier = rates ** (-p / 2)
        multiplier = multiplier * (rates.sum() / (rates * multiplier**2).sum()).sqrt()  # a kernel of the same size
        model = fs.nn.Filtered(problem.make(), 0.0, (size.grid,) * d, multiplier=multiplier)
        changed = [model.filtered(everywhere.mT, x).mT for x in (problem.x, problem.test)]
        row["model, the end"], _ = descent(problem, *changed, None, math.inf)
        row["interpolant"] = problem.error(interpolant(problem, row["exponent"], size.theory))
        if adam:
            loss = fs.SpectralLoss(tuple(weight.shape), x=problem.x, weight=weight / weight.min())
            row["loss, Adam"], row["loss, Adam: left"] = trained(problem, problem.make(), loss, size.adam_steps)
            row["model, Adam"], row["model, Adam: left"] = trained(problem, model, nn.MSELoss(), size.adam_steps)
        rows.append(row)
    return rows


def descent(problem: Problem, at: Tensor, beside: Tensor, weighed: Tensor | None, steps: float) -> tuple[float, float]:
    """Error and residual of linearised gradient descent on r^T P r at the largest stable rate, P = 1 where None.

    With K = R², r = R s, the residual of s falls by 1 - η R P R each step; what the net has changed by is
    K(x, X) K^-1 (y - r).
    """
    values, vectors = torch.linalg.eigh(at @ at.mT)
    values = values.clamp_min(1e-14 * values[-1])
    left = torch.zeros_like(problem.y)
    if steps < math.inf:
        root = (vectors * values.sqrt()) @ vectors.mT
        inverse_root = (vectors / values.sqrt()) @ vectors.mT
        speeds, ways = torch.linalg.eigh(root @ weighed @ root)
        falls = torch.exp(steps * torch.log1p(-(speeds / speeds[-1]).clamp(0, 1 - 1e-12)))
        left = root @ (ways @ (falls * (ways.mT @ (inverse_root @ problem.y))))
    change = (vectors / values) @ (vectors.mT @ (problem.y - left))
    return problem.error(beside @ (at.mT @ change)), (left.norm() / problem.y.norm()).item()


def trained(problem: Problem, model: nn.Module, loss, steps: int) -> tuple[float, float]:
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, 1e-5)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(model(problem.x), problem.y).backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        left = ((model(problem.x) - problem.y).norm() / problem.y.norm()).item()
        return problem.error(model(problem.test)), left


# --- all of them ------------------------------------------------------------------------------------------------------

CURVES = (
    ("loss, the end", "weight on the loss, trained to the end", "#0077BB", "o-"),
    ("loss, some steps", "the same after 1,000 steps", "#33BBEE", "o-"),
    ("loss, Adam", "the same net, Adam", "#33BBEE", "x:"),
    ("model, the end", "filter on the model, to the end", "#CC3311", "s-"),
    ("model, Adam", "the same net, Adam", "#CC3311", "x:"),
    ("interpolant", "minimum-norm interpolant", "0.3", "^--"),
)


def summary(rows: list[dict]) -> list[dict]:
    """Medians over seeds of each net, dimension and strength."""
    out, keys = [], [key for key in max(rows, key=len) if key not in ("net", "d", "seed", "strength")]
    for net, d, p in sorted({(r["net"], r["d"], r["strength"]) for r in rows}, key=lambda c: (c[1], c[0], c[2])):
        found = [r for r in rows if (r["net"], r["d"], r["strength"]) == (net, d, p)]
        values = {key: [r[key] for r in found if r.get(key) is not None] for key in keys}
        out.append({"net": net, "d": d, "strength": p} | {k: statistics.median(v) for k, v in values.items() if v})
    return out


def markdown(rows: list[dict]) -> str:
    keys = ["exponent", *(key for key, *_ in CURVES), "loss, the end: left", "loss, Adam: left", "model, Adam: left"]
    lines = ["| net | d | strength | " + " | ".join(keys) + " |", "|---" * (3 + len(keys)) + "|"]
    for r in rows:
        cells = " | ".join(f"{r[key]:.2g}" if key in r else "-" for key in keys)
        lines.append(f"| {r['net']} | {r['d']} | {r['strength']:g} | {cells} |")
    return "\n".join(lines) + "\n"


def draw(rows: list[dict], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7), layout="constrained")
    cells = figure.subplots(2, 2)
    for line, d in zip(cells, (1, 2), strict=True):
        for ax, net in zip(line, NETS, strict=True):
            found = [r for r in rows if (r["net"], r["d"]) == (net, d)]
            for key, label, colour, style in CURVES:
                shown = [r for r in found if key in r]
                ax.plot([r["exponent"] for r in shown], [r[key] for r in shown], style, color=colour, label=label)
            ax.axvline(d, color="0.6", linestyle=":")
            ax.set(title=f"{d}-D, {net}", xlabel="effective exponent α(1 - p)", ylabel="relative test error")
            ax.set_ylim(0, 1.5)
            ax.invert_xaxis()
    cells[0, 0].legend(frameon=False, fontsize=8)
    write_figure(path, figure, dpi=160)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "dimensions", nargs="*", type=int, choices=(1, 2), help="default both; the other's rows are kept"
    )
    parser.add_argument("--quick", action="store_true", help="one seed, few steps; writes nothing")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    sizes, seeds = (QUICK, 1) if arguments.quick else (SIZES, 3)
    chosen, rows = arguments.dimensions or list(sizes), []
    for d in chosen:
        for net in NETS:
            for seed in range(seeds):
                found = measured(posed(net, d, seed, sizes[d]), sizes[d], adam=seed < sizes[d].adam_seeds)
                rows += [{"net": net, "d": d, "seed": seed} | row for row in found]
            print(markdown(summary([r for r in rows if (r["net"], r["d"]) == (net, d)])), flush=True)
    if not arguments.quick:
        kept = held(arguments.out / "limit.csv", chosen)
        write(sorted(kept + rows, key=lambda r: r["d"]), arguments.out)


def held(path: Path, dimensions: list[int]) -> list[dict]:
    """Rows of dimensions that are not run now."""
    rows = list(csv.DictReader(path.open())) if path.exists() else []
    read = [{key: value if key == "net" else float(value) for key, value in r.items() if value != ""} for r in rows]
    return [r | {"d": int(r["d"]), "seed": int(r["seed"])} for r in read if r["d"] not in dimensions]


def write(rows: list[dict], out: Path) -> None:
    write_csv(out / "limit.csv", rows)
    write_whole(out / "limit.md", markdown(summary(rows)))
    draw(summary(rows), out / "limit.png")


if __name__ == "__main__":
    main()
