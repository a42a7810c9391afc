"""Finding the frequencies that carry a signal: peaks of a gridded spectrum, and lines in scattered data."""

import math

import torch
from torch import Tensor

from .._data import Given
from .lines import find_lines

# Odd width, in modes along each axis, of the neighbourhood that a peak's background is estimated from: about a hundred
# modes or fewer in every dimension, so that the estimate costs little more than the spectrum's own memory.
_BACKGROUND_WIDTH = {1: 17, 2: 9, 3: 5}
_BACKGROUND_QUANTILE = 0.25
_FALSE_ALARM = 0.01
_ROUNDING = 1e-5


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


def dominant_frequencies(
    x: Given,
    y: Given,
    n_frequencies: int | None,
    *,
    max_frequency: float | None = None,
    trend_degree: int = 3,
    min_separation: float = 2.0,
    false_alarm: float = 0.01,
) -> Tensor:
    """The ``n_frequencies`` strongest oscillations of scattered data, off any grid, whatever trend they ride on.

    Prewhitening, as astronomers do with unevenly sampled light curves (Lenz & Breger 2005, Period04): take the
    nonuniform spectrum of the residual on a grid finer than its resolution, pick the largest peak, fit a polynomial
    trend and sinusoids at all picked frequencies jointly by least squares, correct the frequencies by steps of
    Gauss-Newton of the same fit, subtract, repeat. The joint fit keeps a trend's leakage, and that of strong lines,
    from posing as peaks. Of several lines the search also starts from the coarser grid of one mode per resolution, and
    looks for each line once more among all others; the fit of least Bayesian information criterion is kept.

    The search reaches, along each axis, the Nyquist frequency of coordinates that are regular, gaps or not, or nearly
    so, and five times that of the mean spacing M^(-1/d) of scattered ones; at most 2^22 modes of the grid. What lies
    beyond is not found, and since noise is told from lines nothing else is returned for it: give ``max_frequency``.

    Beyond three dimensions no grid would fit: the best of 16,384 random frequencies, drawn with a fixed seed from the
    ball of radius ``max_frequency``, climb the spectrum's power. One of them must fall on the flank of a line, about
    half a cycle per standard deviation of ``x`` wide: in eight dimensions look no further than about one such cycle.

    Args:
        x: real ``(M,)`` or ``(M, d)``, in your units: a tensor, an array, a pandas or xarray object, times as days.
        y: real ``(M,)`` or ``(M, C)``; channels share the frequencies, each scaled to unit variance.
        n_frequencies: at most how many; ``None`` for as many as are significant, at most 16, each of at least 2 % of
            the strongest's amplitude.
        max_frequency: upper limit per axis, in cycles per unit of ``x``; for d > 3 of the frequency's length, and not
            optional.
        trend_degree: total degree of the polynomial trend fitted along.
        min_separation: least distance between picked frequencies, and from zero, in cycles per span of ``x``.
        false_alarm: the probability below which noise would have made a line as strong, anywhere in the search, for it
            to be one; 1 takes the strongest peaks whatever they are, exactly ``n_frequencies``.

    Returns:
        float64 ``(n, d)`` on the device of ``x``, cycles per unit, strongest first; of the two signs of a frequency,
        the one whose first non-zero entry is positive. :func:`fastspec.spectrum` tells amplitudes and significance.

    Raises:
        TypeError: if ``x`` or ``y`` is not real, or ``n_frequencies`` is not an int.
        ValueError: if shapes disagree, y is constant, d > 3 without ``max_frequency``, values are not finite, the range
            is more than the largest grid holds, or the data cannot tell that many frequencies apart (too few points, no
            extent, or no room between ``min_separation`` and ``max_frequency``).

    Warns:
        InsignificantWarning: where fewer lines than ``n_frequencies`` are significant.
    """
    lines = find_lines(
        x,
        y,
        n_frequencies,
        max_frequency=max_frequency,
        trend_degree=trend_degree,
        min_separation=min_separation,
        false_alarm=false_alarm,
    )
    return lines.frequency
