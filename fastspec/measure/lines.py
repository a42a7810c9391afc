"""The lines of scattered data: which sinusoids it is made of, and how sure that is."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .. import _check
from .._core.plain import without_autocast
from .._data import Given, grain_of, numbers, points
from .._warn import warn
from .fits import polynomials
from .joint import Fit, fit
from .prewhitening import MOST_LINES, all_lines, chances, lines_of, lines_over_red
from .search import Ball, Grid, Known, nyquist

SEPARATION = 0.75  # cycles per span


class InsignificantWarning(UserWarning):
    """Fewer lines are significant than were asked for."""


@dataclass(frozen=True, repr=False)
class Lines:
    """Sinusoids found in scattered data, strongest first: y ≈ trend + Σ_n a_n cos(2π f_n·(x - origin) + φ_n).

    Attributes:
        frequency: f_n, float64 ``(n, d)``, cycles per unit of x; of f and -f the one whose first non-zero entry is
            positive.
        amplitude: a_n, ``(n, C)``, in units of y.
        phase: φ_n, ``(n, C)``, radians.
        explained: ``(n,)``, by what share of y's variance the misfit grows where the line alone is left out; of several
            channels the mean of their shares.
        false_alarm: ``(n,)``, the probability that white noise in place of the line would have brought forth one as
            strong, anywhere in the range searched.
        error: ``(n, d)``, standard errors of the frequencies under white noise.
        origin: ``(d,)``, the middle of x.
        max_frequency: ``(d,)``, how far was searched, per dimension, cycles per unit.
        trend_explained: the share of y's variance that the trend takes out by itself.
        unexplained: the share of y's variance that is left.
        residual: ``(M, C)``, y less trend and lines, in units of y.
    """

    frequency: Tensor
    amplitude: Tensor
    phase: Tensor
    explained: Tensor
    false_alarm: Tensor
    error: Tensor
    origin: Tensor
    max_frequency: Tensor
    trend_explained: float
    unexplained: float
    residual: Tensor

    def __len__(self) -> int:
        return len(self.frequency)

    @property
    def table(self) -> list[dict[str, float | tuple[float, ...]]]:
        """One dictionary a line, of plain numbers: frequency, error, amplitude, phase, explained, false_alarm."""
        rows = zip(
            *(
                [_one_or_all(row) for row in t.tolist()]
                for t in (self.frequency, self.error, self.amplitude, self.phase)
            ),
            self.explained.tolist(),
            self.false_alarm.tolist(),
            strict=True,
        )
        names = ("frequency", "error", "amplitude", "phase", "explained", "false_alarm")
        return [dict(zip(names, row, strict=True)) for row in rows]


def _one_or_all(row: list[float]) -> float | tuple[float, ...]:
    return row[0] if len(row) == 1 else tuple(row)


@without_autocast()
@torch.no_grad()
def find_lines(
    x: Given,
    y: Given,
    n_lines: int | None = None,
    *,
    max_frequency: float | None = None,
    trend_degree: int = 1,
    false_alarm: float = 0.01,
    min_separation: float = SEPARATION,
    red: bool = False,
) -> Lines:
    """The sinusoids that scattered data are made of, off any grid, whatever trend they ride on.

    Prewhitening, as astronomers do with unevenly sampled light curves (Lenz & Breger 2005, Period04): the largest peak
    of the residual's nonuniform spectrum, on a grid finer than its resolution; a joint least-squares fit of trend and
    all lines so far; a correction of their frequencies by Gauss-Newton; and again. See
    :func:`fastspec.measure.dominant_frequencies` for the arguments.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.

    Warns:
        InsignificantWarning: where ``n_lines`` is given and fewer are significant.
    """
    grain = grain_of(x)
    x, y = checked_data(points("x", x), numbers("y", y), n_lines)
    if not 0 < false_alarm <= 1:
        raise ValueError(f"false_alarm: was {false_alarm}, must be above 0 and at most 1")
    origin, span = middle_and_extent(x)
    scale = y.std(0).clamp_min(torch.finfo(y.dtype).tiny)
    unit_x = (x - origin) / span
    trend = polynomials(2 * unit_x, trend_degree)
    room = (len(x) - trend.shape[1] - 1) // (2 + x.shape[1])
    if room < (n_lines or 0):
        raise ValueError(f"x: had {len(x)} points, must have more to fit a trend and {n_lines} frequencies")
    search = search_of(x, max_frequency, grain, min_separation)
    start = fit(unit_x, (y - y.mean(0)) / scale, trend, unit_x.new_zeros(0, x.shape[1]))
    if n_lines is not None and false_alarm == 1:
        found = all_lines(start, search, n_lines)
    else:
        most = min(MOST_LINES if n_lines is None else n_lines, room)
        if red and isinstance(search, Grid):
            found, search = lines_over_red(start, search, most, false_alarm)
        else:
            found = lines_of(start, search, search.coarse() if isinstance(search, Grid) else search, most, false_alarm)
    lines = _described(found, search, scale, span, origin)
    if n_lines is not None and len(lines) < n_lines:
        warn(
            f"{len(lines)} of the {n_lines} lines asked for are significant, up to a frequency of"
            f" {', '.join(f'{top:.4g}' for top in lines.max_frequency.tolist())}: search farther with max_frequency,"
            " or take what noise may have made with false_alarm=1",
            InsignificantWarning,
        )
    return lines


@without_autocast()
@torch.no_grad()
def lines_at(x: Given, y: Given, frequency: Tensor, trend_degree: int = 1) -> Lines:
    """Sinusoids of frequencies (n, d) that are known, fitted with a trend; ``false_alarm`` is that of these alone."""
    grain = grain_of(x)
    x, y = checked_data(points("x", x), numbers("y", y), None)
    origin, span = middle_and_extent(x)
    scale = y.std(0).clamp_min(torch.finfo(y.dtype).tiny)
    unit_x = (x - origin) / span
    found = fit(unit_x, (y - y.mean(0)) / scale, polynomials(2 * unit_x, trend_degree), frequency.to(x) * span)
    return _described(found, Known(unit_x, found.frequencies, grain), scale, span, origin)


def checked_data(x: Tensor, y: Tensor, n_lines: int | None) -> tuple[Tensor, Tensor]:
    """Float64 (M, d) and (M, C), the values that vary."""
    _check.tensor("x", x)
    for name, value in (("x", x), ("y", y)):
        _check.data(name, value, x, real=True)
        if value.ndim not in (1, 2) or value.numel() == 0:
            raise ValueError(f"{name}: shape was {tuple(value.shape)}, must be (M,) or (M, columns) and not empty")
        if not bool(value.isfinite().all()):
            raise ValueError(f"{name}: had non-finite values, must be finite")
    if isinstance(n_lines, bool) or not isinstance(n_lines, (int, type(None))):
        raise TypeError(f"n_frequencies: was {type(n_lines).__name__}, must be an int or None")
    if n_lines is not None and n_lines < 0:
        raise ValueError(f"n_frequencies: was {n_lines}, must be at least 0")
    if len(x) != len(y):
        raise ValueError(f"y: had {len(y)} rows, must have {len(x)} as x has")
    if bool((y.amax(0) == y.amin(0)).all()):
        raise ValueError("y: was constant, must vary")
    x, y = (t.detach().double().reshape(len(t), -1) for t in (x, y))
    return x, y


def search_of(x: Tensor, max_frequency: float | None, grain: float, separation: float = SEPARATION) -> Grid | Ball:
    """Of points (M, d) rounded to ``grain``."""
    if max_frequency is not None and not 0 < max_frequency < math.inf:
        raise ValueError(f"max_frequency: was {max_frequency}, must be positive")
    origin, span = middle_and_extent(x)
    unit_x = (x - origin) / span
    if len(span) > 3:
        if max_frequency is None:
            raise ValueError(
                f"max_frequency: was None, must be given where x has more than 3 dimensions: it had {len(span)}"
            )
        return Ball(unit_x, span, max_frequency, separation)
    if max_frequency is None:
        return Grid(unit_x, nyquist(unit_x, grain), separation, cut=True)
    return Grid(unit_x, (max_frequency * span).tolist(), separation, cut=False)


def middle_and_extent(x: Tensor) -> tuple[Tensor, Tensor]:
    """(d,) each."""
    low, high = x.amin(0), x.amax(0)
    if not bool((high > low).all()):
        raise ValueError("x: had no extent along some dimension, must have some along each")
    return (low + high) / 2, high - low


def _described(found: Fit, search: Grid | Ball | Known, scale: Tensor, span: Tensor, origin: Tensor) -> Lines:
    varied = found.y.square().sum(0)
    varying = varied > 0
    shares = found.shares() if len(found) else found.frequencies.new_zeros(0, len(scale))
    explained = (shares[:, varying] / varied[varying]).mean(1)
    before = found.at(found.frequencies[:0]).squares
    frequency, flipped = one_of_each_pair(found.frequencies)
    cosines, sines = found.waves
    phase = torch.atan2(-sines, cosines)
    order = explained.argsort(descending=True)
    return Lines(
        frequency=(frequency / span)[order],
        amplitude=(found.amplitudes() * scale)[order],
        phase=torch.where(flipped, -phase, phase)[order],
        explained=explained[order],
        false_alarm=explained.new_tensor(chances(found, search))[order],
        error=(found.errors() / span)[order] if len(found) else frequency,
        origin=origin,
        max_frequency=span.new_tensor(search.limits) / span,
        trend_explained=1 - (before[varying] / varied[varying]).mean().item(),
        unexplained=(found.squares[varying] / varied[varying]).mean().item(),
        residual=found.residual * scale,
    )


def one_of_each_pair(frequency: Tensor) -> tuple[Tensor, Tensor]:
    """Of +f and -f, rows of (n, d), the one whose first non-zero entry is positive, and which were turned (n, 1)."""
    leading = frequency.gather(1, (frequency != 0).int().argmax(1, keepdim=True))
    return torch.where(leading < 0, -frequency, frequency), leading < 0
