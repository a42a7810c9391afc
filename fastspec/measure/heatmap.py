"""The frequency × step heatmap: an error holds from the step it was recorded at until the next."""

import math
from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any, cast

from torch import Tensor

from .._notebook import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_THRESHOLD = 0.1
_MOST_ROWS_LABELLED = 24

# Half of the colours are above 15 %, so that a row half learnt does not look like one not learnt at all.
_GAMMA, _HIGHEST = 1 / 3, 1.2
_ERROR_TICKS = {0.001: "0.1 %", 0.01: "1 %", 0.1: "10 %", 0.4: "40 %", 0.7: "70 %", 1.0: "100 %"}

_CHARACTER = 0.07  # inches of a figure that one takes, on average
_SHARE_OF_ZERO = 0.06  # of a logarithmic axis, whose step 0 has no place of its own


def draw_heatmap(
    steps: Sequence[int],
    errors: Tensor,
    labels: Sequence[str],
    *,
    ax: "Axes | None" = None,
    frequency_label: str,
    title: str | None = None,
    log_steps: bool = False,
    lasting: bool = True,
) -> "Figure":
    """Draw errors ``(T, K)`` as K rows over the steps, and mark where each row falls below 10 %.

    A bar is where it falls below for good, a dotted one where it first fell below and came back; without ``lasting``
    bars are at the first such step, whatever came after. What is not finite is red. The line below the axis says what
    occurs of all this.

    Rows are evenly spaced and carry their frequency as a label, so that no frequency hides between two others.
    Returns the figure; with ``ax`` given, ``ax.collections[0]`` is the mappable for a shared colour bar.
    """
    from matplotlib import colormaps
    from matplotlib.colors import PowerNorm

    axes = _new_axes(len(labels)) if ax is None else ax
    errors = errors.double()
    log_steps = log_steps and steps[-1] > 0
    edges = _log_edges(steps) if log_steps else [*map(float, steps), _end(steps)]
    axes.pcolormesh(
        edges,
        [row - 0.5 for row in range(len(labels) + 1)],
        errors.where(errors.isfinite(), math.nan).mT.numpy(),
        cmap=colormaps["viridis_r"].with_extremes(bad="tab:red", over="black"),
        norm=PowerNorm(_GAMMA, 0, _HIGHEST),
        rasterized=True,
    )
    marks = _mark_threshold(axes, edges, errors, lasting)
    _set_steps(axes, steps, edges, log_steps)
    every = -(-len(labels) // _MOST_ROWS_LABELLED)
    axes.set_yticks(range(0, len(labels), every), list(labels)[::every])
    axes.set_ylabel(_in_lines(frequency_label, _size(axes)[1]))
    if title is not None:
        axes.set_title(title)
    _explain(axes, "; ".join(filter(None, [marks, _said_of_non_finite(steps, errors)])))
    if ax is None:
        add_colorbar(axes.figure, axes)
    return cast("Figure", axes.figure)


def add_colorbar(figure: Any, axes: Any) -> None:
    """One for the heatmaps of all these axes."""
    first = axes if hasattr(axes, "collections") else axes[0]
    bar = figure.colorbar(first.collections[0], ax=axes, label="relative error", extend="max")
    bar.set_ticks(list(_ERROR_TICKS), labels=list(_ERROR_TICKS.values()))
    bar.minorticks_off()


def _explain(axes: "Axes", marks: str) -> None:
    axes.set_xlabel(f"step\n{_in_lines(marks, _size(axes)[0])}")


def _size(axes: "Axes") -> tuple[float, float]:
    """Inches, before anything around the axes has taken its share."""
    dpi, extent = cast("Figure", axes.get_figure(root=True)).dpi, axes.get_window_extent()
    return extent.width / dpi, extent.height / dpi


def _in_lines(text: str, inches: float) -> str:
    """Broken before a parenthesis first, where it is too long for one line."""
    most = max(int(inches / _CHARACTER), 10)
    return "\n".join(fill(part, most) for part in (text.replace(" (", "\n(") if len(text) > most else text).split("\n"))


def _new_axes(rows: int) -> "Axes":
    return new_figure(7.0, max(2.4, 1.8 + 0.28 * min(rows, _MOST_ROWS_LABELLED))).add_subplot()


# --- steps ------------------------------------------------------------------------------------------------------------


def _end(steps: Sequence[int]) -> float:
    """Until which the last error holds: as long as the one before it did."""
    return steps[-1] + (max(steps[-1] - steps[-2], 1) if len(steps) > 1 else 1)


def _log_edges(steps: Sequence[int]) -> list[float]:
    """Those steps, and a narrow place at the left for what is not above zero."""
    first, end = next(step for step in steps if step > 0), _end(steps)
    place = first * (first / end) ** _SHARE_OF_ZERO
    return [*(max(float(step), place) for step in steps), end]


def _set_steps(axes: "Axes", steps: Sequence[int], edges: Sequence[float], log_steps: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    if log_steps:
        axes.set_xscale("log")
        axes.set_xticks(*_log_ticks(steps, edges[0]))
        axes.minorticks_off()
    elif steps[0] == steps[-1]:
        axes.set_xticks([steps[0]])
    else:
        axes.xaxis.set_major_locator(MaxNLocator(7, integer=True, steps=[1, 2, 5, 10]))
    axes.set_xlim(edges[0], edges[-1])


def _log_ticks(steps: Sequence[int], place: float) -> tuple[list[float], list[str]]:
    """Powers of ten, or where there are few also their twofold and fivefold; and 0 at its place."""
    first, last = next(step for step in steps if step > 0), steps[-1]
    powers = range(math.floor(math.log10(first)), math.ceil(math.log10(last)) + 1)
    found = [float(10**p) for p in powers if first <= 10**p <= last]
    if len(found) < 3:
        found = [float(m * 10**p) for p in powers for m in (1, 2, 5) if first <= m * 10**p <= last] or [float(first)]
    labels = [f"{tick:,.0f}" if tick < 1e6 else f"{tick:.0e}" for tick in found]
    return ([place, *found], [f"{max(s for s in steps if s <= 0)}", *labels]) if steps[0] <= 0 else (found, labels)


# --- marks ------------------------------------------------------------------------------------------------------------


def _mark_threshold(axes: "Axes", edges: Sequence[float], errors: Tensor, lasting: bool) -> str:
    """Draws the bars; what they mean, of those there are."""
    below = errors < _THRESHOLD
    settled = below.flip(0).cummin(0).values.flip(0)
    solid, came_back = (settled, below & ~settled) if lasting else (below, below & False)
    for row in range(errors.shape[1]):
        if bool(solid[:, row].any()):
            _bar(axes, edges[int(solid[:, row].int().argmax())], row, "-")
        if bool(came_back[:, row].any()):
            _bar(axes, edges[int(came_back[:, row].int().argmax())], row, (0, (1, 1)))
    if not bool(below.any()):
        return "none is below 10 %"
    said = [f"bar: {'below 10 % from there on' if lasting else 'first below 10 %'}"] if bool(solid.any()) else []
    return "; ".join([*said, "dotted: first below 10 %, but not for good"] if bool(came_back.any()) else said)


def _bar(axes: "Axes", at: float, row: int, style: Any) -> None:
    for colour, width, linestyle in (("white", 3.4, "-"), ("black", 1.6, style)):
        axes.plot([at, at], [row - 0.4, row + 0.4], color=colour, linewidth=width, linestyle=linestyle, clip_on=False)


def _said_of_non_finite(steps: Sequence[int], errors: Tensor) -> str:
    bad = ~errors.isfinite()
    always = bad.all(0)
    said = ["red row: not finite at any step, as where the target has nothing"] if bool(always.any()) else []
    now_and_then = (bad & ~always).any(1)
    if bool(now_and_then.any()):
        said.append(f"red: the output was not finite, first at step {steps[int(now_and_then.int().argmax())]}")
    return "; ".join(said)
