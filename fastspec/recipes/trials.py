"""Trials with several seeds, each kept once it is done, so that an interrupted run goes on where it stopped."""

import hashlib
import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from .._files import write_whole
from .._version import __version__
from .harness import UNFINISHED, Outcome

Trial = dict[str, Any]  # tensors, numbers, strings and lists of them: what torch loads without running code
RunTrial = Callable[[Any, int, torch.device], Trial]
Judge = Callable[[Any, list[Trial], Path], Outcome]


def over_seeds(run_trial: RunTrial, judge: Judge) -> Callable[[Any, Path, torch.device], Outcome]:
    """A recipe's main: ``settings.seeds`` trials, the first with ``settings.seed``, and the outcome of them all.

    A trial is a function of the settings, a seed and a device. Finished ones are kept in the output folder; a run with
    the same settings reads them.
    """

    def main(settings: Any, out: Path, device: torch.device) -> Outcome:
        trials = []
        for seed in range(settings.seed, settings.seed + settings.seeds):
            path = out / UNFINISHED / f"{_mark(settings, device)}-{seed}.pt"
            if not path.exists():
                torch.manual_seed(seed)
                _keep(run_trial(settings, seed, device), path)
            trials.append(torch.load(path, map_location=device, weights_only=True))
        return judge(settings, trials, out)

    return main


def spread(values: Iterable[float | None]) -> dict[str, float]:
    """Median and extremes over the seeds; None is never, infinitely late."""
    found = [math.inf if value is None else float(value) for value in values]
    return {"median": statistics.median(found), "lowest": min(found), "highest": max(found)}


def median(values: Iterable[float | None]) -> float:
    return spread(values)["median"]


def in_order(steps: Sequence[float | None]) -> bool:
    """Whether the first was reached, and each later than the one before or neither ever."""
    found = [math.inf if step is None else step for step in steps]
    return found[0] < math.inf and all(a < b or a == b == math.inf for a, b in pairwise(found))


def _mark(settings: Any, device: torch.device) -> str:
    """Of all that a trial depends on but its seed."""
    described = repr((settings, str(device), torch.__version__, __version__))
    return hashlib.sha256(described.encode()).hexdigest()[:16]


def _keep(trial: Trial, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = BytesIO()
    torch.save(trial, buffer)
    write_whole(path, buffer.getvalue())
