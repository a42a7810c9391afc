"""Finding the frequencies that carry a signal: peaks of a gridded spectrum, and lines in scattered data."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from .. import _check
from .._core.plain import without_autocast
from ..nufft import nufft1, nufft3
from .fits import least_squares, polynomials

# Odd width, in modes along each axis, of the neighbourhood that a peak's background is estimated from: about a hundred
# modes or fewer in every dimension, so that the estimate costs little more than the spectrum's own memory.
_BACKGROUND_WIDTH = {1: 17, 2: 9, 3: 5}
_BACKGROUND_QUANTILE = 0.25
_FALSE_ALARM = 0.01
_MOST_FOUND, _MINUTE = 16, 0.05  # lines, and their least amplitude beside the strongest's
_ROUNDING = 1e-5
_MOST_MODES = 2**21
_CANDIDATES = 2**14  # of a search without a grid, and the best of them that climb
_CLIMBERS, _CLIMB = 16, 30
_PAIRS = 2**25  # of points and frequencies at a time: half a second, in which no interrupt is heard


def spectral_peaks(magnitude: Tensor, *, significant: bool = True) -> Tensor:
    """Strict local maxima of a spectrum's magnitude, largest first.

    A mode is a peak if it exceeds all its 3^d - 1 neighbours; modes outside the grid count as lower. Scattered points
    sprinkle every spectrum with local maxima that carry nothing, so ``significant`` keeps only those that stand out of
    their background as noise would in one grid of a hundred: the background's mean power is estimated from the lower
    quartile of the surrounding modes, which peaks and a steep trend both leave alone, and noise power is exponentially
    distributed about it.

    Args:
        magnitude: real, ``(*modes)``, one to three dimensions.
        significant: keep only peaks that stand out of the background; ``False`` keeps every strict local maximum.

    Returns:
        int64 ``(P, d)`` indices into ``magnitude``.

    Raises:
        ValueError: if ``magnitude`` has not one to three dimensions.
    """
    if magnitude.ndim not in _BACKGROUND_WIDTH:
        raise ValueError(f"magnitude: had {magnitude.ndim} dimensions, must have 1 to 3")
    keep = _strict_maxima(magnitude) & (magnitude > _ROUNDING * magnitude.max())
    if significant:
        keep &= magnitude > _noise_level(magnitude)
    found = keep.nonzero()
    return found[magnitude[keep].argsort(descending=True)]


def _strict_maxima(magnitude: Tensor) -> Tensor:
    windows = _windows(magnitude, 3, -math.inf)
    centre = windows.shape[-1] // 2
    others = torch.cat([windows[..., :centre], windows[..., centre + 1 :]], -1)
    return magnitude > others.amax(-1)


def _noise_level(magnitude: Tensor) -> Tensor:
    """The magnitude that noise like a mode's surroundings reaches in one grid of a hundred."""
    windows = _windows(magnitude, _BACKGROUND_WIDTH[magnitude.ndim], math.nan)
    background = torch.nanquantile(windows, _BACKGROUND_QUANTILE, dim=-1)
    mean_power = background**2 / -math.log1p(-_BACKGROUND_QUANTILE)
    return (mean_power * math.log(magnitude.numel() / _FALSE_ALARM)).sqrt()


