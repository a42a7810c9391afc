"""Pictures of data and of what a model makes of them."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

from .._notebook import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DATA, _FIT = "0.55", "#0077bb"
_MOST_DOTS = 20_000
_PERIODS_SHOWN = 8  # of the strongest line, in the closer view


def draw_line(
    x: Tensor, y: Tensor, curve: tuple[Tensor, Tensor] | None, window: tuple[float, float] | None, names: Sequence[str]
) -> "Figure":
    """Data (M,) over one coordinate (M,), whole and within ``window``, and a model's ``curve`` through them."""
    views = [None] if window is None else [None, window]
    figure = new_figure(9.0, 2.9 * len(views))
    for axes, view in zip(figure.subplots(len(views), 1, squeeze=False)[:, 0], views, strict=True):
        inside = slice(None) if view is None else (x >= view[0]) & (x <= view[1])
        _dots(axes, x[inside], y[inside])
        if curve is not None:
            part = slice(None) if view is None else (curve[0] >= view[0]) & (curve[0] <= view[1])
            axes.plot(curve[0][part].numpy(), curve[1][part].numpy(), color=_FIT, linewidth=1.3, label="model")
        axes.set(ylabel=names[1])
        axes.margins(x=0.01)
    axes.set_xlabel(names[0])
    if curve is not None:
        figure.axes[0].legend(fontsize=9, frameon=False)
    return figure


def _dots(axes: Any, x: Tensor, y: Tensor) -> None:
    every = -(-max(len(x), 1) // _MOST_DOTS)
    axes.plot(x[::every].numpy(), y[::every].numpy(), ".", color=_DATA, markersize=3, label="data")


def draw_plane(x: Tensor, y: Tensor, fit: Tensor | None, names: Sequence[str]) -> "Figure":
    """Data (M,) over the plane (M, 2), beside the model in the same scale, and what it leaves in its own."""
    shown = {names[1]: y} if fit is None else {names[1]: y, "model": fit, "data less model": y - fit}
    figure = new_figure(4.0 if fit is None else 10.0, 3.0)
    largest = 0.0 if fit is None else float((y - fit).abs().max())
    every = -(-len(x) // _MOST_DOTS)
    panels = figure.subplots(1, len(shown), squeeze=False, sharex=True, sharey=True)[0]
    for axes, (title, values) in zip(panels, shown.items(), strict=True):
        left = title == "data less model"
        scale = {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest} if left else {"vmin": y.min(), "vmax": y.max()}
        drawn = axes.scatter(*x[::every].mT.numpy(), c=values[::every].numpy(), s=4, **scale)
        axes.set_title(title, fontsize=10)
        if title != names[1] or fit is None:
            figure.colorbar(drawn, ax=axes)
    figure.supxlabel(names[0], fontsize=10)
    return figure


def draw_against(y: Tensor, fit: Tensor, names: Sequence[str]) -> "Figure":
    """The model's values over the data's, for more coordinates than can be drawn."""
    figure = new_figure(4.2, 4.0)
    axes = figure.add_subplot()
    _dots(axes, y, fit)
    ends = [float(y.min()), float(y.max())]
    axes.plot(ends, ends, color=_FIT, linewidth=1)
    axes.set(xlabel=f"{names[1]}, data", ylabel=f"{names[1]}, model")
    return figure


def window_of(x: Tensor, frequency: float | None) -> tuple[float, float] | None:
    """Some periods of a frequency about the middle point of x, where the whole has many more."""
    if frequency is None or not math.isfinite(frequency) or frequency == 0:
        return None
    width, extent = _PERIODS_SHOWN / abs(frequency), float(x.max() - x.min())
    middle = float(x.median())
    return (middle - width / 2, middle + width / 2) if width < extent / 2 else None
