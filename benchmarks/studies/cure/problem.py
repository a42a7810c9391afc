"""What a task gives to every side, how a side trains, and what both are judged by."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

import fastspec as fs

RATES = (7e-3, 2e-3, 2e-2)  # the likeliest first: a rate that is slower than another is given up
WIDTH = 128
TAU = 2 * math.pi


class Judge(Protocol):
    """Errors that must all fall below the task's threshold."""

    def update(self, step: int, model: nn.Module) -> None: ...

    @property
    def errors(self) -> Tensor: ...


@dataclass(frozen=True)
class Data:
    """What all sides of a task train on, and what they are judged by."""

    x: Tensor  # (M, d)
    target: Tensor  # (M, C) values, a source, or classes (M,)
    clean: tuple[Tensor, Tensor]  # held-out points and what is true there
    judge: Callable[[], Judge]
    network: Callable[[], nn.Module]  # the plain one
    operator: Callable[[nn.Module, Tensor], Tensor] | None = (
        None  # what the loss compares, where not the model's values
    )
    loss: Callable[[Tensor, Tensor], Tensor] = nn.functional.mse_loss
    held_out: Callable[[nn.Module, Tensor, Tensor], float] = lambda model, x, y: relative_error(model(x), y)
    lines: int = 0  # that a side may be told
    highest: float | None = None  # cycles per unit, of a search for lines
    inducing: int | None = 200
    period: float = TAU
    modes: int | tuple[int, ...] = 256
    batch: int | None = None  # points of a step; None for all
    equation: Any = None  # of PDE tasks, physics.Equation

    def values(self, model: nn.Module, x: Tensor) -> Tensor:
        return model(x) if self.operator is None else self.operator(model, x)

    def drawn(self) -> tuple[Tensor, Tensor]:
        """The points of a step, and their targets."""
        if self.batch is None:
            return self.x, self.target
        chosen = torch.randint(len(self.x), (self.batch,))
        return self.x[chosen], self.target[chosen]


@dataclass(frozen=True)
class Learner:
    model: nn.Module
    loss: Callable[[], Tensor]
    optimizer: Any  # zero_grad(), step(closure), param_groups


@dataclass(frozen=True)
class Setting:
    rate: float
    swept: float = 0.0


@dataclass(frozen=True)
class Side:
    """A way to train. ``make`` sees the data and one setting; without a network it returns the fit itself."""

    name: str
    make: Callable[[Data, Setting], Learner | nn.Module]
    group: str  # baseline, ours, rival, none
    unchanged: bool = False
    told: str = "no"
    rates: tuple[float, ...] = RATES
    sweep: tuple[float, ...] = (0.0,)
    steps: int = 0
    needs: str = "torch"  # a module whose import is no part of its time

    def settings(self) -> list[Setting]:
        return [Setting(rate, swept) for swept in self.sweep for rate in self.rates]


def within(steps: int, *sides: Side) -> tuple[Side, ...]:
    return tuple(replace(side, steps=steps) for side in sides)


@dataclass(frozen=True)
class Task:
    name: str
    title: str
    data: Callable[[int], Data]
    sides: tuple[Side, ...]
    seconds: float  # CPU seconds that every side but the baseline has, set-up included
    threshold: float
    reached: str  # in words, what is to be below the threshold
    tuning: float = 0.5  # of the steps and the seconds, that a rate is tried for
    by_error: bool = False  # tuned for the held-out error, in place of the steps to the threshold


def relative_error(pred: Tensor, true: Tensor) -> float:
    return ((pred.reshape_as(true) - true).norm() / true.norm()).item()


@dataclass
class Lines:
    """Errors of the tracked frequencies, at the training points."""

    x: Tensor
    monitor: fs.SpectralMonitor

    def update(self, step: int, model: nn.Module) -> None:
        self.monitor.update(step, model(self.x).flatten())

    @property
    def errors(self) -> Tensor:
        return self.monitor.errors


def lines(x: Tensor, y: Tensor, tracked: Tensor, period: float) -> Callable[[], Judge]:
    return lambda: Lines(x, fs.SpectralMonitor(x, y.flatten(), None, peaks=tracked, period=period))


@dataclass
class HeldOut:
    """The error on held-out points itself, where a target has no lines to track."""

    x: Tensor
    y: Tensor
    rows: list[Tensor] = field(default_factory=list)

    def update(self, step: int, model: nn.Module) -> None:
        self.rows.append(torch.tensor([relative_error(model(self.x), self.y)]))

    @property
    def errors(self) -> Tensor:
        return torch.stack(self.rows)


def mlp(d: int, out: int = 1, width: int = WIDTH, depth: int = 2) -> nn.Sequential:
    sizes, layers = [d] + [width] * depth + [out], []
    for fan_in, fan_out in zip(sizes, sizes[1:], strict=False):
        layers += [nn.Linear(fan_in, fan_out), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


class Standardised(nn.Module):
    def __init__(self, x: Tensor, net: nn.Module):
        super().__init__()
        self.net = net
        self.register_buffer("mean", x.mean(0))
        self.register_buffer("std", x.std(0).clamp_min(1e-6))

    def forward(self, x: Tensor) -> Tensor:
        return self.net((x - self.mean) / self.std)
