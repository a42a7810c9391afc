"""Where a monitor's errors can be logged to: whatever tracks experiments, told by what it can do, not by its type."""

import re
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from .methods import Frequency

Write = Callable[[dict[str, float], int], None]

_NOT_OF_MLFLOW = re.compile(r"[^\w\-. /]")


def writer_to(destination: Any) -> Write:
    """What writes named values of a step to ``destination``; see SpectralMonitor.log_to for what that may be.

    Raises:
        TypeError: where it can log nothing.
    """
    if callable(getattr(destination, "add_scalar", None)):
        return _one_by_one(destination.add_scalar)
    if callable(getattr(destination, "log_metrics", None)):
        return lambda values, step: destination.log_metrics(_plain_names(values), step=step)
    if hasattr(getattr(destination, "info", None), "run_id"):
        run_id, mlflow = destination.info.run_id, import_module("mlflow")
        return lambda values, step: mlflow.log_metrics(_plain_names(values), step=step, run_id=run_id)
    if callable(getattr(destination, "log", None)):
        return _to_wandb(destination)
    raise TypeError(
        f"summary_writer: was {type(destination).__name__}, must have add_scalar(tag, value, step) as TensorBoard's,"
        " log(values, step) as a W&B run, log_metrics(values, step) as mlflow, or be an MLflow run"
    )


def _one_by_one(add_scalar: Callable[[str, float, int], Any]) -> Write:
    def write(values: dict[str, float], step: int) -> None:
        for name, value in values.items():
            add_scalar(name, value, step)

    return write


def _to_wandb(run: Any) -> Write:
    """Along an axis of our own where it has such: a run's own count of steps cannot go back, and is the user's."""
    if not callable(getattr(run, "define_metric", None)):
        return lambda values, step: run.log(values, step=step)
    known: set[str] = set()

    def write(values: dict[str, float], step: int) -> None:
        axis = next(iter(values)).rpartition("/")[0] + "/step"
        if axis not in known:
            known.add(axis)
            run.define_metric(axis)
            for name in values:
                run.define_metric(name, step_metric=axis)
        run.log({**values, axis: step})

    return write


def _plain_names(values: dict[str, float]) -> dict[str, float]:
    """MLflow takes letters, digits and a few signs: (1, -2) becomes 1 -2."""
    return {_NOT_OF_MLFLOW.sub("", name): value for name, value in values.items()}


def tags_of(frequencies: Sequence[Frequency]) -> list[str]:
    """What frequencies are logged as, the same in every release."""
    tags = [_tag(frequency, 4) for frequency in frequencies]
    return tags if len(set(tags)) == len(tags) else [_tag(frequency, 17) for frequency in frequencies]


def _tag(frequency: Frequency, digits: int) -> str:
    if not isinstance(frequency, tuple):
        return f"{frequency:.{digits}g}"
    if isinstance(frequency[0], str):
        return f"{frequency[0]} {frequency[1]:.{digits - 1}g}"
    return "(" + ", ".join(f"{f:.{digits - 1}g}" for f in frequency) + ")"
