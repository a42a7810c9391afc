"""Where lines are looked for: a fine grid of frequencies, the modes of a box, or a ball in many dimensions."""

import copy
import math
from typing import Protocol

import torch
from torch import Tensor

from ..nufft import nufft3, rnufft1
from .significance import WHITE, Background, Trials, volume_of

_MOST_MODES = 2**22
_NYQUIST_FACTOR = 5  # how far beyond the mean sampling's Nyquist frequency scattered points are searched
LOWEST = 0.9  # cycles per span: below, a line is a trend
_OFF_GRID = 0.1  # of a spacing: nearer than this to its multiples, gaps are those of a grid
_FEWEST, _ALIKE = 8, 0.25  # gaps, and between their quartiles, of the median, where most are alike
_GRAINS = 20  # of rounding in a spacing that is none of its own
_CANDIDATES = 2**14  # of a search without a grid, and the best of them that climb
_CLIMBERS, _CLIMB = 16, 30
_PAIRS = 2**25  # of points and frequencies at a time: half a second, in which no interrupt is heard
_TIE = 1e-9


class Search(Protocol):
    """Looks for the strongest frequency in values at points.

    Attributes:
        trials: what it gives to chance.
        refines: whether lines may leave the frequencies it looks at.
        noise: what power is compared with.
    """

    trials: Trials
    noise: Background
    refines: bool

    def strongest(self, values: Tensor, taken: Tensor) -> Tensor:
        """Of values (M, C) the frequency (d,) of most power, apart from those taken (n, d).

        Raises:
            ValueError: where none is left.
        """
        ...


class Grid:
    """A grid of frequencies finer than the resolution 1 / span, up to a limit in each dimension.

    Args:
        unit_x: points of unit extent, (M, d).
        limits: highest frequency per dimension, in cycles per span.
        separation: least distance from those taken, and from zero, in cycles per span.
        cut: whether limits beyond the largest grid are lowered to it; else they raise.
    """

    refines, noise = True, WHITE

    def __init__(self, unit_x: Tensor, limits: list[float], separation: float, *, cut: bool):
        self.unit_x, self.separation = unit_x, separation
        self.oversampling, self.half = _grid_of(limits, cut)
        self.modes = tuple(2 * h + 1 for h in self.half)
        self.limits = [h / self.oversampling for h in self.half]
        self.trials = Trials(len(limits), volume_of(unit_x, math.prod(2 * top for top in self.limits) / 2))

    def over(self, noise: Background) -> "Grid":
        """The same search of power beside that of the noise."""
        search = copy.copy(self)
        search.noise = noise
        return search

    def coarse(self) -> "Comb":
        """The modes of the box that the points fill, a mean gap added so that it has no seam."""
        gap = 1 / max(1.0, len(self.unit_x) ** (1 / self.unit_x.shape[1]) - 1)
        return Comb(self.unit_x / (1 + gap), tuple(2 * int(top * (1 + gap)) + 1 for top in self.limits), 1 + gap)

    def strongest(self, values: Tensor, taken: Tensor) -> Tensor:
        modes = self.modes
        power = power_spectrum(self.unit_x, values, modes, (float(self.oversampling),) * len(modes))
        if self.noise != WHITE:
            power /= self.noise(modes_of(modes, power) / self.oversampling)
        self._leave_out(power, taken.new_zeros(taken.shape[1]), max(self.separation, LOWEST))
        for row in (*taken, *-taken):
            self._leave_out(power, row, self.separation)
        return _largest(power, modes, taken) / self.oversampling

    def _leave_out(self, power: Tensor, frequency: Tensor, separation: float) -> None:
        """What is nearer than that."""
        radius = separation * self.oversampling
        offsets, window = [], []
        for axis, f in enumerate(frequency.tolist()):
            at = f * self.oversampling + (self.half[axis] if axis < power.ndim - 1 else 0)
            low, high = max(0, math.ceil(at - radius)), min(power.shape[axis], math.floor(at + radius) + 1)
            if low >= high:
                return
            window.append(slice(low, high))
            offsets.append(torch.arange(low, high, dtype=power.dtype, device=power.device) - at)
        distance = torch.stack(torch.meshgrid(*offsets, indexing="ij")).norm(dim=0)
        power[tuple(window)].masked_fill_(distance < radius * (1 - 1e-9), -1)


