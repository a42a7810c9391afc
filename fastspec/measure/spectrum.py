"""fs.spectrum: what frequencies scattered data hold, in the user's own units."""

import math
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .._core.plain import without_autocast
from .._data import Given, grain_of, laid_out, numbers, points, unit_of
from .._files import write_figure
from .._notebook import Shown, Table
from .background import background
from .fits import polynomials
from .joint import fit
from .lines import Lines, checked_data, find_lines, middle_and_extent, search_of
from .prewhitening import FALSE_ALARM, MOST_LINES, chances_over, lines_over_red
from .search import Ball, Grid, modes_of, spectrum_of
from .significance import WHITE
from .spectrum_picture import draw_spectrum

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SINGULAR, _TINY = 1e-9, 1e-300


@dataclass(frozen=True, repr=False)
class Spectrum(Shown):
    """The spectrum of scattered data, as :func:`fastspec.spectrum` returns it.

    Attributes:
        frequencies: cycles per unit of x, float64 ``(K,)``, or ``(*modes, d)`` of d dimensions, half of them, as those
            of real data repeat: the last is not negative. With more than three dimensions, those of the lines.
        power: by what share of the detrended data's sum of squares the misfit falls where a sinusoid of this frequency
            is fitted along with the trend, 0 to 1; ``(K,)`` or ``(*modes)``. Of several channels the mean.
        amplitude: of a sinusoid with as much power, in units of y, the root of the sum of squares over channels. Where
            trend and sinusoid are alike, below one cycle per extent, it says what the sinusoid adds to the trend.
        false_alarm_power: the power that white noise reaches anywhere with probability 1 %; of several channels, where
            their powers are alike.
        noise_power: that which noise of the data's own colour reaches, white or red, ``(K,)`` or ``(*modes)``: the line
            of false alarm in the picture.
        peaks: the lines, as a table, strongest first: :class:`fastspec.measure.Lines`.
        unit: of x, where the data say it: "day" for times.
        red: whether what the lines leave is red, so that in lines of low frequency there may be no more than that.
        false_alarm_over_red: of each line ``(n,)``, the probability that noise as red as all but what ``noise="red"``
            calls lines would have brought forth one as strong; where that is white, as ``peaks.false_alarm``.
    """

    frequencies: Tensor
    power: Tensor
    amplitude: Tensor
    false_alarm_power: float
    peaks: Lines
    unit: str | None
    red: bool
    noise_power: Tensor
    false_alarm_over_red: Tensor

    def plot(self, path: str | PathLike[str] | None = None, *, ax: "Axes | None" = None) -> "Figure":
        """Amplitude over frequency, the lines marked, and the level of false alarm; in two dimensions a map of it.

        Args:
            path: image file to write; ``None`` writes none.
            ax: matplotlib axes to draw in; ``None`` makes a figure.

        Raises:
            ImportError: where matplotlib is not installed.
            ValueError: with more than two dimensions.
        """
        figure = draw_spectrum(self.frequencies, self.amplitude, self._level(), self.peaks, self.unit, ax)
        if path is not None:
            write_figure(path, figure, dpi=160)
        return figure

    def _level(self) -> Tensor:
        """The amplitudes of the false-alarm line; of several channels about."""
        strongest = self.power.argmax()
        ratio = self.amplitude.flatten()[strongest] / self.power.flatten()[strongest].sqrt()
        return self.noise_power.sqrt() * ratio

    def _table(self) -> Table:
        lines = self.peaks
        unit = f"cycles per {self.unit or 'unit of x'}"
        top = ", ".join(f"{limit:.4g}" for limit in lines.max_frequency.tolist())
        title = (
            f"Spectrum: {len(lines)} line{'s' * (len(lines) != 1)} up to {top} {unit}; trend"
            f" {lines.trend_explained:.1%} of the variance, lines {_explained(lines):.1%}"
        )
        headings = [unit, "amplitude", "explained", "false alarm", "± frequency"]
        rows = [
            [_numbers(line[name]) for name in ("frequency", "amplitude", "explained")]
            + [f"{line['false_alarm']:.1e}", _numbers(line["error"])]
            for line in lines.table
        ]
        if self.red and len(lines):
            title += "; what they leave is red, in which a line may be noise"
            headings.append("over red noise")
            rows = [[*row, f"{p:.1e}"] for row, p in zip(rows, self.false_alarm_over_red.tolist(), strict=True)]
        return Table(title, headings, rows)

    def _picture(self) -> "Figure | None":
        return self.plot() if self.peaks.frequency.shape[1] <= 2 else None


def _explained(lines: Lines) -> float:
    """By all of them together."""
    return max(0.0, 1 - lines.trend_explained - lines.unexplained)


def _numbers(value: float | tuple[float, ...]) -> str:
    return ", ".join(f"{v:.5g}" for v in (value if isinstance(value, tuple) else (value,)))


