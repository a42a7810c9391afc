"""Which wavenumbers a monitor tracks, and the transform of values to them."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from ..nufft import Plan
from .fits import polynomials
from .joint import Fit, fit
from .lines import one_of_each_pair
from .peaks import spectral_peaks
from .prewhitening import FALSE_ALARM, MINUTE, MOST_LINES, criterion, significant_lines
from .search import Comb
from .spectra import spectrum

# Up to this many entries a held matrix of exponentials costs less per update than spreading and an FFT.
_DIRECT_ENTRIES = 2**21

_SIGMAS, _LEAST_MEAN = 4, 0.1  # of a mean that is tracked: standard errors, and standard deviations of the values

Transform = Callable[[Tensor], Tensor]


def target_peaks(
    x: Tensor, target: Tensor, modes: tuple[int, ...], period: Sequence[float], count: int | None
) -> Tensor:
    """Wavenumbers (K, d) of the target's significant lines among the modes, nearest to zero first.

    Where that explains more, a linear trend is fitted along, whose leakage would else be a line at each low wavenumber.
    """
    turns = x.double() / torch.tensor(period, dtype=torch.float64, device=x.device)
    found = _modes_of(turns, _real_channels(target), modes, count)
    signed = _signs_that_carry if target.is_complex() else _positive
    wavenumbers = signed(found)
    if _has_mean(found):
        wavenumbers = torch.cat([wavenumbers, wavenumbers.new_zeros(1, x.shape[1])])
    wavenumbers = wavenumbers[:count].cpu()
    if len(wavenumbers) == 0:
        raise ValueError(
            "target: has no spectral peak on these modes that noise would not have made, so peaks must be a tensor of"
            " wavenumbers"
        )
    return wavenumbers[wavenumbers.norm(dim=1).argsort(stable=True)]


def _modes_of(turns: Tensor, y: Tensor, modes: tuple[int, ...], count: int | None) -> Fit:
    """With a linear trend and without: a trend is no sum of modes, but modes add up to what looks like one."""
    low, high = turns.amin(0), turns.amax(0)
    unit = (2 * turns - low - high) / (high - low).clamp_min(torch.finfo(turns.dtype).tiny)
    most, comb = max(MOST_LINES, count or 0), Comb(turns, modes)
    fits = []
    for degree in (0, 1):
        trend = polynomials(unit, degree)
        room = max(0, (len(y) - trend.shape[1] - 1) // (2 + len(modes)))
        start = fit(turns, y, trend, turns.new_zeros(0, len(modes)))
        fits.append(significant_lines(start, comb, min(most, room), FALSE_ALARM))
    best = min(fits, key=criterion)
    if count is not None and len(best) < count:  # so many were asked for, whatever they are
        best = significant_lines(best, comb, min(count, max(0, (len(y) - 3) // (2 + len(modes)))), chance=1.0)
    return best.at(best.frequencies[best.amplitudes().norm(dim=1).argsort(descending=True)])


def _real_channels(target: Tensor) -> Tensor:
    """Of unit variance each; of a complex channel its two parts, scaled alike."""
    size = target.std(0).double().clamp_min(torch.finfo(torch.float64).tiny)
    return (
        torch.cat([target.real.double() / size, target.imag.double() / size], 1)
        if target.is_complex()
        else target.double() / size
    )


def _positive(found: Fit) -> Tensor:
    return one_of_each_pair(found.frequencies.round())[0]


def _signs_that_carry(found: Fit) -> Tensor:
    """Of e^{ikx} and e^{-ikx}, whose sum a complex target has at each k, those that are not minute."""
    cosines, sines = (torch.complex(*wave.chunk(2, 1)) for wave in found.waves)
    sizes = torch.cat([(cosines - 1j * sines).norm(dim=1), (cosines + 1j * sines).norm(dim=1)])
    k = torch.cat([found.frequencies, -found.frequencies]).round()
    order = sizes.argsort(descending=True)
    return k[order][sizes[order] > MINUTE * sizes.max()] if len(k) else k


def _has_mean(found: Fit) -> bool:
    """Whether the values' mean is neither noise nor what lines at scattered points add up to."""
    spread = (found.squares / len(found.y)).sqrt() / len(found.y) ** 0.5
    mean = torch.minimum(found.y.mean(0).abs(), found.coefficients[0].abs())
    return bool(((mean > _SIGMAS * spread) & (mean > _LEAST_MEAN)).any())


