"""The tangent kernel's own decay exponent, which neither scattered points nor the ends of their box disguise."""

import math

import torch
from torch import Tensor, nn

from .. import _check
from .._box import period_of
from .._core.plain import without_autocast
from .._data import Given
from ..nufft import Modes, Period
from .checks import point_rows
from .rates import decay_exponent
from .spectra import wavenumbers
from .tangent import TangentKernel, points_of

_GRID = 2**12  # points at most
_FLOOR = 1e-10  # of the greatest rate: what a float32 transform tells apart, squared, with a margin
_TAPERS = (0, 2, 4)
_LEAST = {1: 64, 2: 32, 3: 8}  # modes per axis, for a fit that means something
_BLURRED = 4  # cycles over the box, below which tapers mix wavenumbers too unlike each other


@without_autocast()
def kernel_exponent(
    model: nn.Module,
    x: Given,
    modes: Modes,
    *,
    period: Period | str = 2 * math.pi,
    samples: int = 64,
    generator: torch.Generator | None = None,
) -> float:
    """The α of the rates |k|^-α at which a model learns the inside of the box that its points fill.

    Rates at the points themselves (:func:`ntk_rates`) level off at what aliasing adds; and whatever the kernel, those
    of waves cut off at the ends of the box fall no faster than |k|^-2, as the model is not periodic there. So this
    measures on a regular grid over the extents of x, with waves under sin^p tapers: Rayleigh quotients, to which
    leakage can only add, so of several tapers the least is nearest. The fit begins at 4 cycles over the box, below
    which tapers blur.

    Of rates that fall faster than any power, as those of smooth activations, α is the mean slope over the modes whose
    rate is above 1e-10 of the greatest, and depends on how many modes there are.

    Args:
        model: any module that maps points to ``(M,)`` or ``(M, C)``, called on points other than ``x`` too.
        x: points, real ``(M,)`` or ``(M, d)``, as :func:`ntk_rates` takes them.
        modes: number of wavenumbers, an int or one per dimension: the fit goes up to the highest, but to 32 cycles over
            the box in 1-D, 16 in 2-D and 4 in 3-D at least, and no farther than 4,096 points resolve.
        period: length of the periodic box, a float or one per dimension, in units of x; or "data", the extent of the
            points and one mean gap.
        samples: of the Monte Carlo estimate of the rates; with 64 α is within some per cent.
        generator: of the samples; default a fixed seed.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """
    x = points_of(model, x)
    points = point_rows(x)
    d = points.shape[1]
    modes, period = _check.modes(modes, d), period_of(period, points)
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 1:
        raise ValueError(f"samples: was {samples!r}, must be a positive int")
    if generator is None:
        generator = torch.Generator(points.device).manual_seed(0)
    least, extents = _box(points, period)
    resolved = [max(_LEAST[d], math.ceil(n * e / p)) for n, e, p in zip(modes, extents, period, strict=True)]
    counts = [min(4 * n, round(_GRID ** (1 / d))) for n in resolved]
    resolved = [min(n, count // 2) for n, count in zip(resolved, counts, strict=True)]
    grid, windows = _tapered_grid(least, extents, counts)
    xi = wavenumbers(resolved, grid.device) / torch.tensor(extents, device=grid.device)
    kernel = TangentKernel(model, grid[:, 0] if x.ndim == 1 else grid)
    rates = kernel.sampled(kernel.on_grid(tuple(resolved), extents), windows, samples, generator).amin(0)
    cycles = wavenumbers(resolved, grid.device).flatten(0, -2).norm(dim=-1)
    clear = cycles >= min(_BLURRED, min(resolved) / 8)
    return decay_exponent(rates[clear], xi.flatten(0, -2)[clear], floor=_FLOOR * rates.max().item())


def _box(points: Tensor, period: tuple[float, ...]) -> tuple[Tensor, tuple[float, ...]]:
    """Least coordinates and extents of the points; a dimension in which they do not differ has the period's."""
    least, extents = points.amin(0), (points.amax(0) - points.amin(0)).tolist()
    return least, tuple(e if e > 0 else p for e, p in zip(extents, period, strict=True))


def _tapered_grid(least: Tensor, extents: tuple[float, ...], counts: list[int]) -> tuple[Tensor, Tensor]:
    """Midpoints of a regular grid (n, d), and the tapers there (W, n)."""
    axes = [(torch.arange(n, device=least.device) + 0.5) / n for n in counts]
    unit = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).flatten(0, -2)
    sines = (math.pi * unit).sin().prod(1)
    windows = torch.stack([sines**power for power in _TAPERS])
    return least + unit.to(least) * least.new_tensor(extents), windows
