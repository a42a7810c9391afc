"""diagnose: the data's lines beside the rate at which a model learns each."""

from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from .._data import Given, for_model, numbers, points
from .._files import write_figure
from .._notebook import Shown, Table, new_figure
from ..measure.lines import find_lines, lines_at
from ..tangent import Operator
from .advice import advice
from .aliases import aliases
from .prediction import FACTOR, predicted_steps
from .trial import tried

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Cell = float | int | None | tuple[float, ...]


@dataclass(frozen=True, repr=False)
class Diagnosis(Shown):
    """What :func:`diagnose` found; prints as a table, shows as a picture in a notebook.

    Attributes:
        frequency: ``(K, d)``, cycles per unit of x, in the order in which they are predicted to be learnt.
        amplitude, explained, false_alarm: ``(K,)``, as of :class:`fastspec.measure.lines.Lines`.
        error: ``(K,)``, relative, after the trial's 200 steps.
        rate: ``(K,)``, per step, of the error's fall to first order at the trial's end, as the optimiser steps.
        steps: ``(K,)``, to 10 % error: counted up to 200, else predicted, to a factor of 2.1 (root mean square over ten
            tasks that the rule was not fitted to).
        alias: for d = 1 a frequency that the points do not tell from this one, else None.
        horizon: steps that a line is to be learnt in.
        recommendation: "train", "kernel", "energy norm", "retune" or "no network"; reason: why, in numbers; code: to
            paste.
    """

    frequency: Tensor
    amplitude: Tensor
    explained: Tensor
    false_alarm: Tensor
    error: Tensor
    rate: Tensor
    steps: Tensor
    alias: list[float | None]
    horizon: int
    recommendation: str
    reason: str
    code: str

    @property
    def learnt(self) -> list[bool]:
        """Whether each line is predicted to be within 10 % by the horizon."""
        return [steps <= self.horizon for steps in self.steps.tolist()]

    @property
    def table(self) -> list[dict[str, Cell]]:
        """One dictionary a line, of plain numbers."""
        names = ("amplitude", "explained", "false_alarm", "error", "rate", "steps")
        columns = [getattr(self, name).tolist() for name in names]
        return [
            {"frequency": f[0] if len(f) == 1 else tuple(f), **dict(zip(names, row, strict=True)), "alias": alias}
            for f, alias, *row in zip(self.frequency.tolist(), self.alias, *columns, strict=True)
        ]

    def plot(self, path: str | PathLike[str] | None = None, *, unit: str | None = None) -> "Figure":
        """Steps to 10 % error over frequency (its length for d > 1), the area of a point by amplitude.

        Bars are one deviation of the prediction.

        Args:
            path: image file to write; ``None`` writes none.
            unit: name of the unit of x, such as ``"year"``.
        """
        figure = new_figure(6.0, 3.6)
        ax = figure.subplots()
        size = self.amplitude.nan_to_num(1.0)
        size = 20 + 180 * size / size.max() if len(size) else size
        steps = self.steps.clamp_min(1)
        late = [not learnt for learnt in self.learnt]
        colours = ["tab:red" if one else "tab:blue" for one in late]
        ax.scatter(self.frequency.norm(dim=1).tolist(), steps.tolist(), s=size.tolist(), c=colours)
        ax.errorbar(
            self.frequency.norm(dim=1).tolist(),
            steps.tolist(),
            [(steps * (1 - 1 / FACTOR)).tolist(), (steps * (FACTOR - 1)).tolist()],
            fmt="none",
            ecolor="grey",
            zorder=0,
        )
        ax.axhline(self.horizon, color="grey", linestyle="--", label=f"{self.horizon:,} steps")
        ax.legend(frameon=False, loc="lower right")
        ax.set(
            yscale="log", xlabel=f"frequency (cycles per {unit or 'unit of x'})", ylabel="predicted steps to 10 % error"
        )
        ax.set_title(f"advice: {self.recommendation}")
        if path is not None:
            write_figure(path, figure, dpi=160)
        return figure

    def _table(self) -> Table:
        headings = ("frequency", "amplitude", "error now", "rate per step", f"steps (x/÷ {FACTOR:g})", "alias")
        rows = [
            (
                _named(f),
                f"{a:.3g}",
                f"{e:.0%}",
                f"{r:.2g}",
                f"{float(f'{s:.2g}'):,.0f}",
                "" if other is None else f"{other:.4g}",
            )
            for f, a, e, r, s, other in zip(
                self.frequency.tolist(),
                self.amplitude.tolist(),
                self.error.tolist(),
                self.rate.tolist(),
                self.steps.tolist(),
                self.alias,
                strict=True,
            )
        ]
        return Table(f"{self.recommendation}: {self.reason}", headings, rows)

    def _picture(self) -> "Figure | None":
        return self.plot() if len(self.frequency) else None


