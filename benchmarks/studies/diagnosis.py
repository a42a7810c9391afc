"""What fs.diagnose says before training, beside what training does: ten tasks, at seeds that its rule has not seen.

The tasks are those of the cure study that have lines to learn, all but the digits, each with its plain tanh network:
the frequencies that the study tracks, of the full photograph those of the small one, of the signed distance those that
fs.spectrum finds. Each network is diagnosed, then trained by Adam at the same constant rate, and its lines judged every
ten steps by the task's own measure, of an equation the solution's.

Fixed before any figure was known: a line is had where its error is below 10 % by 1,000 steps, and a diagnosis is right
where it said so; nine lines of ten are to be rightly told. How far the predicted steps are from those counted is told
of the lines that take more than the 200 steps of the diagnosis' trial and at most 2,000, where training ends.

`python -m benchmarks.studies.diagnosis [TASK]... [--table]` goes on with diagnosis.csv in benchmarks/results, and
writes diagnosis.md and .png.
"""

import argparse
import csv
import math
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from torch import Tensor

import fastspec as fs
from benchmarks import RESULTS
from benchmarks.studies.cure import physics, tasks
from benchmarks.studies.cure.problem import Data, Judge, lines
from benchmarks.studies.cure.train import judged
from fastspec._files import write_figure, write_whole

HORIZON, RIGHT = 1000, 0.9
TRIAL, END, EVERY = 200, 2000, 10
SETTINGS = ((2e-3, 100), (7e-3, 101))  # rates and seeds
THRESHOLD = 0.1


@dataclass(frozen=True)
class Line:
    """One line of one task: what was said of it and what came."""

    task: str
    rate: float
    seed: int
    frequency: str
    trial: float  # its error after the trial
    predicted: float  # steps
    steps: int | None  # counted; None where not in so many

    @property
    def said(self) -> bool:
        return self.predicted <= HORIZON

    @property
    def had(self) -> bool:
        return self.steps is not None and self.steps <= HORIZON


# --- tasks ------------------------------------------------------------------------------------------------------------

Task = Callable[[int], tuple[Data, Tensor, Judge]]  # of a seed: data, frequencies in cycles per unit, their judge


def tracked(make: Callable[[int], Data]) -> Task:
    """The lines that the cure study tracks."""

    def task(seed: int) -> tuple[Data, Tensor, Judge]:
        data = make(seed)
        judge = data.judge()
        return data, judge.monitor.wavenumbers / data.period, judge

    return task


def full_photograph(seed: int) -> tuple[Data, Tensor, Judge]:
    data, k = tasks.full_photograph(seed), tasks.photograph(seed).judge().monitor.wavenumbers
    return data, k, lines(data.x[:4000], data.target[:4000], k, 1.0)()


def signed_distance(seed: int) -> tuple[Data, Tensor, Judge]:
    data = tasks.signed_distance(seed)
    found = fs.spectrum(data.x, data.target, max_frequency=8.0).peaks.frequency
    return data, found, lines(data.x, data.target, found, 1.0)()


TASKS: dict[str, Task] = {
    "sines": tracked(tasks.sines),
    "co2": tracked(tasks.co2),
    "photograph": tracked(tasks.photograph),
    "full photograph": full_photograph,
    "signed distance": signed_distance,
    "ridges": tracked(tasks.ridges),
    "poisson line": tracked(physics.poisson_grid),
    "poisson jittered": tracked(physics.poisson_jittered),
    "poisson square": tracked(physics.poisson_square),
    "helmholtz": tracked(physics.helmholtz),
}


def measured(name: str, rate: float, seed: int, end: int = END) -> list[Line]:
    data, frequency, judge = TASKS[name](seed)
    torch.manual_seed(seed)
    model = data.network()
    optimizer = torch.optim.Adam(model.parameters(), rate)
    found = fs.diagnose(
        model, data.x, data.target, optimizer, operator=data.operator, frequencies=frequency, horizon=HORIZON
    )
    place = [int(distance(found.frequency, row).argmin()) for row in frequency]
    reached = trained(data, model, optimizer, judge, end)
    named = [" ".join(f"{f:.5g}" for f in (row if len(row) <= 2 else row.norm()[None]).tolist()) for row in frequency]
    return [
        Line(name, rate, seed, line, found.error[i].item(), found.steps[i].item(), steps)
        for line, i, steps in zip(named, place, reached, strict=True)
    ]


