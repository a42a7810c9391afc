"""What a step costs beside the baseline's: in turns, so that a busy machine slows both."""

import csv
import statistics
import time
from pathlib import Path

import torch

from benchmarks.report import write_csv

from .problem import Learner, Setting, Side, Task

Paces = dict[tuple[str, str], float]  # by task and method

BLOCK, TURNS = 20, 12  # a block is as long as the kernel's factor lasts


def pace(task: Task, sides: tuple[Side, Side]) -> float:
    """The second side's median time of a block over the first's."""
    data, learners = task.data(0), []
    for side in sides:
        torch.manual_seed(0)
        made = side.make(data, Setting(1e-3))
        assert isinstance(made, Learner)
        learners.append(made)
    times: list[list[float]] = [[], []]
    for turn in range(TURNS + 1):
        for learner, seen in zip(learners, times, strict=True):
            start = time.process_time()
            for _ in range(BLOCK):
                _step(learner)
            if turn:
                seen.append(time.process_time() - start)
    first, second = (statistics.median(seen) for seen in times)
    return second / first


def _step(learner: Learner) -> None:
    learner.optimizer.zero_grad()
    learner.loss().backward()
    learner.optimizer.step()


def measure(tasks: list[Task], path: Path, ours: tuple[str, ...] = ("kernel", "energy norm")) -> None:
    """Of these sides of all tasks, written to a CSV file."""
    rows = []
    for task in tasks:
        by_name = {side.name: side for side in task.sides}
        for name in ours:
            if name in by_name:
                ratio = pace(task, (by_name["MSE, Adam"], by_name[name]))
                rows.append({"task": task.name, "method": name, "step over MSE's": f"{ratio:.3f}"})
    write_csv(path, rows)


def read(path: Path) -> Paces:
    """As measured, none where nothing was."""
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        return {(task, method): float(ratio) for task, method, ratio in list(csv.reader(file))[1:]}
