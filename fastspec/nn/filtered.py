"""A model filtered in frequency: the one place where the critical decay exponent bites."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .. import _check
from .._core.plain import exact
from ..measure.spectra import wavenumbers
from ..nufft import Modes, Period, nufft2

Multiplier = Tensor | Callable[[Tensor], Tensor] | None


class Filtered(nn.Module):
    """A model's values on a periodic grid, times a multiplier in frequency, wherever they are asked for.

        h(x) = Σ_k m_k û_k e^{2πi k·(x - low)/period},   m_k = (1 + |k|²)^{exponent/4},   û the model's spectrum

    A weight on a loss changes the order in which modes are learnt and leaves the kernel K that the model interpolates
    by. This changes K itself: its rates |k|^-α become |k|^-(α - exponent), so a model learns high frequencies sooner
    and fits rougher data. How far that may go is known: of decay exponent d and below, d the dimension, the interpolant
    is zero but for spikes at the data (arXiv 2105.11675; :func:`fastspec.precondition.critical_exponent`). Keep
    ``exponent`` below α - d, with α from :func:`fastspec.measure.kernel_exponent`; benchmarks/studies/limit.py shows
    the held-out error fall up to there, and rise beyond.

    The model is evaluated on the grid, not at x: a call costs one evaluation at all its points and a transform. A model
    that is not periodic jumps at the ends of the box, which the filter amplifies: wrap it in
    :class:`fastspec.nn.Reflected` first and give its ``low`` and ``period``.

    Args:
        model: maps points ``(n, d)``, or ``(n,)`` where ``flat``, to ``(n,)`` or ``(n, C)``, real.
        exponent: what is taken from the kernel's decay exponent; negative to smoothen.
        modes: number of wavenumbers, and of grid points, an int for d = 1 or one per dimension, d at most 3. Odd ones
            are best: they have no unpaired wavenumber.
        period: length of the box, a float or one per dimension, in units of x.
        low: where the box begins, a number or one per dimension.
        multiplier: further factors m_k: ``(*modes)`` in centered order, or a callable of the wavenumbers (*modes, d).
        flat: whether the model takes points ``(n,)``, for d = 1.

    Shapes: x real ``(M, d)``, or ``(M,)`` for d = 1, to ``(M,)`` or ``(M, C)`` as the model returns.

    Attributes:
        grid: the points of the grid, float64 ``(prod(modes), d)``; a buffer. multiplier: m_k, ``(*modes)``; a buffer.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.

    Example::

        even = fs.nn.Reflected(model, 0.0, 1.0)
        rougher = fs.nn.Filtered(even, 1.0, 127, period=even.period)
    """

    grid: Tensor
    low: Tensor
    multiplier: Tensor

    def __init__(
        self,
        model: nn.Module,
        exponent: float,
        modes: Modes,
        *,
        period: Period = 2 * math.pi,
        low: float | Sequence[float] = 0.0,
        multiplier: Multiplier = None,
        flat: bool = False,
    ):
        super().__init__()
        if isinstance(exponent, bool) or not isinstance(exponent, (int, float)) or not math.isfinite(exponent):
            raise ValueError(f"exponent: was {exponent!r}, must be a finite number")
        self.model, self.exponent, self.flat = model, float(exponent), flat
        self.modes = _check.modes(modes)
        d = len(self.modes)
        self.period = _check.period(period, d)
        start = torch.as_tensor(low, dtype=torch.float64).flatten()
        if len(start) not in (1, d) or (flat and d > 1):
            raise ValueError(f"low: had {len(start)} numbers and flat was {flat}, must be of {d} dimensions")
        axes = [torch.arange(n, dtype=torch.float64) * (p / n) for n, p in zip(self.modes, self.period, strict=True)]
        self.register_buffer("low", start.expand(d).clone(), persistent=False)
        self.register_buffer("grid", self.low + torch.cartesian_prod(*axes).reshape(-1, d), persistent=False)
        self.register_buffer("multiplier", _values(multiplier, self.modes, self.exponent), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        _check.points(x)
        points = self.grid.to(x)
        values = self.model(points[:, 0] if self.flat else points)
        rows = values if values.ndim == 1 else values.mT
        out = self.filtered(rows, x)
        return out if values.ndim == 1 else out.mT

    def spectrum(self, values: Tensor) -> Tensor:
        """û (..., *modes), centered, of real values (..., prod(modes)) on the grid."""
        axes = tuple(range(-len(self.modes), 0))
        grid: Tensor = values.unflatten(-1, self.modes)
        spectrum: Tensor = torch.fft.fftshift(torch.fft.fftn(grid, dim=axes, norm="forward"), axes)
        return spectrum

    @exact
    def filtered(self, values: Tensor, x: Tensor) -> Tensor:
        """Values (..., prod(modes)) on the grid, filtered, at points x: (..., M), in float32 at least."""
        values = values.to(torch.promote_types(values.dtype, torch.float32))
        modes = self.spectrum(values)
        start = self.low.to(x)
        return nufft2(x - start, modes * self.multiplier.to(values), period=self.period).real

    def extra_repr(self) -> str:
        return f"exponent={self.exponent:g}, modes={self.modes}, period={self.period}"


def _values(multiplier: Multiplier, modes: tuple[int, ...], exponent: float) -> Tensor:
    k = wavenumbers(modes, None)
    power = (1 + k.square().sum(-1)) ** (exponent / 4)
    if multiplier is None:
        return power
    further = multiplier if isinstance(multiplier, Tensor) else multiplier(k)
    if not isinstance(further, Tensor) or further.shape != modes:
        was = tuple(further.shape) if isinstance(further, Tensor) else type(further).__name__
        raise ValueError(f"multiplier: was {was}, must have shape {modes}")
    return power.to(further.device) * further.detach()
