"""Weights that even the rates at which a model learns its modes, as far as the critical decay rate allows.

The residual's mode k decays at about λ_k w_k, the diagonal of the tangent kernel among the modes times the loss's
weight: a weight λ_k^-p leaves rates λ_k^{1-p}. Of all diagonal weights λ_k^-1 is within a factor, the number of modes,
of that which makes the system best conditioned (van der Sluis 1969, Numer. Math. 14). λ_k is measured at the points as
the loss sums over them, aliases, ends of the box and all: what scattered points mix cannot be evened by any weight,
only unmixed, by :func:`quadrature`.

The kernel's own exponent α, of the inside of the box, is another matter: it tells how smooth what the model makes of
the data is. The interpolant of least Σ |k|^α |ĥ_k|² is regular for α > d only; at d and below it is zero but for spikes
at the data (arXiv 2105.11675). "critical" leaves an exponent of d to the kernel times the weight. Where that matters:

- A weight in a loss or a gradient (SpectralLoss, :func:`spectral`) changes the order in which modes are learnt, not
  what training tends to: the model's change stays in the range of its kernel K, so trained to the end it is K's own
  interpolant K(x, X) K(X, X)^-1 y, whatever the weight. Stopped before, it has fitted the more of the noise at high
  frequencies, in place of the signal at low ones, the stronger the weight; nothing happens at d in particular.
- A weight on the model itself, a filter λ^{-p/2} of its output, does change the kernel, to one of exponent α (1 - p),
  and beyond the critical strength the interpolant falls apart into spikes. benchmarks/studies/limit.py shows both.
"""

import math
import warnings
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .. import _check
from .._box import period_of
from .._core.plain import without_autocast
from .._data import Given
from ..loss import Weight
from ..measure.kernel import kernel_exponent
from ..measure.rates import decay_exponent, ntk_rates
from ..measure.spectra import wavenumbers
from ..measure.tangent import points_of
from ..nufft import Modes, Period
from ..weights import from_rates

_MOST_EXACT = 1024  # modes beyond which rates are estimated
_SAMPLES = 256
_FLOOR = {torch.float64: 1e-12}  # of the greatest rate, as the transforms' eps; 1e-6 in other dtypes


class CriticalRateWarning(UserWarning):
    """A weight takes the model's effective decay exponent below the critical one."""


def critical_exponent(d: int) -> float:
    """The critical decay exponent in d dimensions, which is d (arXiv 2105.11675)."""
    if isinstance(d, bool) or not isinstance(d, int):
        raise TypeError(f"d: was {d!r}, must be an int")
    if d < 1:
        raise ValueError(f"d: was {d}, must be at least 1")
    return float(d)


def whitening_weight(
    model: nn.Module,
    x: Given,
    modes: Modes,
    *,
    strength: float | str = "critical",
    period: Period | str = 2 * math.pi,
    samples: int | None = None,
    generator: torch.Generator | None = None,
    quadrature: Tensor | None = None,
) -> Tensor:
    """The weight λ_k^-p, over its least, that evens the rates λ_k at which the model learns each mode at ``x``.

    For SpectralLoss or :func:`spectral`. Two things keep any weight from evening the rates, and want taking away:

    - On scattered points modes alias into one another, which adds the same to every rate: give both this and the loss
      the same ``quadrature``, from :func:`fastspec.precondition.quadrature`.
    - A model that is not periodic with ``period`` jumps at the ends of the box, which is seen at all wavenumbers: wrap
      it in :class:`fastspec.nn.Reflected`.

    "critical" takes the p ≤ 1 that leaves the kernel times the weight the critical exponent: of a kernel of exponent α
    and rates λ_k ~ |k|^-β, p = min(1, (α - d) / β), or 0 where α ≤ d.

    A rate counts as at least 1e-6 of the greatest, 1e-12 in float64, so no weight exceeds 1e6, or 1e12. That matters to
    smooth activations, as tanh, whose rates fall exponentially: their α is large and "critical" evens all it can.

    Args:
        model, x, modes, period: as in :func:`fastspec.measure.ntk_rates`, on a grid of modes.
        strength: p in [0, 1], 1 for equal rates, or "critical".
        samples: of the rates' estimate; default exact rates up to 1,024 modes and 256 samples beyond.
        generator: of the samples.
        quadrature: as given to the loss, real ``(M,)``; default equal ones.

    Returns:
        ``(*modes)``, at least 1, centered order.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.

    Warns:
        CriticalRateWarning: where a number given as ``strength`` takes the effective exponent below d.

    Example::

        q = fs.precondition.quadrature(x, 64)
        weight = fs.precondition.whitening_weight(model, x, 64, quadrature=q)
        loss = fs.SpectralLoss(64, x=x, weight=weight, quadrature=q)
    """
    return _measured(model, x, modes, strength, period, samples, generator, quadrature).weight


