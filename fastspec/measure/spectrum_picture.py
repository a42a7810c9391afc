"""The picture of a spectrum."""

from typing import TYPE_CHECKING, cast

from torch import Tensor

from .._notebook import new_figure
from .labels import rounded
from .lines import Lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_NAMED = 8
_NAME = 0.06  # of the axis that a name takes
_MOST_DRAWN = 4096  # columns of a curve: of more, the largest in each


def draw_spectrum(
    frequencies: Tensor, amplitude: Tensor, level: Tensor, lines: Lines, unit: str | None, ax: "Axes | None"
) -> "Figure":
    """Amplitude over frequency (K,), or over half of the plane (K1, K2, 2)."""
    if frequencies.shape[-1] > 2 and frequencies.ndim > 2:
        raise ValueError("a spectrum of more than two dimensions has no picture: its peaks are a table")
    axes = ax if ax is not None else new_figure(7.0, 3.4 if frequencies.ndim == 1 else 5.0).add_subplot()
    named = f"frequency (cycles per {unit or 'unit of x'})"
    if frequencies.ndim == 1:
        _curve(axes, frequencies.cpu(), amplitude.cpu(), level.cpu(), lines)
        axes.set(xlabel=named, ylabel="amplitude")
    else:
        _map(axes, frequencies.cpu(), amplitude.cpu(), lines)
        axes.set(xlabel=named, ylabel="frequency along the other axis")
    return cast("Figure", axes.figure)


def _curve(axes: "Axes", frequencies: Tensor, amplitude: Tensor, level: Tensor, lines: Lines) -> None:
    wide = -(-len(frequencies) // _MOST_DRAWN)
    whole = len(frequencies) // wide * wide
    top, place = amplitude[:whole].reshape(-1, wide).max(1)
    shown = frequencies[:whole].reshape(-1, wide).gather(1, place[:, None])[:, 0]
    axes.plot(shown.numpy(), top.numpy(), color="tab:blue", linewidth=0.8)
    over = level[:whole].reshape(-1, wide).amax(1)
    said = "noise as the data have it reaches this once in 100"
    axes.plot(shown.numpy(), over.numpy(), color="0.5", linestyle="--", linewidth=0.8, label=said)
    f, a = lines.frequency[:, 0].cpu(), lines.amplitude.norm(dim=1).cpu()
    axes.plot(f.numpy(), a.numpy(), "o", color="tab:red", markersize=4, label=f"{len(lines)} lines")
    logarithmic = len(f) > 0 and bool(20 * f.median() < frequencies[-1])
    axes.set_xscale("log" if logarithmic else "linear")
    axes.set_yscale("log" if len(a) and bool(a.min() * 10 < a.max()) else "linear")
    place = (f.log() if logarithmic else f) / (_extent(shown.log() if logarithmic else shown))
    for line in _apart(place.tolist())[:_MOST_NAMED]:
        x, y = f[line].item(), a[line].item()
        axes.annotate(rounded(f.tolist())[line], (x, y), textcoords="offset points", xytext=(4, 4), fontsize=8)
    axes.margins(y=0.15)
    if axes.get_yscale() == "linear":
        axes.set_ylim(bottom=0)
    else:
        axes.set_ylim(bottom=level.min().item() / 30)
    axes.legend(fontsize=8, frameon=False)


def _extent(values: Tensor) -> Tensor:
    return values.max() - values.min()


def _apart(places: list[float]) -> list[int]:
    """Of marks at these parts of an axis, strongest first, those whose names do not run into one before."""
    named: list[int] = []
    for i, place in enumerate(places):
        if all(abs(place - places[other]) > _NAME for other in named):
            named.append(i)
    return named


def _map(axes: "Axes", frequencies: Tensor, amplitude: Tensor, lines: Lines) -> None:
    top = amplitude.max().clamp_min(1e-300)
    decibels = (20 * (amplitude / top).clamp_min(1e-4).log10()).numpy()
    first, last = frequencies[:, 0, 0], frequencies[0, :, 1]
    mesh = axes.pcolormesh(last.numpy(), first.numpy(), decibels, cmap="viridis", vmin=-60, rasterized=True)
    half = lines.frequency.cpu()
    half = half.where(half[:, 1:] >= 0, -half)
    axes.plot(half[:, 1].numpy(), half[:, 0].numpy(), "o", color="tab:red", fillstyle="none", markersize=7)
    axes.figure.colorbar(mesh, ax=axes, label="amplitude (dB of the largest)")
