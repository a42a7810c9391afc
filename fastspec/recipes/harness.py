"""What every recipe shares: its description, its run, the training loop, and the files it leaves."""

import dataclasses
import json
import math
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from .. import SpectralMonitor
from .._files import strict, write_figure, write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UNFINISHED = ".unfinished"  # a folder beside the results, until they are there

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a recipe found: the claim it checked, whether it holds, the numbers to quote, the image files.

    ``threshold`` is what the numbers were held against, ``checks`` the claim's parts and whether each holds.
    """

    claim: str
    holds: bool
    headline: dict[str, Any]
    figures: list[str]
    threshold: dict[str, Any] = dataclasses.field(default_factory=dict)
    checks: dict[str, bool] = dataclasses.field(default_factory=dict)


def outcome(
    claim: str, checks: dict[str, bool], threshold: dict[str, Any], headline: dict[str, Any], figures: list[str]
) -> Outcome:
    """Of a claim of several parts, which holds where each does."""
    return Outcome(claim, all(checks.values()), headline, figures, threshold, checks)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A named experiment.

    ``main(settings, out, device)`` writes its PNG figures to ``out`` and returns an Outcome. ``settings`` and ``quick``
    are frozen dataclasses with a ``seed`` and ``threads``, the number of CPU threads to run with. ``full`` is the
    paper's own size, where that is larger than ``settings``.
    """

    name: str
    summary: str
    settings: Any
    quick: Any
    main: Callable[[Any, Path, torch.device], Outcome]
    full: Any = None

    def of_size(self, size: str) -> Any:
        """The settings "default", "quick" or "full"."""
        return {"default": self.settings, "quick": self.quick, "full": self.full or self.settings}[size]


def run_recipe(
    recipe: Recipe,
    out: Path,
    *,
    quick: bool = False,
    full: bool = False,
    device: str = "cpu",
    seed: int | None = None,
) -> dict[str, Any]:
    """Run ``recipe``, write its figures and ``result.json`` to ``out``, and return what the latter holds.

    What an interrupted run had finished is kept in ``out`` until a run with the same settings has used it. Numbers that
    are not finite are "NaN", "Infinity" or "-Infinity" there, for JSON has none.

    Raises:
        ModuleNotFoundError: where a package of the ``demo`` extra is missing.
    """
    # Better to know before training than after it.
    import_module("matplotlib")
    size = "quick" if quick else "full" if full else "default"
    settings = recipe.of_size(size)
    if seed is not None:
        settings = dataclasses.replace(settings, seed=seed)
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(settings.seed)
    start, worked = time.perf_counter(), time.process_time()
    with cpu_threads(settings.threads):
        outcome = recipe.main(settings, out, torch.device(device))
    result: dict[str, Any] = {
        "recipe": recipe.name,
        **dataclasses.asdict(outcome),
        "quick": quick,
        "size": size,
        "device": device,
        "seconds": round(time.perf_counter() - start, 2),
        "processor_seconds": round(time.process_time() - worked, 2),
        "torch": torch.__version__,
        "settings": dataclasses.asdict(settings),
    }
    result = strict(result)
    write_whole(out / "result.json", json.dumps(result, indent=2, allow_nan=False) + "\n")
    shutil.rmtree(out / UNFINISHED, ignore_errors=True)
    return result


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclasses.dataclass(frozen=True)
class Schedule:
    """So many steps of Adam, its rate constant, or falling to ``final_rate`` by a cosine over the last ``share``."""

    steps: int
    learning_rate: float
    final_rate: float | None = None
    share: float = 1.0

    def factor(self, step: int) -> float:
        """Of the rate at a step."""
        if self.final_rate is None:
            return 1.0
        fallen = max(0.0, 1 - (self.steps - step) / (self.share * self.steps))
        lowest = self.final_rate / self.learning_rate
        return lowest + (1 - lowest) * (1 + math.cos(math.pi * fallen)) / 2


def train(
    name: str,
    model: nn.Module,
    loss: Loss,
    x: Tensor,
    y: Tensor,
    monitor: SpectralMonitor,
    schedule: Schedule,
    first_step: int = 0,
) -> float:
    """Train on the full batch; returns the seconds it took.

    The monitor sees the network before every step and after the last, counted from ``first_step``.
    """
    optimizer = torch.optim.Adam(model.parameters(), schedule.learning_rate)
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule.factor)
    start = time.perf_counter()
    for step in progress(name, schedule.steps):
        prediction = model(x)
        monitor.update(first_step + step, prediction)
        descend(optimizer, loss(prediction, y))
        rate.step()
    with torch.no_grad():
        monitor.update(first_step + schedule.steps, model(x))
    return round(time.perf_counter() - start, 2)


def progress(name: str, steps: int) -> Iterable[int]:
    """The steps 0, 1, ..., under a progress bar."""
    out: Iterable[int] = tqdm(range(steps), desc=name, unit="step", mininterval=0.5)
    return out


def descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def dense(sizes: list[int]) -> list[nn.Module]:
    """Fully connected tanh layers of these widths, the last one linear."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in zip(sizes, sizes[1:], strict=False):
        layers += [nn.Linear(fan_in, fan_out), nn.Tanh()]
    return layers[:-1]


@contextmanager
def figure(path: Path, width: float, height: float) -> Iterator["Figure"]:
    """A figure to draw in, in inches, written to ``path`` at the end of the block."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(width, height), layout="constrained")
    yield drawn
    write_figure(path, drawn, dpi=160)
