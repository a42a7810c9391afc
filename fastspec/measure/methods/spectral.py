"""What the methods share that compare two spectra at some wavenumbers."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ... import _check
from ..._box import period_of
from ...loss.band import warn_of_band
from ...plan import Plan
from ..checks import check_finite
from ..classes import padded
from ..spectra import wavenumbers
from ..tracked import Bands, target_peaks, tracked_transform
from .method import Method, Request, is_angular


class Spectral(Method):
    """Δ_F(k) = |ĥ_k - f̂_k| / |f̂_k| of points x (M, d), the whole or what a method makes of them."""

    def __init__(self, request: Request, x: Tensor):
        grid = isinstance(request.modes, (int, Sequence)) and not isinstance(request.peaks, Tensor)
        period = period_of(request.period, x, warns=grid)
        super().__init__(replace(request, period=period), x.shape[1])
        if grid and x.shape[1] <= 3:
            warn_of_band(Plan(x.double(), _check.modes(request.modes, x.shape[1]), period=period), request.target)
        self.wavenumbers = self._chosen(request, x)
        units = torch.tensor([1.0 if is_angular(p) else p for p in self.period], dtype=torch.float64)
        self.frequencies = self.wavenumbers / units
        self._in_bands = None
        if request.bands is not None:
            self._in_bands = Bands(request.bands, self.frequencies)
            self.bands = self.frequencies = self._in_bands.limits
            self.wavenumbers = self.wavenumbers[self._in_bands.inside]
        self._magnitudes = request.magnitudes
        self._transform = tracked_transform(x, self.wavenumbers, self.period, request.target.dtype)
        self._spectrum = self._transform(request.target)
        self._scale = self._sizes(self._spectrum)
        if not bool(self._scale.isfinite().all()):
            raise ValueError("target: was so large that its spectrum overflows, must be scaled down")

    def _chosen(self, request: Request, x: Tensor) -> Tensor:
        peaks = request.peaks
        if isinstance(peaks, Tensor):
            return checked_wavenumbers("peaks", peaks, x.shape[1])
        if peaks is not None and (isinstance(peaks, bool) or not isinstance(peaks, int)):
            raise TypeError(f"peaks: was {type(peaks).__name__}, must be None, an int or a tensor of wavenumbers")
        if peaks is not None and peaks < 1:
            raise ValueError(f"peaks: was {peaks}, must be at least 1")
        return self.found(request, x, peaks)

    def found(self, request: Request, x: Tensor, count: int | None) -> Tensor:
        """The wavenumbers (K, d) to track where the user gave none.

        Here the target's peaks on the grid of modes, ``count`` of them or all that stand out; the whole grid where
        bands are to be made of it.
        """
        d = x.shape[1]
        if d > 3:
            raise ValueError(f"peaks: was {count}, must be a tensor of wavenumbers where x has more than 3 dimensions")
        grid = _check.modes(request.modes, d)
        if request.bands is not None:
            return wavenumbers(grid, None).flatten(0, -2)
        return target_peaks(x, request.target, grid, self.period, count)

    def errors(self, residual: Tensor) -> Tensor:
        difference = self._transform(residual)
        if self._magnitudes:
            spectrum = padded(self._spectrum, difference.shape[1])
            difference = (spectrum + difference).abs() - spectrum.abs()
        return self._sizes(difference) / self._scale

    def axis_label(self, unit: str | None) -> str:
        if self.bands is None:
            return super().axis_label(unit)
        if all(map(is_angular, self.period)):
            return "band of |k|" if unit is None else f"band of angular frequency (rad per {unit})"
        return f"band of frequency (cycles per {unit or 'unit of x'})"

    def _sizes(self, spectrum: Tensor) -> Tensor:
        norms = channel_norms(spectrum)
        return norms if self._in_bands is None else self._in_bands.norms(norms)


def target_magnitude(request: Request, x: Tensor, listed: Tensor, period: Sequence[float]) -> Tensor:
    """‖f̂_k‖ at the listed wavenumbers, (K,)."""
    return channel_norms(tracked_transform(x, listed, period, request.target.dtype)(request.target))


def channel_norms(spectrum: Tensor) -> Tensor:
    out: Tensor = torch.linalg.vector_norm(spectrum, dim=-1)
    return out


def checked_wavenumbers(name: str, k: Tensor, d: int) -> Tensor:
    """(K, d) or (K,) -> float64 (K, d) on the CPU."""
    check_finite(name, k)
    shape = tuple(k.shape)
    k = k.detach().cpu().double()
    k = k[:, None] if k.ndim == 1 else k
    if k.ndim != 2 or k.shape[1] != d or len(k) == 0:
        raise ValueError(f"{name}: shape was {shape}, must be (K, {d}){' or (K,)' if d == 1 else ''} and not empty")
    return k
