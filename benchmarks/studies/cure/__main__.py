"""Runs the study, or goes on with it, and writes cure.csv, .md and .png: see the package's docstring."""

import argparse
import warnings
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks import RESULTS, ROOT
from fastspec._files import write_whole

from . import __doc__ as about
from . import paces
from .drawing import draw_errors, draw_table
from .problem import Side, Task
from .records import Record, Records
from .suite import TASKS
from .table import markdown
from .train import SEEDS, budget_of, chosen, run, warm_up

QUICK = 1 / 20


def shortened(task: Task, share: float) -> Task:
    sides = tuple(replace(side, steps=round(side.steps * share)) for side in task.sides)
    return replace(task, sides=sides, seconds=task.seconds * share)


def fill(task: Task, sides: list[Side], seeds: int, records: Records) -> None:
    """The runs of these sides that are not recorded yet, taking turns: a busy hour of the machine is nobody's own."""
    settings = {}
    for seed in range(seeds):
        for side in sides:
            held = records.of(task, side)
            if any(row.seed == seed for row in held):
                continue
            if side not in settings:
                settings[side] = held[0].setting if held else chosen(side, task)
            setting = settings[side]
            found = run(side, task.data(seed), setting, seed, budget_of(side, task), task.threshold)
            records.add(Record.of(task, side, seed, setting, found))
            print(records.rows[-1], flush=True)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", help=f"of {', '.join(TASKS)}; default all")
    parser.add_argument("--quick", action="store_true", help="one seed, a twentieth of the steps; writes no file")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--only", nargs="*", metavar="METHOD", help="methods whose names start so; default all")
    parser.add_argument("--table", action="store_true", help="run nothing: write the table of what is recorded")
    parser.add_argument("--paces", action="store_true", help="run nothing: time steps, and write cure_paces.csv")
    parser.add_argument("--figure", action="store_true", help="train two sides anew, and draw docs/cure.png")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=RuntimeWarning)
    records = Records(None if given.quick else given.out / "cure.csv")
    tasks = [TASKS[name] for name in given.tasks or TASKS]
    tasks = [shortened(task, QUICK) for task in tasks] if given.quick else tasks
    warm_up()
    if not (given.table or given.paces or given.figure):
        for task in tasks:
            sides = [side for side in task.sides if not given.only or side.name.startswith(tuple(given.only))]
            fill(task, sides, 1 if given.quick else given.seeds, records)
    if given.paces:
        paces.measure(tasks, given.out / "cure_paces.csv")
    timed = paces.read(given.out / "cure_paces.csv")
    print(markdown(tasks, records, timed))
    if given.table:
        write_whole(given.out / "cure.md", markdown(list(TASKS.values()), records, timed))
        draw_table(list(TASKS.values()), records, given.out / "cure.png")
    if given.figure:
        draw_errors(TASKS["sines"], records, ROOT / "docs" / "cure.png")


if __name__ == "__main__":
    main()
