"""The frequency × step heatmap."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LOW, _HIGH = 1e-3, 1.0
_THRESHOLD = 0.1
_MOST_ROWS_LABELLED = 24


def draw_heatmap(
    steps: Sequence[int],
    errors: Tensor,
    labels: Sequence[str],
    *,
    ax: "Axes | None" = None,
    frequency_label: str,
    title: str | None = None,
    log_steps: bool = False,
) -> "Figure":
    """Draw errors ``(T, K)`` as K rows over the steps, and mark where each row first falls below 10 %.

    What is not finite is drawn in red, and the first step that has such an error is said.
    Rows are evenly spaced and carry their frequency as a label, so that no frequency hides between two others.
    Returns the figure; with ``ax`` given, ``ax.collections[0]`` is the mappable for a shared colour bar.
    """
    from matplotlib import colormaps
    from matplotlib.colors import LogNorm

    axes = _new_axes(len(labels)) if ax is None else ax
    errors = errors.double()
    finite = errors.isfinite()
    shown = errors.clamp(_LOW, _HIGH).where(finite, math.nan).mT.numpy()
    rows = [row - 0.5 for row in range(len(labels) + 1)]
    mesh = axes.pcolormesh(
        _edges(steps, log_steps),
        rows,
        shown,
        cmap=colormaps["viridis_r"].with_extremes(bad="tab:red"),
        norm=LogNorm(_LOW, _HIGH),
        rasterized=True,
    )
    _mark_threshold(axes, steps, errors)
    every = -(-len(labels) // _MOST_ROWS_LABELLED)
    axes.set_yticks(range(0, len(labels), every), list(labels)[::every])
    if log_steps:
        axes.set_xscale("log")
    told = "bar: first below 10 %" + _said_of_non_finite(steps, finite)
    axes.set(xlabel=f"step  ({told})", ylabel=frequency_label, title=title)
    if ax is None:
        axes.figure.colorbar(mesh, ax=axes, label="relative error", extend="both")
    return cast("Figure", axes.figure)


def _said_of_non_finite(steps: Sequence[int], finite: Tensor) -> str:
    bad = ~finite.all(1)
    return f"; red: not finite, first at {steps[int(bad.int().argmax())]}" if bool(bad.any()) else ""


def _new_axes(rows: int) -> "Axes":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 1.6 + 0.28 * min(rows, _MOST_ROWS_LABELLED)), layout="constrained")
    return figure.add_subplot()


def _edges(steps: Sequence[int], log_steps: bool) -> list[float]:
    """Cell borders halfway between the steps, none at or below zero on a logarithmic axis."""
    middle = [(a + b) / 2 for a, b in zip(steps, steps[1:], strict=False)]
    first = 2 * steps[0] - middle[0] if middle else steps[0] - 0.5
    last = 2 * steps[-1] - middle[-1] if middle else steps[-1] + 0.5
    edges = [first, *middle, last]
    return [max(edge, 0.4) for edge in edges] if log_steps else edges


def _mark_threshold(ax: "Axes", steps: Sequence[int], errors: Tensor) -> None:
    below = errors < _THRESHOLD
    for row in below.any(0).nonzero().flatten().tolist():
        first = max(steps[int(below[:, row].int().argmax())], 0.5)
        for colour, width in (("white", 3.0), ("black", 1.4)):
            ax.plot([first, first], [row - 0.4, row + 0.4], color=colour, linewidth=width, solid_capstyle="butt")