def _grid_of(limits: list[float], cut: bool) -> tuple[int, list[int]]:
    """Oversampling, and modes on either side of zero, of the finest grid that is not too large."""
    d = len(limits)
    for oversampling in (4, 2, 1):
        half = [max(1, int(oversampling * limit + 1e-6)) for limit in limits]
        if math.prod(2 * h + 1 for h in half) <= _MOST_MODES:
            return oversampling, half
    most = int(_MOST_MODES ** (1 / d)) // 2 - 1
    if cut:
        return 1, [min(most, h) for h in half]
    raise ValueError(
        f"max_frequency: reached {max(limits):.4g} cycles over the extent of x, must be at most {most} where all"
        f" {d} dimensions are searched alike"
    )


class Comb:
    """The modes of a periodic box: whole wavenumbers, which lines cannot leave.

    Args:
        turns: points over the period, (M, d).
        modes: of each dimension.
        period: what frequencies are counted per, in units of the fit's points.
    """

    refines, noise = False, WHITE

    def __init__(self, turns: Tensor, modes: tuple[int, ...], period: float = 1.0):
        self.turns, self.modes, self.period = turns, modes, period
        self.trials = Trials(len(modes), discrete=max(1.0, math.prod(modes) / 2))

    def strongest(self, values: Tensor, taken: Tensor) -> Tensor:
        power = power_spectrum(self.turns, values, self.modes, (1.0,) * len(self.modes))
        zero = tuple(n // 2 for n in self.modes[:-1]) + (0,)
        power[zero] /= 2  # a constant has no sine
        for row in (taken * self.period).tolist():
            for sign in (1, -1):
                at = [round(sign * k) for k in row]
                at = [k + n // 2 for k, n in zip(at[:-1], self.modes, strict=False)] + at[-1:]
                if all(0 <= i < n for i, n in zip(at, power.shape, strict=True)):
                    power[tuple(at)] = -1
        return _largest(power, self.modes, taken) / self.period


def power_spectrum(x: Tensor, values: Tensor, modes: tuple[int, ...], period: tuple[float, ...]) -> Tensor:
    """Summed over channels."""
    spectrum = spectrum_of(x, values, modes, period)
    return (spectrum.real.square() + spectrum.imag.square()).sum(0)


def spectrum_of(x: Tensor, values: Tensor, modes: tuple[int, ...], period: tuple[float, ...]) -> Tensor:
    """Of values (M, C) over the half of the modes whose last wavenumber is not negative: (C, *half)."""
    return rnufft1(x, values.mT.contiguous(), modes, eps=1e-6, period=period)


def modes_of(modes: tuple[int, ...], power: Tensor) -> Tensor:
    """Wavenumbers (*shape of the power, d)."""
    axes = [torch.arange(-(n // 2), (n + 1) // 2, device=power.device, dtype=power.dtype) for n in modes[:-1]]
    last = torch.arange(power.shape[-1], device=power.device, dtype=power.dtype)
    return torch.stack(torch.meshgrid(*axes, last, indexing="ij"), -1)


def _largest(power: Tensor, modes: tuple[int, ...], taken: Tensor) -> Tensor:
    """Wavenumber (d,) of the largest entry; of equal ones, as a regular grid's aliases are, the one nearest to zero."""
    top = power.max()
    if not bool(top > 0):
        raise nothing_left(taken)
    found = (power >= top * (1 - _TIE)).nonzero()
    k = (found - torch.tensor([*(n // 2 for n in modes[:-1]), 0], device=found.device)).to(taken)
    return k[k.norm(dim=1).argmin()]


def nothing_left(taken: Tensor) -> ValueError:
    return ValueError(
        f"n_frequencies: must be at most {len(taken)}, the separate frequencies that these data resolve"
        " up to max_frequency"
    )


class Ball:
    """Random frequencies of a ball, by direct sums, the best of which climb: for dimensions that no grid fits."""

    refines, noise = True, WHITE

    def __init__(self, unit_x: Tensor, span: Tensor, radius: float, separation: float):
        self.unit_x, self.separation = unit_x.float(), separation
        self.trials = Trials(len(span), discrete=float(_CANDIDATES))
        self.limits = (radius * span).tolist()
        generator = torch.Generator(unit_x.device).manual_seed(0)
        drawn = torch.randn(_CANDIDATES, len(span), generator=generator, device=unit_x.device)
        length = torch.rand(_CANDIDATES, 1, generator=generator, device=unit_x.device) ** (1 / len(span))
        self.frequency = radius * length * torch.nn.functional.normalize(drawn, dim=1) * span

    def strongest(self, values: Tensor, taken: Tensor) -> Tensor:
        strengths = values.mT.float().contiguous()
        climbers = self.frequency[self._power(strengths, self.frequency).topk(_CLIMBERS).indices].requires_grad_()
        ascent = torch.optim.LBFGS([climbers], max_iter=_CLIMB, line_search_fn="strong_wolfe")

        def fall() -> Tensor:
            ascent.zero_grad()
            loss = -self._power(strengths, climbers).sum()
            loss.backward()
            return loss

        with torch.enable_grad():
            ascent.step(fall)
        climbers = climbers.detach()
        power = self._power(strengths, climbers)
        for row in (taken.new_zeros(taken.shape[1]), *taken, *-taken):
            power[(climbers - row).norm(dim=-1) < self.separation] = -1
        if not bool(power.max() > 0):
            raise nothing_left(taken)
        return climbers[power.argmax()].to(taken)

    def _power(self, strengths: Tensor, frequency: Tensor) -> Tensor:
        spectra = (
            nufft3(self.unit_x, strengths, 2 * math.pi * part)
            for part in frequency.split(max(1, _PAIRS // len(self.unit_x)))
        )
        return torch.cat([(s.real.square() + s.imag.square()).sum(0) for s in spectra]) / len(self.unit_x)


class Known:
    """No search at points of unit extent, (M, d), but frequencies (n, d) that were told, in cycles per span."""

    noise = WHITE

    def __init__(self, unit_x: Tensor, frequencies: Tensor, grain: float):
        self.trials = Trials(frequencies.shape[1], discrete=float(len(frequencies)))
        told = frequencies.abs().amax(0).tolist()
        self.limits = [max(pair) for pair in zip(told, nyquist(unit_x, grain), strict=True)]


def nyquist(unit_x: Tensor, grain: float) -> list[float]:
    """Up to where frequencies can be told from lower ones, per dimension, in cycles per span.

    Where all gaps between neighbouring coordinates are multiples of a spacing p, exactly 1 / 2p: beyond it the spectrum
    repeats. Where most gaps of a series are alike, as those of weeks in decimal years, half of one over the median gap:
    beyond it a line is hardly told from its alias below. Scattered coordinates have no such limit (VanderPlas 2018,
    ApJS 236, 16); five times the Nyquist frequency of as many regular ones is then taken.

    Args:
        unit_x: points of unit extent, (M, d).
        grain: what coordinates are rounded to.
    """
    limits = []
    for column in unit_x.unbind(1):
        gaps = (column / grain).round().unique().diff() * grain
        multiples = [(gaps / (gaps.min() / part)).round() for part in (1, 2, 3)]
        spacings = [(gaps.sum() / m.sum()).item() for m in multiples]
        on_grid = [
            p
            for p, m in zip(spacings, multiples, strict=True)
            if p > _GRAINS * grain and bool(((gaps / p - m).abs() < _OFF_GRID).all())
        ]
        count = len(gaps) + 1
        each = float(count) if 2 * count < len(column) else len(column) ** (1 / unit_x.shape[1])
        limits.append(0.5 / (on_grid[0] if on_grid else _usual(gaps) or 1 / (_NYQUIST_FACTOR * each)))
    return limits


def _usual(gaps: Tensor) -> float | None:
    """The median gap, where half of them are within an eighth of it."""
    if len(gaps) < _FEWEST:
        return None
    low, middle, high = (gaps.kthvalue(max(1, round(share * len(gaps)))).values.item() for share in (0.25, 0.5, 0.75))
    return middle if high - low < _ALIKE * middle else None
