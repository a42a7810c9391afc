"""Which wavenumbers a monitor tracks, and the transform of values to them."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from ..nufft import Plan, nufft1
from .peaks import one_of_each_pair, spectral_peaks
from .spectra import spectrum

# Up to this many entries a held matrix of exponentials costs less per update than spreading and an FFT.
_DIRECT_ENTRIES = 2**21

Transform = Callable[[Tensor], Tensor]


def target_peaks(
    x: Tensor, target: Tensor, modes: tuple[int, ...], period: Sequence[float], count: int | None
) -> Tensor:
    """Wavenumbers (K, d) of the target's spectral peaks, nearest to zero first."""
    spectrum = nufft1(x, target.mT.contiguous(), modes, period=period)
    magnitude = torch.linalg.vector_norm(spectrum, dim=0)
    found = spectral_peaks(magnitude, significant=count is None).cpu()
    wavenumbers = found - torch.tensor([n // 2 for n in modes])
    if not target.is_complex():
        rows = one_of_each_pair(wavenumbers).tolist()
        wavenumbers = torch.tensor(list(dict.fromkeys(map(tuple, rows)))).reshape(-1, x.shape[1])
    wavenumbers = wavenumbers[:count].double()
    if len(wavenumbers) == 0:
        raise ValueError("target: has no spectral peak on these modes, so peaks must be a tensor of wavenumbers")
    return wavenumbers[wavenumbers.norm(dim=1).argsort(stable=True)]


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
