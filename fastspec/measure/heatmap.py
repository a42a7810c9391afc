"""The frequency × step heatmap."""

from collections.abc import Sequence

from torch import Tensor

_LOW, _HIGH = 1e-3, 1.0
_THRESHOLD = 0.1
_MOST_ROWS_LABELLED = 24


def draw_heatmap(
    steps: Sequence[int],
    errors: Tensor,
    labels: Sequence[str],
    *,
    ax=None,
    frequency_label: str,
    title: str | None = None,
    log_steps: bool = False,
):
    """Draw errors ``(T, K)`` as K rows over the steps, and mark where each row first falls below 10 %.

    Rows are evenly spaced and carry their frequency as a label, so that no frequency hides between two others.
    Returns the figure; with ``ax`` given, ``ax.collections[0]`` is the mappable for a shared colour bar.
    """
    from matplotlib.colors import LogNorm

    own = ax is None
    if own:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.0, 1.6 + 0.28 * min(len(labels), _MOST_ROWS_LABELLED)), layout="constrained")
        ax = figure.add_subplot()
    shown = errors.double().clamp(_LOW, _HIGH).mT.numpy()
    rows = [row - 0.5 for row in range(len(labels) + 1)]
    mesh = ax.pcolormesh(
        _edges(steps, log_steps), rows, shown, cmap="viridis_r", norm=LogNorm(_LOW, _HIGH), rasterized=True
    )
    _mark_threshold(ax, steps, errors)
    every = -(-len(labels) // _MOST_ROWS_LABELLED)
    ax.set_yticks(range(0, len(labels), every), list(labels)[::every])
    if log_steps:
        ax.set_xscale("log")
    ax.set(xlabel="step  (bar: first below 10 %)", ylabel=frequency_label, title=title)
    if own:
        ax.figure.colorbar(mesh, ax=ax, label="relative error", extend="both")
    return ax.figure


def _edges(steps: Sequence[int], log_steps: bool) -> list[float]:
    """Cell borders halfway between the steps, none at or below zero on a logarithmic axis."""
    middle = [(a + b) / 2 for a, b in zip(steps, steps[1:], strict=False)]
    first = 2 * steps[0] - middle[0] if middle else steps[0] - 0.5
    last = 2 * steps[-1] - middle[-1] if middle else steps[-1] + 0.5
    edges = [first, *middle, last]
    return [max(edge, 0.4) for edge in edges] if log_steps else edges


def _mark_threshold(ax, steps: Sequence[int], errors: Tensor) -> None:
    below = errors < _THRESHOLD
    for row in below.any(0).nonzero().flatten().tolist():
        first = max(steps[int(below[:, row].int().argmax())], 0.5)
        for colour, width in (("white", 3.0), ("black", 1.4)):
            ax.plot([first, first], [row - 0.4, row + 0.4], color=colour, linewidth=width, solid_capstyle="butt")
