"""Trains one side with one setting; chooses a side's setting on a seed of its own."""

import importlib
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from .problem import Data, Learner, Setting, Side, Task

EVERY = 10
SEEDS, TUNING_SEED = 5, 5
FALL = 0.3  # the last part of a run, over which rates fall to nothing


@dataclass(frozen=True)
class Budget:
    steps: int
    seconds: float

    def spent(self, step: int, seconds: float) -> float:
        return max(step / self.steps, seconds / self.seconds)


@dataclass(frozen=True)
class Run:
    steps: int | None  # until all tracked errors were below the threshold
    seconds: float | None  # until then, of the processor, set-up included
    held_out: float  # at the end
    worst: float  # of the tracked errors, at the end
    ran: int
    took: float

    def order(self, threshold: float) -> tuple[int, float]:
        """What tuning goes by: steps to the threshold where the run still was below it at its end, else the error."""
        if self.steps is not None and self.worst < threshold:
            return 0, self.steps
        return 1, self.held_out


def run(
    side: Side, data: Data, setting: Setting, seed: int, budget: Budget, threshold: float, patience=math.inf
) -> Run:
    """Ends early where more than ``patience`` steps have not reached the threshold."""
    importlib.import_module(side.needs)
    torch.manual_seed(seed)
    clock, judge = Clock(), data.judge()
    with clock:
        made = side.make(data, setting)
    steps, reached = 0, None
    if isinstance(made, Learner):
        model = made.model
        for steps in train(made, budget, clock):
            judged(judge, steps, model)
            below = bool((judge.errors[-1] < threshold).all())
            if below and reached is None:
                reached = steps, clock.seconds
            if not judge.errors[-1].isfinite().all() or (reached is None and steps > patience):
                break
    else:
        model = made
        judged(judge, 0, model)
        reached = (0, clock.seconds) if bool((judge.errors[-1] < threshold).all()) else None
    model.eval()
    with torch.no_grad():
        error = data.held_out(model, *data.clean)
    worst = judge.errors[-1].max().item()
    return Run(*(reached or (None, None)), finite(error), finite(worst), steps, clock.seconds)


def finite(value: float) -> float:
    return value if math.isfinite(value) else math.inf


class Clock:
    """Seconds of the processor, while entered."""

    def __init__(self):
        self.seconds = 0.0

    def __enter__(self) -> "Clock":
        self.start = time.process_time()
        return self

    def __exit__(self, *_) -> None:
        self.seconds += time.process_time() - self.start


def judged(judge, step: int, model: nn.Module) -> None:
    model.eval()
    with torch.no_grad():
        judge.update(step, model)
    model.train()


def train(learner: Learner, budget: Budget, clock: Clock) -> Iterator[int]:
    """Yields each step at which to judge: before the first, every tenth, after the last."""
    rates = [group["lr"] for group in learner.optimizer.param_groups]

    def closure():
        learner.optimizer.zero_grad()
        loss = learner.loss()
        loss.backward()
        return loss

    step = 0
    while True:
        spent = budget.spent(step, clock.seconds)
        if step % EVERY == 0 or spent >= 1:
            yield step
        if spent >= 1:
            return
        with clock:
            for group, rate in zip(learner.optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * min(1.0, (1 - spent) / FALL)
            learner.optimizer.step(closure)
        step += 1


def chosen(side: Side, task: Task) -> Setting:
    """The best of the side's settings on the tuning seed."""
    settings = side.settings()
    if len(settings) == 1:
        return settings[0]
    data, best, found = task.data(TUNING_SEED), settings[0], None
    by_error = task.by_error or side.group == "none"
    budget = budget_of(side, task, task.tuning)
    for setting in settings:
        patience = math.inf if by_error or found is None or found[0] else found[1]
        tried = run(side, data, setting, TUNING_SEED, budget, task.threshold, patience)
        order = (1, tried.held_out) if by_error else tried.order(task.threshold)
        if found is None or order < found:
            best, found = setting, order
    return best


def warm_up() -> None:
    """What torch loads at a first step is not any side's time."""
    model = nn.Linear(1, 1)
    optimizer = torch.optim.Adam(model.parameters())
    torch.linalg.eigh(torch.eye(2))
    model(torch.ones(1, 1)).sum().backward()
    optimizer.step()


def budget_of(side: Side, task: Task, share: float = 1.0) -> Budget:
    steps = max(EVERY, round(side.steps * share))
    return Budget(steps, math.inf if side.group == "baseline" else task.seconds * share)