def distance(frequencies: Tensor, one: Tensor) -> Tensor:
    """From one or its negative, which real data do not tell apart."""
    return torch.minimum((frequencies - one).norm(dim=1), (frequencies + one).norm(dim=1))


def trained(data: Data, model: torch.nn.Module, optimizer, judge: Judge, end: int) -> list[int | None]:
    """The first step judged at which each line is within the threshold; ends where all are."""
    for step in range(end + 1):
        if step % EVERY == 0:
            judged(judge, step, model)
            below = judge.errors < THRESHOLD
            if below.any(0).all():
                break
        x, target = data.drawn()
        optimizer.zero_grad()
        data.loss(data.values(model, x), target).backward()
        optimizer.step()
    return [EVERY * int(column.int().argmax()) if column.any() else None for column in below.unbind(1)]


# --- rows -------------------------------------------------------------------------------------------------------------


def read(path: Path) -> list[Line]:
    if not path.exists():
        return []
    kinds = {"rate": float, "seed": int, "trial": float, "predicted": float, "steps": lambda s: int(s) if s else None}
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [Line(**{name: kinds.get(name, str)(value) for name, value in row.items()}) for row in rows]


def write(path: Path, rows: list[Line]) -> None:
    names = [field.name for field in fields(Line)]
    order = sorted(rows, key=lambda row: (list(TASKS).index(row.task), row.rate, row.seed))
    body = [
        ",".join("" if v is None else f"{v:.6g}" if isinstance(v, float) else str(v) for v in asdict(row).values())
        for row in order
    ]
    write_whole(path, "\n".join([",".join(names), *body]) + "\n")


# --- what they say ----------------------------------------------------------------------------------------------------


def predicted(rows: list[Line]) -> list[float]:
    """Logarithms of predicted over counted steps, of the lines that the trial did not count and training had."""
    late = [row for row in rows if row.steps is not None and row.steps > TRIAL and row.predicted > TRIAL]
    return [math.log(row.predicted / row.steps) for row in late]


def table(rows: list[Line]) -> str:
    head = "| task | lines | had by 1,000 | said so | rightly told | predicted over counted steps, median (deviation) |"
    out = [head, "|---|---:|---:|---:|---:|---:|"]
    for name in TASKS:
        own = [row for row in rows if row.task == name]
        if own:
            out.append(f"| {name} | {counts(own)} | {factors(own)} |")
    return "\n".join([*out, f"| all | {counts(rows)} | {factors(rows)} |"])


def counts(rows: list[Line]) -> str:
    right = sum(row.said == row.had for row in rows)
    return f"{len(rows)} | {sum(row.had for row in rows)} | {sum(row.said for row in rows)} | {right}"


def factors(rows: list[Line]) -> str:
    logs = predicted(rows)
    if not logs:
        return "none late"
    spread = math.sqrt(statistics.fmean(log * log for log in logs))
    return f"{math.exp(statistics.median(logs)):.2f} (x/÷ {math.exp(spread):.2f}, {len(logs)} lines)"


def markdown(rows: list[Line]) -> str:
    right, count = sum(row.said == row.had for row in rows), len(rows)
    shares = [
        statistics.fmean(row.said == row.had for row in rows if row.task == name) for name in {row.task for row in rows}
    ]
    late = [row for row in rows if row.predicted > TRIAL]
    of_late = sum(row.said == row.had for row in late)
    never = sum(not row.had for row in rows)
    settings = " and ".join(f"{rate:g} and {seed}" for rate, seed in SETTINGS)
    half = sum((row.trial < 0.5) == row.had for row in rows)
    verdict = "met" if right >= RIGHT * count else "missed"
    return f"""\
# What a diagnosis says before training, beside training

Ten tasks, their plain networks, Adam at constant rates and seeds of {settings}, which the rule was
not fitted to; run by `python -m benchmarks.studies.diagnosis`.

{table(rows)}

- Who always says "not by 1,000 steps" is right for {never} of {count}.
- Who says "by 1,000 steps" of all whose error is below one half after the trial is right for {half} of {count}.
- Of the lines that the trial of {TRIAL} steps had not brought, {of_late} of {len(late)} are rightly told.
- The share that is rightly told, averaged over tasks: {statistics.fmean(shares):.1%}.

Rightly told: {right} of {count} lines, {right / count:.1%}; the target, {RIGHT:.0%}, is {verdict}.

{WHY_NOT_MORE}"""