def tracked_transform(x: Tensor, wavenumbers: Tensor, period: Sequence[float], dtype: torch.dtype) -> Transform:
    """The map from values (M, C) to their spectrum (K, C) at the wavenumbers: a held matrix, a held plan or sums."""
    integral = bool((wavenumbers == wavenumbers.round()).all())
    if len(wavenumbers) * len(x) <= _DIRECT_ENTRIES:
        return _Direct(x, wavenumbers, period, dtype)
    if x.shape[1] > 3 or not integral:
        return partial(spectrum, x, k=wavenumbers, period=period)
    return _Gridded(x, wavenumbers, period)


class _Direct:
    def __init__(self, x: Tensor, wavenumbers: Tensor, period: Sequence[float], dtype: torch.dtype):
        turns = x.double() / torch.tensor(period, dtype=torch.float64, device=x.device)
        phase = -2 * math.pi * (wavenumbers.to(x.device) @ turns.mT)
        exponentials = torch.polar(torch.full_like(phase, 1 / len(x)), phase)
        if dtype.is_complex:
            self.matrix = exponentials.to(dtype)
        else:
            # Real values need no complex product: cosines above sines.
            self.matrix = torch.cat([exponentials.real, exponentials.imag]).to(dtype)

    def __call__(self, values: Tensor) -> Tensor:
        product = self.matrix @ values
        return product if values.is_complex() else torch.complex(*product.chunk(2))


class _Gridded:
    def __init__(self, x: Tensor, wavenumbers: Tensor, period: Sequence[float]):
        # The smallest symmetric grid that holds every tracked wavenumber.
        half = wavenumbers.abs().amax(0).long()
        self.plan = Plan(x, tuple((2 * half + 1).tolist()), period=period)
        self.index: tuple[slice | Tensor, ...] = (slice(None), *(wavenumbers.long() + half).to(x.device).unbind(1))

    def __call__(self, values: Tensor) -> Tensor:
        spectrum = self.plan.nufft1(values.mT.contiguous())
        return spectrum[self.index].mT / len(values)


def line_peaks(magnitude: Tensor, count: int | None) -> Tensor:
    """Indices (P,) of the peaks of a spectrum along a line, in order; of its largest value where it has none."""
    found = spectral_peaks(magnitude, significant=count is None).flatten()[:count].cpu()
    return found.sort().values if len(found) else magnitude.argmax()[None].cpu()


class Bands:
    """Ranges of frequency, as index of the wavenumbers within them.

    Args:
        limits: pairs (lo, hi), lo ≤ |f| < hi; they may overlap.
        frequencies: float64 (K, d) on the CPU, those there are.
    """

    def __init__(self, limits: Sequence[tuple[float, float]], frequencies: Tensor):
        try:
            self.limits = torch.tensor([(float(lo), float(hi)) for lo, hi in limits], dtype=torch.float64)
        except (TypeError, ValueError):
            raise TypeError(f"bands: were {limits!r}, must be pairs of numbers (lo, hi)") from None
        if len(self.limits) == 0 or not bool((self.limits[:, 0] < self.limits[:, 1]).all()):
            raise ValueError(f"bands: were {limits!r}, must be pairs lo < hi, at least one")
        size = frequencies.norm(dim=1)
        member = (size >= self.limits[:, :1]) & (size < self.limits[:, 1:])  # (B, K)
        if not bool(member.any(1).all()):
            empty = self.limits[~member.any(1)][0].tolist()
            raise ValueError(f"bands: {tuple(empty)} held none of the wavenumbers, must each hold one")
        self.inside = member.any(0).nonzero().flatten()
        self._member = member[:, self.inside]

    def norms(self, magnitude: Tensor) -> Tensor:
        """(K,) magnitudes of the wavenumbers inside -> (B,)."""
        out: Tensor = (self._member.to(magnitude) @ magnitude.square()).sqrt()
        return out
