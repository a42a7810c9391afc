"""Figures: all sides of all tasks, and the error of each frequency over the steps with and without one line."""

import math
from pathlib import Path

import torch

from fastspec._files import write_figure

from .problem import Data, Learner, Lines, Setting, Side, Task
from .records import Records
from .summary import Summary, summaries
from .train import Budget, Clock, judged, train

COLOURS = {"baseline": "0.45", "ours": "#0077BB", "rival": "#EE7733", "none": "#009988"}
CALLED = {"baseline": "MSE and Adam", "ours": "fastspec", "rival": "rivals", "none": "no network"}


def draw_table(tasks: list[Task], records: Records, path: Path) -> None:
    """A page of held-out errors against seconds: one panel a task, one mark a side, filled where it got there."""
    from matplotlib.figure import Figure

    drawn = [(task, summaries(task, records)) for task in tasks]
    drawn = [(task, rows) for task, rows in drawn if rows]
    lines = -(-len(drawn) // 2)
    figure = Figure(figsize=(13, 3.7 * lines + 0.5), layout="constrained")
    panels = list(figure.subplots(lines, 2, squeeze=False).flat)
    for panel, (task, rows) in zip(panels, drawn, strict=False):
        _draw_task(panel, task, list(rows.values()))
    for panel in panels[len(drawn) :]:
        panel.set_visible(False)
    handles = [figure.axes[0].scatter([], [], color=COLOURS[group], label=CALLED[group], s=40) for group in COLOURS]
    figure.legend(handles=handles, loc="outside upper center", ncols=4, frameon=False)
    write_figure(path, figure, 130)


def _draw_task(panel, task: Task, rows: list[Summary]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator

    rows = sorted(rows, key=lambda row: row.held_out.median, reverse=True)
    for place, row in enumerate(rows):
        colour = COLOURS[row.side.group]
        low, middle, high = (min(max(value, 1e-7), 1e2) for value in _range(row))
        panel.plot([low, high], [place, place], color=colour, linewidth=1.5, alpha=0.6)
        filled = colour if row.reached > row.runs / 2 else "white"
        panel.scatter(middle, place, color=filled, edgecolors=colour, s=34, zorder=3)
    names = [row.side.name + ("" if row.side.unchanged or row.side.group == "none" else " *") for row in rows]
    panel.set_yticks(range(len(rows)), names, fontsize=7.5)
    panel.set(xscale="log", ylim=(-0.6, len(rows) - 0.4))
    low, high = panel.get_xlim()
    panel.set_xlim(low / 1.5, high * 1.5)
    panel.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 100 * low else (1.0,)))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.minorticks_off()
    panel.set_title(task.title, fontsize=10)
    panel.set_xlabel("held-out error; filled: threshold reached; * another network", fontsize=8)
    panel.grid(axis="x", color="0.9")


def _range(row: Summary) -> tuple[float, float, float]:
    return row.held_out.least, row.held_out.median, row.held_out.most


def draw_errors(task: Task, records: Records, path: Path, names: tuple[str, str] = ("MSE, Adam", "kernel")) -> None:
    """Trains both sides anew on the first seed."""
    from matplotlib.figure import Figure

    titles = ("mean squared error", "the same network, Adam, and one line: precondition.kernel")
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True, sharex=True)
    by_name = {side.name: side for side in task.sides}
    for panel, name, title in zip(panels, names, titles, strict=True):
        side, held = by_name[name], records.of(task, by_name[name])
        judge = history(side, task, held[0].setting if held else side.settings()[0])
        steps = torch.tensor(judge.monitor.steps)
        for k, errors in zip(judge.monitor.frequencies.flatten().tolist(), judge.errors.T, strict=True):
            shade = ["#BBCCEE", "#77AADD", "#4477AA", "#EE8866", "#BB3311"][len(panel.lines) % 5]
            panel.plot(steps.clamp_min(1), errors.clamp_min(1e-4), color=shade, linewidth=1.2, label=f"k = {k:g}")
        panel.axhline(task.threshold, color="0.6", linewidth=0.8, linestyle=":")
        panel.set(xscale="log", yscale="log", xlabel="step", ylim=(4e-3, 2), xlim=(10, None))
        panel.set_title(title, fontsize=10)
        below = (judge.errors < task.threshold).all(1).nonzero().flatten().tolist()
        if below:
            at = max(int(steps[below[0]]), 1)
            panel.axvline(at, color="0.3", linewidth=1, linestyle="--")
            panel.text(at * 0.93, 1.45, f"all within 10 %: step {at:,}", ha="right", fontsize=8)
    panels[0].set_ylabel("relative error of the frequency")
    panels[0].legend(frameon=False, fontsize=8, loc="lower left")
    path.parent.mkdir(exist_ok=True)
    write_figure(path, figure, 140)


def history(side: Side, task: Task, setting: Setting) -> Lines:
    torch.manual_seed(0)
    data: Data = task.data(0)
    judge, made = data.judge(), side.make(data, setting)
    assert isinstance(judge, Lines) and isinstance(made, Learner)
    for step in train(made, Budget(side.steps, math.inf), Clock()):
        judged(judge, step, made.model)
    return judge