@without_autocast()
def check_weight(
    model: nn.Module,
    x: Given,
    weight: Weight,
    *,
    modes: Modes | None = None,
    period: Period | str = 2 * math.pi,
) -> float:
    """The effective decay exponent of a weight of your own on the model at hand: that of its kernel times the weight.

    Args:
        weight: a tensor ``(*modes)`` or a callable of the wavenumbers; with a callable give ``modes``.
        model, x, modes, period: as in :func:`whitening_weight`.

    Warns:
        CriticalRateWarning: where it is below the critical exponent d, and the model's own is not.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """
    _check.weight(weight)
    if modes is None:
        if not isinstance(weight, Tensor):
            raise ValueError("modes: was None, must be given where weight is a callable or None")
        modes = tuple(weight.shape)
    x = points_of(model, x)
    alpha = kernel_exponent(model, x, modes, period=period)
    k = _frequencies(x, modes, period)
    values = torch.ones_like(k[..., 0]) if weight is None else weight if isinstance(weight, Tensor) else weight(k)
    if values.shape != k.shape[:-1]:
        raise ValueError(f"weight: shape was {tuple(values.shape)}, must be {tuple(k.shape[:-1])}, the modes'")
    effective = alpha + decay_exponent(values, k)
    _warn("the weight", alpha, effective, k.shape[-1])
    return effective


class Whitening:
    """A whitening weight that is measured anew on a schedule, as the model's rates change in training.

    ``weight`` is one tensor, changed in place: give it to SpectralLoss or :func:`spectral` once and call :meth:`step`
    after each of the optimiser's.

    Args:
        model, x, modes, strength, period, samples, quadrature: as in :func:`whitening_weight`.
        every: steps from one measurement to the next.

    Attributes:
        weight: ``(*modes)``.
        exponent: α of the kernel at the last measurement. strength: p taken then. effective_exponent: what is left.

    Example::

        whitening = fs.precondition.Whitening(model, x, 256, every=500)
        loss = fs.SpectralLoss(256, x=x, weight=whitening.weight)
        for _ in range(steps):
            ...
            optimizer.step()
            whitening.step()
    """

    def __init__(
        self,
        model: nn.Module,
        x: Given,
        modes: Modes,
        *,
        every: int = 1000,
        strength: float | str = "critical",
        period: Period | str = 2 * math.pi,
        samples: int | None = None,
        quadrature: Tensor | None = None,
    ):
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ValueError(f"every: was {every!r}, must be a positive int")
        self.every = every
        self._measure: Callable[[], _Measured] = lambda: _measured(
            model, x, modes, strength, period, samples, None, quadrature
        )
        self._steps = 0
        first = self._measure()
        self.weight = first.weight
        self._note(first)

    def _note(self, measured: "_Measured") -> None:
        _, self.exponent, self.strength, self.effective_exponent = measured

    def step(self) -> bool:
        """Count a step; measure again if it is time. Whether it was."""
        self._steps += 1
        if self._steps % self.every:
            return False
        measured = self._measure()
        self.weight.copy_(measured.weight)
        self._note(measured)
        return True


class _Measured(NamedTuple):
    weight: Tensor
    exponent: float
    strength: float
    effective_exponent: float


def _measured(
    model: nn.Module,
    x: Given,
    modes: Modes,
    strength: float | str,
    period: Period | str,
    samples: int | None,
    generator: torch.Generator | None,
    quadrature: Tensor | None,
) -> _Measured:
    if strength != "critical":
        if isinstance(strength, (str, bool)) or not isinstance(strength, (int, float)):
            raise TypeError(f"strength: was {strength!r}, must be a number or 'critical'")
        if not 0 <= strength <= 1:
            raise ValueError(f"strength: was {strength!r}, must be from 0 to 1")
    x = points_of(model, x)
    alpha = kernel_exponent(model, x, modes, period=period)
    k = _frequencies(x, modes, period)
    if samples is None and math.prod(_check.modes(modes)) > _MOST_EXACT:
        samples = _SAMPLES
    rates = ntk_rates(model, x, modes, period=period, samples=samples, generator=generator, window=quadrature)
    rates = rates.clamp_min(_FLOOR.get(rates.dtype, 1e-6) * rates.max())
    d, beta = k.shape[-1], decay_exponent(rates, k)
    p = _critical_strength(alpha, beta, d) if strength == "critical" else float(strength)
    if strength != "critical":
        _warn(f"strength {strength:.3g}", alpha, alpha - p * beta, d)
    return _Measured(from_rates(rates, p), alpha, p, alpha - p * beta)


def _critical_strength(alpha: float, beta: float, d: int) -> float:
    return min(1.0, (alpha - d) / beta) if alpha > d and beta > 0 else 0.0


def _frequencies(x: Tensor, modes: Modes, period: Period | str) -> Tensor:
    """Cycles per unit of x, (*modes, d)."""
    d = 1 if x.ndim == 1 else x.shape[-1]
    return wavenumbers(_check.modes(modes, d), x.device) / torch.tensor(period_of(period, x), device=x.device)


def _warn(what: str, own: float, effective: float, d: int) -> None:
    if effective < d <= own:
        warnings.warn(
            f"{what} takes the decay exponent from the model's {own:.2f} to {effective:.2f}, below the critical {d}:"
            " a model filtered by its root would interpolate by spikes, a loss weighted so fits noise early;"
            " strength='critical' stops at the limit",
            CriticalRateWarning,
            stacklevel=4,
        )