# By hand, of eighteen runs at seeds 0 and 1, which the table above does not have.
WHY_NOT_MORE = """\
What was tried for more, at seeds 0 and 1 of the same tasks, where this rule is right on 83.0 % of 153 lines:

- Rules fitted anew, each task judged by one that had not seen it, to the kernel's rate and its growth over the trial,
  the error left, the fall measured within the trial, the size of what is left and the noise that it makes of a line:
  78 to 82 %.
- More real steps: 300 give this rule 84.3 %, 400 85.0 %; the best of the rules fitted anew has 86.9 % after 400.
- The network linearised at the trial's end, by its kernel at 1,024 points, solved to the horizon: errors of 0.7 where
  training has 0.1 and less. What a plain network learns beyond the trial it learns by features that move.
- All 1,000 steps, rehearsed at 1,024 of the points: 78 of 90 lines of signed distance, photograph and sines. What is
  left of one sample is not what is left of another. At all points, with weights off by 1e-6, 32 of 32: the lines are
  no matter of chance, but nothing short of the training was found to tell the rest.
- To call a line had only where it lasts, over the median of 100 steps: 81 % of 129, 77 to 85 % by rules of its own.
"""


def draw(rows: list[Line], path: Path) -> None:
    """Counted steps over predicted; what did not come stands above, what is told wrongly in a shaded quarter."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 5.2), layout="constrained")
    axes = figure.subplots()
    low, high = 8, 2e6
    axes.fill_between([low, HORIZON], HORIZON, END * 2, color="0.93", linewidth=0)
    axes.fill_between([HORIZON, high], low, HORIZON, color="0.93", linewidth=0)
    axes.plot([low, END], [low, END], color="0.6", linewidth=1)
    for place, name in enumerate(TASKS):
        own = [row for row in rows if row.task == name]
        colour = f"C{place}"
        here = [row for row in own if row.steps is not None]
        gone = [row for row in own if row.steps is None]
        at = [min(max(row.predicted, 10), 1e6) for row in here]
        axes.scatter(at, [max(row.steps, 10) for row in here], s=22, color=colour, label=name, alpha=0.8, linewidth=0)
        above = [END * 1.35 * 1.02 ** (place - 4) for _ in gone]
        axes.scatter(
            [min(row.predicted, 1e6) for row in gone], above, s=22, color=colour, marker="^", alpha=0.8, linewidth=0
        )
    for line in (axes.axvline, axes.axhline):
        line(HORIZON, color="0.4", linestyle="--", linewidth=1)
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, END * 2))
    axes.set_xlabel("steps to 10 % error, predicted")
    axes.set_ylabel(f"counted; triangles: not in {END:,} steps")
    axes.set_title("diagnose beside training; shaded: told wrongly", fontsize=11)
    axes.legend(frameon=False, fontsize=8, loc="center right")
    write_figure(path, figure, 140)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", help=f"of {', '.join(TASKS)}; default all")
    parser.add_argument("--table", action="store_true", help="run nothing: write the table of what is recorded")
    parser.add_argument("--quick", action="store_true", help="one seed and rate, few steps")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    path = given.out / "diagnosis.csv"
    rows = read(path)
    for name in [] if given.table else given.tasks or TASKS:
        for rate, seed in SETTINGS[: 1 if given.quick else None]:
            if any((row.task, row.rate, row.seed) == (name, rate, seed) for row in rows):
                continue
            rows += measured(name, rate, seed, 2 * EVERY if given.quick else END)
            write(path, rows)
            print(name, rate, seed, flush=True)
    if rows:
        draw(rows, given.out / "diagnosis.png")
        write_whole(given.out / "diagnosis.md", markdown(rows))
        print(markdown(rows))


if __name__ == "__main__":
    main()
