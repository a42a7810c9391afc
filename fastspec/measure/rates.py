"""The neural tangent kernel seen in frequency: how fast a model, as it is now, learns each mode."""

import math

import torch
from torch import Tensor, nn

from .. import _check
from .._box import period_of
from .._core.plain import without_autocast
from .._data import Given
from ..nufft import Modes, Period
from .checks import check_finite, check_real
from .spectra import wavenumbers
from .tangent import Map, TangentKernel


@without_autocast()
def ntk_rates(
    model: nn.Module,
    x: Given,
    modes: Modes | Tensor,
    *,
    period: Period | str = 2 * math.pi,
    samples: int | None = None,
    generator: torch.Generator | None = None,
    window: Tensor | None = None,
    precondition: Map | None = None,
) -> Tensor:
    """Decay rate of each mode under the neural tangent kernel K = J J^T, without making K or J.

        λ_k = e_k^H K e_k / e_k^H e_k = ‖J^T e_k‖² / Σ_j g_j²,   e_k = (g_j e^{2πi k·x_j/period})_j,   g_j = 1

    the Rayleigh quotient: the rate at which mode k of the error starts to fall under gradient flow on ½ Σ_j r_j², 2/M
    times that under the mean squared error. Exact by default: two vector-Jacobian products a mode, and only one of k
    and -k is computed. With ``samples`` it is a Monte Carlo estimate for all modes at once,

        λ_k = E |F(g J v)_k|² / Σ_j g_j²,   v ~ N(0, 1) over the parameters,

    each sample one Jacobian-vector product and one NUFFT, relative error √(2/samples) per mode. On scattered points
    no rate is much below mean_j K_jj, what a mode shares with all others by aliasing; a ``window`` of quadrature
    weights (:func:`fastspec.precondition.quadrature`) takes that away.

    Args:
        model: any module that maps ``x`` to ``(M,)`` or ``(M, C)``; for C > 1 the mean over channels. It is called as
            it is: ``eval()`` it first where it has dropout or batch normalisation. Left unchanged.
        x: points, real ``(M, d)``, or ``(M,)`` for d = 1: a tensor, passed to the model as it is, or an array, a Series
            or times, passed in the precision of its parameters.
        modes: number of wavenumbers, an int or one per dimension, d at most 3; or a tensor of real wavenumbers,
            ``(K,)`` or ``(K, d)``, any d.
        period: length of the periodic box, a float or one per dimension, in units of x; or "data", the extent of the
            points and one mean gap.
        samples: of the estimate; ``None`` for the exact quotients.
        generator: of the samples.
        window: amplitude g_j of the waves at each point, real ``(M,)``; default 1.
        precondition: a symmetric linear map P of gradients ``(M, C)`` at the outputs, as
            :meth:`fastspec.precondition.Kernel.multiply`: the rates are then those under it, of K P.

    Returns:
        ``(*modes)``, centered, or ``(K,)``, in the dtype of the model's parameters.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """
    kernel = TangentKernel(model, x)
    d = kernel.points.shape[1]
    k, shape, mirror = _wavenumbers(modes, d)
    box = period_of(period, kernel.points, warns=not isinstance(modes, Tensor))
    g = _checked_window(window, kernel.points)
    if samples is not None:
        if isinstance(samples, bool) or not isinstance(samples, int) or samples < 1:
            raise ValueError(f"samples: was {samples!r}, must be a positive int or None")
        transform = kernel.at(k, box) if isinstance(modes, Tensor) else kernel.on_grid(shape, box)
        return kernel.sampled(transform, g[None], samples, generator, precondition)[0].reshape(shape)
    rates = kernel.exact(k[mirror.unique()], box, g, precondition)
    return rates[torch.unique(mirror, return_inverse=True)[1].to(rates.device)].reshape(shape)


def _checked_window(window: Tensor | None, points: Tensor) -> Tensor:
    if window is None:
        return points.new_ones(len(points))
    _check.data("window", window, points, real=True)
    if window.shape != (len(points),):
        raise ValueError(f"window: shape was {tuple(window.shape)}, must be ({len(points)},)")
    return window.detach()


def _wavenumbers(modes: Modes | Tensor, d: int) -> tuple[Tensor, tuple[int, ...], Tensor]:
    """Wavenumbers (K, d), the shape of the result, and for each the index of the first of ±k, whose rates agree."""
    if isinstance(modes, Tensor):
        check_finite("modes", modes)
        k = modes.detach().cpu().double()
        k = k[:, None] if k.ndim == 1 else k
        if k.ndim != 2 or k.shape[1] != d or len(k) == 0:
            raise ValueError(f"modes: shape was {tuple(modes.shape)}, must be (K, {d}) and not empty")
        return k, (len(k),), torch.arange(len(k))
    shape = _check.modes(modes, d)
    k = wavenumbers(shape, None).flatten(0, -2)
    place = {row: i for i, row in enumerate(map(tuple, k.tolist()))}
    mirror = [min(i, place.get(tuple(-v for v in row), i)) for row, i in place.items()]
    return k, shape, torch.tensor(mirror)


@without_autocast()
def decay_exponent(rates: Tensor, k: Tensor, *, floor: float = 0.0) -> float:
    """The α of rate ~ |k|^-α, by least squares on logarithms.

    Modes of about the same |k|, four classes an octave, are averaged first, so that the many modes at high |k| do not
    outvote the rest; k = 0 is left out.

    Args:
        rates: positive, any shape.
        k: wavenumbers or frequencies: vectors ``(*rates.shape, d)``, or their norms in the shape of ``rates``.
        floor: rates up to this are left out, as where aliasing hides the decay.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be; fewer than two classes of |k|.
    """
    check_real("rates", rates)
    check_real("k", k)
    floor = _check.number("floor", floor)
    vectors = k.ndim == rates.ndim + 1 and k.shape[:-1] == rates.shape
    if not vectors and k.shape != rates.shape:
        shape = tuple(rates.shape)
        raise ValueError(f"k: shape was {tuple(k.shape)}, must be {shape}, or that and an axis of dimensions")
    norm = (k.double().norm(dim=-1) if vectors else k.double().abs()).flatten()
    rates = rates.detach().double().flatten().to(norm.device)
    kept = (norm > 0) & (rates > max(floor, 0.0)) & rates.isfinite()
    norm, rates = norm[kept], rates[kept]
    if len(norm) == 0:
        raise ValueError("rates: had none above the floor at k other than 0, must have some")
    classes, member = torch.unique((4 * norm.log2()).round(), return_inverse=True)
    if len(classes) < 2:
        raise ValueError("k: had one size only, must have at least two")
    counts = torch.bincount(member).double()
    u, v = (torch.zeros_like(counts).index_add_(0, member, t.log()) / counts for t in (norm, rates))
    u, v = u - u.mean(), v - v.mean()
    return -(u @ v / (u @ u)).item()