def _windows(values: Tensor, width: int, outside: float) -> Tensor:
    """(*modes) -> (*modes, width^d): each mode's neighbourhood, ``outside`` where it leaves the grid."""
    d = values.ndim
    values = torch.nn.functional.pad(values, (width // 2,) * (2 * d), value=outside)
    for axis in range(d):
        values = values.unfold(axis, width, 1)
    return values.flatten(-d)


@without_autocast()
def dominant_frequencies(
    x: Tensor,
    y: Tensor,
    n_frequencies: int | None,
    *,
    max_frequency: float | None = None,
    trend_degree: int = 3,
    min_separation: float = 2.0,
) -> Tensor:
    """The ``n_frequencies`` strongest oscillations of scattered data, off any grid, whatever trend they ride on.

    Prewhitening, as astronomers do with unevenly sampled light curves (Lenz & Breger 2005, Period04): take the
    nonuniform spectrum of the residual on a grid finer than its resolution, pick the largest peak, fit a polynomial
    trend and sinusoids at all picked frequencies jointly by least squares, correct the frequencies by one Gauss-Newton
    step of the same fit, subtract, repeat. The joint fit keeps a trend's leakage, and that of strong lines, from
    posing as peaks.

    The search reaches, along each axis, the Nyquist frequency of the median spacing of the distinct coordinates: on a
    regular grid that is the grid's own, for scattered points far more than M^(1/d). It is cut off where the search
    grid would exceed 2^21 modes: 2.6e5 cycles per span in 1-D, 180 in 2-D, 31 in 3-D. Give ``max_frequency`` to
    search less, for speed or where strong noise would win at frequencies you know to be empty.

    Beyond three dimensions no grid would fit: the best of 16,384 random frequencies, drawn with a fixed seed from the
    ball of radius ``max_frequency``, climb the spectrum's power. One of them must fall on the flank of a line, about
    half a cycle per standard deviation of ``x`` wide: in eight dimensions look no further than about one such cycle.

    Args:
        x: real ``(M,)`` or ``(M, d)``, in your units.
        y: real ``(M,)`` or ``(M, C)``; channels share the frequencies, their powers add after scaling to unit variance.
        n_frequencies: how many; ``None`` for as many as are significant, at most 16: one after the other, while noise
            would bring forth a line as strong, anywhere in the search, with a probability below 0.01 (the joint fit's
            likelihood ratio, times the number of frequencies that the points tell apart), and while the line's
            amplitude is at least 5 % of the strongest's.
        max_frequency: upper limit per axis, in cycles per unit of ``x``; for d > 3 of the frequency's length, and not
            optional.
        trend_degree: total degree of the polynomial trend fitted along.
        min_separation: least distance between picked frequencies, and from zero, in cycles per span of ``x``.

    Returns:
        float64 ``(n_frequencies, d)`` on the device of ``x``, cycles per unit, strongest first; of the two signs of a
        frequency, the one whose first non-zero entry is positive.

    Raises:
        TypeError: if ``x`` or ``y`` is not a real floating-point tensor, or ``n_frequencies`` is not an int.
        ValueError: if shapes disagree, y is constant, d > 3 without ``max_frequency``, values are not finite, or the
            data cannot tell that many frequencies apart (too few points, no extent, or no room between
            ``min_separation`` and ``max_frequency``).
    """
    x, y = _checked_data(x, y, n_frequencies)
    span = x.amax(0) - x.amin(0)
    if not bool((span > 0).all()):
        raise ValueError("x: had no extent along some dimension, must have some along each")
    centre = (x.amax(0) + x.amin(0)) / 2
    unit_x = (x - centre) / span
    y = (y - y.mean(0)) / y.std(0).clamp_min(torch.finfo(y.dtype).tiny)
    trend = polynomials(2 * unit_x, trend_degree)
    room = (len(x) - trend.shape[1] - 1) // (2 + x.shape[1])
    if room < (n_frequencies or 0):
        raise ValueError(f"x: had {len(x)} points, must have more to fit a trend and {n_frequencies} frequencies")
    search = _search(unit_x, span, max_frequency)
    picked = unit_x.new_zeros(0, x.shape[1])
    residual = y - trend @ least_squares(trend, y)
    found = _Fit(unit_x, y, trend, picked, residual)
    if n_frequencies is None:
        found = _significant(found, search, min(_MOST_FOUND, room), min_separation)
    else:
        for _ in range(n_frequencies):
            found = found.with_another(search, min_separation)
    return one_of_each_pair(found.picked) / span


def _checked_data(x: Tensor, y: Tensor, n_frequencies: int | None) -> tuple[Tensor, Tensor]:
    _check.tensor("x", x)
    for name, value in (("x", x), ("y", y)):
        _check.data(name, value, x, real=True)
        if value.ndim not in (1, 2) or value.numel() == 0:
            raise ValueError(f"{name}: shape was {tuple(value.shape)}, must be (M,) or (M, columns) and not empty")
        if not bool(value.isfinite().all()):
            raise ValueError(f"{name}: had non-finite values, must be finite")
    if isinstance(n_frequencies, bool) or not isinstance(n_frequencies, (int, type(None))):
        raise TypeError(f"n_frequencies: was {type(n_frequencies).__name__}, must be an int or None")
    if n_frequencies is not None and n_frequencies < 0:
        raise ValueError(f"n_frequencies: was {n_frequencies}, must be at least 0")
    if len(x) != len(y):
        raise ValueError(f"y: had {len(y)} rows, must have {len(x)} as x has")
    if bool((y.amax(0) == y.amin(0)).all()):
        raise ValueError("y: was constant, must vary")
    x, y = (t.detach().double().reshape(len(t), -1) for t in (x, y))
    return x, y


class _Fit(NamedTuple):
    """Trend and lines fitted to data of unit extent and variance."""

    unit_x: Tensor
    y: Tensor
    trend: Tensor
    picked: Tensor  # (n, d)
    residual: Tensor

    def with_another(self, search: "_Grid | _Ball", min_separation: float) -> "_Fit":
        picked = torch.cat([self.picked, search.largest(self.residual, self.picked, min_separation)[None]])
        picked, residual = _refit(self.unit_x, self.y, self.trend, picked, min_separation / 4)
        return self._replace(picked=picked, residual=residual)

    def amplitudes(self) -> Tensor:
        """(n,), root of the sum over channels of their squares."""
        phase = 2 * math.pi * self.unit_x @ self.picked.mT
        both = least_squares(torch.cat([self.trend, phase.cos(), phase.sin()], 1), self.y)[self.trend.shape[1] :]
        return both.square().reshape(2, len(self.picked), -1).sum((0, 2)).sqrt()


def _significant(fit: _Fit, search: "_Grid | _Ball", most: int, min_separation: float) -> _Fit:
    """Lines one after the other, while they are no noise's and not minute."""
    for _ in range(most):
        try:
            more = fit.with_another(search, min_separation)
        except ValueError:  # no separate frequency is left
            break
        sizes = more.amplitudes()
        if search.independent * _chance(fit, more) > _FALSE_ALARM or sizes[-1] < _MINUTE * sizes.max():
            break
        fit = more
    return fit


def _chance(fewer: _Fit, more: _Fit) -> float:
    """That white noise makes a given frequency gain as much: the ratio of likelihoods is chi-squared of 2 C degrees."""
    count, channels = more.residual.shape
    free = count - more.trend.shape[1] - 2 * len(more.picked)
    before, after = (fit.residual.square().sum() + torch.finfo(fit.residual.dtype).tiny for fit in (fewer, more))
    gain = (free * channels / 2 * (before / after).log()).clamp_min(0)
    out: float = torch.special.gammaincc(gain.new_tensor(float(channels)), gain).item()
    return out


def _search(unit_x: Tensor, span: Tensor, max_frequency: float | None) -> "_Grid | _Ball":
    if max_frequency is not None and not 0 < max_frequency < math.inf:
        raise ValueError(f"max_frequency: was {max_frequency}, must be positive")
    if len(span) <= 3:
        return _Grid(unit_x, _limits(unit_x, span, max_frequency))
    if max_frequency is None:
        raise ValueError(
            f"max_frequency: was None, must be given where x has more than 3 dimensions: it had {len(span)}"
        )
    return _Ball(unit_x, span, max_frequency)


def _limits(unit_x: Tensor, span: Tensor, max_frequency: float | None) -> list[float]:
    """Highest frequency per axis, in cycles per span."""
    if max_frequency is not None:
        return [max_frequency * s for s in span.tolist()]
    # Rounded, or coordinates of one grid line that differ in their last digit would count as close neighbours.
    gaps = [column.mul(1e6).round().unique().diff().median().item() / 1e6 for column in unit_x.unbind(1)]
    return [0.5 / gap for gap in gaps]


class _Grid:
    """Nonuniform power spectrum on a grid finer than the resolution 1 / span, and its largest peak."""

    def __init__(self, unit_x: Tensor, limits: list[float]):
        d = unit_x.shape[1]
        self.unit_x = unit_x
        self.oversampling = 4 if d < 3 else 2
        most = int(_MOST_MODES ** (1 / d)) // 2 - 1
        self.half = [max(1, min(most, int(self.oversampling * limit))) for limit in limits]
        axes = [torch.arange(-h, h + 1, device=unit_x.device, dtype=unit_x.dtype) for h in self.half]
        self.frequency = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1) / self.oversampling
        self.independent = max(1.0, math.prod(2 * h / self.oversampling for h in self.half) / 2)

    def largest(self, residual: Tensor, picked: Tensor, min_separation: float) -> Tensor:
        modes = tuple(2 * h + 1 for h in self.half)
        spectrum = nufft1(self.unit_x, residual.mT.contiguous(), modes, eps=1e-6, period=float(self.oversampling))
        power = (spectrum.real**2 + spectrum.imag**2).sum(0)
        return _strongest(self.frequency, power, picked, min_separation)


class _Ball:
    """Power of random frequencies in a ball, by direct sums, and the largest peak that the best of them climb to."""

    def __init__(self, unit_x: Tensor, span: Tensor, radius: float):
        self.unit_x, self.independent = unit_x.float(), float(_CANDIDATES)
        generator = torch.Generator(unit_x.device).manual_seed(0)
        drawn = torch.randn(_CANDIDATES, len(span), generator=generator, device=unit_x.device)
        length = torch.rand(_CANDIDATES, 1, generator=generator, device=unit_x.device) ** (1 / len(span))
        self.frequency = radius * length * torch.nn.functional.normalize(drawn, dim=1) * span

    def largest(self, residual: Tensor, picked: Tensor, min_separation: float) -> Tensor:
        strengths = residual.mT.float().contiguous()
        climbers = self.frequency[self._power(strengths, self.frequency).topk(_CLIMBERS).indices].requires_grad_()
        ascent = torch.optim.LBFGS([climbers], max_iter=_CLIMB, line_search_fn="strong_wolfe")

        def fall() -> Tensor:
            ascent.zero_grad()
            loss = -self._power(strengths, climbers).sum()
            loss.backward()
            return loss

        ascent.step(fall)
        climbers = climbers.detach()
        return _strongest(climbers, self._power(strengths, climbers), picked, min_separation).to(picked)

    def _power(self, strengths: Tensor, frequency: Tensor) -> Tensor:
        spectra = (
            nufft3(self.unit_x, strengths, 2 * math.pi * part)
            for part in frequency.split(max(1, _PAIRS // len(self.unit_x)))
        )
        return torch.cat([(s.real.square() + s.imag.square()).sum(0) for s in spectra]) / len(self.unit_x)


def _strongest(frequency: Tensor, power: Tensor, picked: Tensor, min_separation: float) -> Tensor:
    """Of frequencies (..., d) with their power (...), the strongest apart from zero and from those picked."""
    for taken in (picked.new_zeros(picked.shape[1]), *picked, *-picked):
        power[(frequency - taken).norm(dim=-1) < min_separation] = -1
    best = int(power.argmax())
    if power.flatten()[best] < 0:
        raise ValueError(
            f"n_frequencies: must be at most {len(picked)}, the separate frequencies that these data resolve"
            " up to max_frequency"
        )
    return frequency.flatten(end_dim=-2)[best]


def _refit(unit_x: Tensor, y: Tensor, trend: Tensor, picked: Tensor, most: float) -> tuple[Tensor, Tensor]:
    """Gauss-Newton on the frequencies of the joint fit, amplitudes projected out; steps of at most ``most``."""
    for _ in range(3):
        design, residual, jacobian = _joint_fit(unit_x, y, trend, picked)
        jacobian = (jacobian - design @ least_squares(design, jacobian)).reshape(residual.numel(), -1)
        step = least_squares(jacobian, residual.reshape(-1, 1))
        picked = picked + step.reshape_as(picked).clamp(-most, most)
    return picked, _joint_fit(unit_x, y, trend, picked)[1]


def _joint_fit(unit_x: Tensor, y: Tensor, trend: Tensor, picked: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Design (M, P), residual (M, C) and the fit's derivative in each frequency (M, C * n * d)."""
    phase = 2 * math.pi * unit_x @ picked.mT
    cos, sin = phase.cos(), phase.sin()
    design = torch.cat([trend, cos, sin], 1)
    amplitudes = least_squares(design, y)
    a, b = amplitudes[trend.shape[1] :].chunk(2)
    slope = 2 * math.pi * torch.einsum("mncd->mcnd", _slopes(cos, sin, a, b)[..., None] * unit_x[:, None, None])
    return design, y - design @ amplitudes, slope.flatten(1)


def _slopes(cos: Tensor, sin: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return cos[:, :, None] * b - sin[:, :, None] * a


def one_of_each_pair(frequency: Tensor) -> Tensor:
    """Of +f and -f, rows of (P, d), the one whose first non-zero entry is positive."""
    leading = frequency.gather(1, (frequency != 0).int().argmax(1, keepdim=True))
    return torch.where(leading < 0, -frequency, frequency)