@without_autocast()
@torch.no_grad()
def spectrum(
    x: Given,
    y: Given = None,
    *,
    max_frequency: float | None = None,
    n_lines: int | None = None,
    trend_degree: int = 1,
    false_alarm: float = FALSE_ALARM,
    noise: str = "white",
) -> Spectrum:
    """The spectrum of scattered data in the units of x, trend and mean out, and the lines that stand out of it.

    At each frequency a sinusoid is fitted along with the trend: the Lomb-Scargle periodogram with a floating mean
    (Zechmeister & Kürster 2009, A&A 496, 577), by nonuniform transforms. How often noise alone does as well anywhere in
    the range is Baluev's bound (2008, MNRAS 385, 1279; VanderPlas 2018, ApJS 236, 16 for what it means), and in more
    dimensions the expected Euler characteristic (Worsley 1994). The lines come of prewhitening: see
    :func:`fastspec.measure.dominant_frequencies`.

    Args:
        x: points, ``(M,)`` or ``(M, d)``: a tensor, an array, a Series, columns of a DataFrame, times (as days: a
            DatetimeIndex, datetime64), a DataArray. Or, without ``y``, values that have their own places: a Series or
            a DataArray with coordinates; an image ``(H, W)`` or ``(H, W, C)``, in pixels; a regular series ``(M,)``.
        y: values, ``(M,)`` or ``(M, C)``, alike.
        max_frequency: how far to look, cycles per unit of x, along each axis. By default the Nyquist frequency of
            regular points and nearly regular ones, and five times that of as many for scattered ones.
        n_lines: at most so many lines; by default 16.
        trend_degree: total degree of the polynomial trend.
        false_alarm: the probability below which noise would have made a line as strong, for it to be one.
        noise: ``"white"``, or ``"red"`` to compare lines with a background that falls with frequency, as it is found:
            then neither a random walk nor an autoregressive process has lines. White by default: what a network has to
            learn is there whether noise made it or not, and lines at low frequencies alone, as ten of 1 to 10 cycles,
            look as red as a walk, and would all be lost in it. Where what white lines leave is red, the table says of
            each how likely that is to have made it, and the picture's line of false alarm rises with it.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be; a ``max_frequency`` of more modes
            than the largest grid is one.
    """
    if noise not in ("white", "red"):
        raise ValueError(f"noise: was {noise!r}, must be 'white' or 'red'")
    x, y, unit = (points("x", x), numbers("y", y), unit_of(x)) if y is not None else laid_out(x)
    lines = find_lines(
        x,
        y,
        n_lines,
        max_frequency=max_frequency,
        trend_degree=trend_degree,
        false_alarm=false_alarm,
        red=noise == "red",
    )
    return described(x, y, lines, max_frequency, trend_degree, unit, noise)


def described(
    x: Tensor,
    y: Tensor,
    lines: Lines,
    max_frequency: float | None,
    trend_degree: int,
    unit: str | None,
    noise: str,
) -> Spectrum:
    """The lines with the periodogram that they stand in."""
    rows, values = checked_data(x, y, None)
    search = search_of(rows, max_frequency, grain_of(x))
    origin, span = middle_and_extent(rows)
    unit_x = (rows - origin) / span
    if isinstance(search, Ball):
        amplitude = lines.amplitude.norm(dim=1)
        nowhere = torch.full_like(amplitude, math.nan)
        return Spectrum(
            lines.frequency, lines.explained, amplitude, math.nan, lines, unit, False, nowhere, lines.false_alarm
        )
    trend = polynomials(2 * unit_x, trend_degree)
    power, amplitude = periodogram(unit_x, values, torch.linalg.qr(trend).Q, search)
    cycles = modes_of(search.modes, power) / search.oversampling
    if len(span) == 1:
        cycles, power, amplitude = cycles[1:], power[1:], amplitude[1:]
    fitted = fit(unit_x, (values - values.mean(0)) / values.std(0).clamp_min(_TINY), trend, lines.frequency * span)
    colour = background(fitted, search)
    channels, free = values.shape[1], len(rows) - trend.shape[1] - 2
    gain = math.expm1(search.trials.threshold(FALSE_ALARM, channels) / (max(1, free) * channels))
    level, over_red = gain / (1 + gain), lines.false_alarm
    noise_power = torch.full_like(power, level)
    if colour != WHITE:
        start = fitted.at(fitted.frequencies[:0])
        ground, over = lines_over_red(start, search, MOST_LINES, FALSE_ALARM)
        over_red = over_red.new_tensor(chances_over(fitted, ground, over))
        noise_power = gain * over.noise(cycles) * (ground.squares / start.squares.clamp_min(_TINY)).mean()
    frequencies = (cycles / span)[..., 0] if len(span) == 1 else cycles / span
    red = noise == "white" and colour != WHITE
    return Spectrum(frequencies, power, amplitude, level, lines, unit, red, noise_power, over_red)


def periodogram(x: Tensor, y: Tensor, trend: Tensor, search: Grid) -> tuple[Tensor, Tensor]:
    """Power and amplitude over the half of a search's modes, of values (M, C) beside an orthonormal trend (M, P)."""
    residual = y - trend @ (trend.mT @ y)
    period = (float(search.oversampling),) * x.shape[1]
    data, window = spectrum_of(x, residual, search.modes, period), spectrum_of(x, trend, search.modes, period)
    double = spectrum_of(2 * x, torch.ones_like(x[:, :1]), search.modes, period)[0]
    count = len(x)
    cc = (count + double.real) / 2 - window.real.square().sum(0)
    ss = (count - double.real) / 2 - window.imag.square().sum(0)
    cs = -double.imag / 2 + (window.real * window.imag).sum(0)
    determinant = (cc * ss - cs * cs).clamp_min(_SINGULAR * count**2)
    yc, ys = data.real, -data.imag
    gained = (ss * yc * yc + cc * ys * ys - 2 * cs * yc * ys) / determinant
    total = residual.square().sum(0).clamp_min(torch.finfo(y.dtype).tiny)
    power = (gained / total.reshape(-1, *[1] * x.shape[1])).mean(0).clamp(0, 1)
    return power, (2 / count * gained.clamp_min(0).sum(0)).sqrt()