def _named(frequency: list[float]) -> str:
    return ", ".join(f"{f:.4g}" for f in frequency)


def diagnose(
    model: nn.Module,
    x: Given,
    y: Given,
    optimizer: torch.optim.Optimizer | None = None,
    *,
    operator: Operator | None = None,
    frequencies: Given = None,
    max_frequency: float | None = None,
    horizon: int = 1000,
) -> Diagnosis:
    """Which lines of the data a model will learn, in which order, after how many steps, and what to do about the rest.

    The data's significant lines are found; a copy of the model takes 200 real steps of the mean squared error at no
    more than 2,048 of the points; and at each line's frequency are measured the error left, and the rate at which it
    falls to first order: the tangent kernel's, with what the optimiser divides gradients by. From these two numbers the
    steps to 10 % error are predicted, by a rule that was fitted beforehand on trajectories of other seeds.

    Seconds, whatever the number of points. Judged on ten tasks at seeds that the rule was not fitted to, equations
    among them (benchmarks/studies/diagnosis.py): of 180 lines 154 were rightly said to be within 10 % by 1,000 steps or
    not, 86 %; fewest, 20 of 32, of a signed distance, whose lines are many and weak. Predicted steps were 1.4 times
    those counted in the median, and off by a factor of 2.1.

    Args:
        model: maps points to ``(M,)`` or ``(M, C)``. It, the optimizer and their states stay as they are.
        x: points, real ``(M, d)`` or ``(M,)``, and y: values, real ``(M,)`` or ``(M, C)``: tensors, arrays, Series or
            times, as :func:`fastspec.spectrum` takes them; what is no tensor is given to the model in the precision of
            its parameters, times as days since 1970.
        optimizer: of the model's parameters, with the rate of learning that you will use; default Adam at 1e-3.
        operator: takes (model, x) to what is compared with y, as the residual of an equation whose source is y.
        frequencies: look at these in place of the lines found, ``(K,)`` or ``(K, d)``, cycles per unit of x; none are
            searched for then.
        max_frequency: search for lines no further than this, to be given for d > 3.
        horizon: steps that you will train for.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.

    Example::

        d = fs.diagnose(model, x, y, torch.optim.Adam(model.parameters(), 3e-3))
        print(d)
        print(d.code)
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model: was {type(model).__name__}, must be an nn.Module")
    if isinstance(horizon, bool) or not isinstance(horizon, int) or horizon < 1:
        raise ValueError(f"horizon: was {horizon!r}, must be a positive int")
    held_x, held_y = points("x", x), numbers("y", y)
    rows = held_x.detach().reshape(len(held_x), -1)
    if frequencies is None:
        lines = find_lines(rows, held_y, max_frequency=max_frequency)
    else:
        lines = lines_at(rows, held_y, _checked(frequencies, rows.shape[1]))
    found = lines.frequency.cpu()
    given_x, given_y = (for_model(held.detach(), given, model) for held, given in ((held_x, x), (held_y, y)))
    trial = tried(model, given_x, given_y, found, optimizer, operator)
    steps = torch.tensor(predicted_steps(trial), dtype=torch.float64)
    order = steps.argsort(stable=True)
    same: list[float | None] = [None] * len(found)
    if rows.shape[1] == 1 and len(found):
        same = aliases(rows[:, 0], found[:, 0], max(lines.max_frequency.max().item(), found.abs().max().item()))
    names = [_named(f) for f in found.tolist()]
    told = advice(steps.tolist(), names, horizon, 1 - lines.unexplained, operator is not None)
    return Diagnosis(
        frequency=found[order],
        amplitude=lines.amplitude.norm(dim=1).cpu()[order],
        explained=lines.explained.cpu()[order],
        false_alarm=lines.false_alarm.cpu()[order],
        error=trial.errors[-1].double().cpu()[order],
        rate=trial.rates.double().cpu()[order],
        steps=steps[order],
        alias=[same[i] for i in order.tolist()],
        horizon=horizon,
        recommendation=told.recommendation,
        reason=told.reason,
        code=told.code,
    )


def _checked(frequencies: Given, d: int) -> Tensor:
    held = numbers("frequencies", frequencies)
    found = held.detach().double().cpu()
    found = found[:, None] if found.ndim == 1 else found
    if found.ndim != 2 or found.shape[1] != d or len(found) == 0 or not bool(found.isfinite().all()):
        raise ValueError(f"frequencies: shape was {tuple(held.shape)}, must be (K, {d}), not empty, all finite")
    return found
