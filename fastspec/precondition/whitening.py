"""Weights that even the rates at which a model learns its modes, as far as the critical decay rate allows.

Mode k of the error decays at about λ_k ~ |k|^-α, measured by ``measure.ntk_rates``. A weight λ_k^-p leaves the rates
λ_k^{1-p}, an effective exponent of α (1 - p). What gradient descent interpolates the data by minimises Σ |ĥ_k|² over
the effective rates, and that problem has a regular solution only for an exponent above d: at d and below it, the
interpolant is zero but for spikes at the data (arXiv 2105.11675).
"""

import math
import warnings
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .. import _check
from ..loss import Weight
from ..measure.rates import decay_exponent, mean_diagonal, ntk_rates
from ..nufft import Modes, Period
from ..weights import from_rates

_MOST_EXACT = 1024  # modes beyond which rates are estimated
_SAMPLES = 256


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
    x: Tensor,
    modes: Modes,
    *,
    strength: float | str = "critical",
    period: Period = 2 * math.pi,
    samples: int | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The weight λ_k^-p, over its least, that evens the rates λ_k at which the model learns each mode at ``x``.

    For SpectralLoss or :func:`spectral`. "critical" takes p = max(0, 1 - d/α), with α fitted to the measured rates: the
    effective exponent is then the critical one, d, or α itself where that is below d already.

    On scattered points aliasing adds the same to every rate. It is taken off, and rates that it hides, under twice it,
    are those of the fitted power |k|^-α.

    Args:
        model, x, modes, period: as in :func:`fastspec.measure.ntk_rates`, on a grid of modes.
        strength: p in [0, 1], 1 for equal rates, or "critical".
        samples: of the rates' estimate; default exact rates up to 1,024 modes and 256 samples beyond.
        generator: of the samples.

    Returns:
        ``(*modes)``, at least 1, centered order.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.

    Warns:
        CriticalRateWarning: where a number given as ``strength`` takes the effective exponent below d.
    """
    return _measured(model, x, modes, strength, period, samples, generator).weight


def check_weight(
    model: nn.Module,
    x: Tensor,
    weight: Weight,
    *,
    modes: Modes | None = None,
    period: Period = 2 * math.pi,
    samples: int | None = None,
) -> float:
    """The effective decay exponent of a weight of your own on the model at hand: that of λ_k w_k.

    Args:
        weight: a tensor ``(*modes)`` or a callable of the wavenumbers; with a callable give ``modes``.
        model, x, modes, period, samples: as in :func:`whitening_weight`.

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
    rates, k, aliased = _rates(model, x, modes, period, samples, None)
    values = torch.ones_like(rates) if weight is None else weight if isinstance(weight, Tensor) else weight(k)
    if values.shape != rates.shape:
        raise ValueError(f"weight: shape was {tuple(values.shape)}, must be {tuple(rates.shape)}, the modes'")
    own, effective = (_exponent(rates, k, aliased, w) for w in (1.0, values.to(rates)))
    _warn("the weight", own, effective, k.shape[-1])
    return effective


class Whitening:
    """A whitening weight that is measured anew on a schedule, as the model's rates change in training.

    ``weight`` is one tensor, changed in place: give it to SpectralLoss or :func:`spectral` once and call :meth:`step`
    after each of the optimiser's.

    Args:
        model, x, modes, strength, period, samples: as in :func:`whitening_weight`.
        every: steps from one measurement to the next.

    Attributes:
        weight: ``(*modes)``.
        exponent: α fitted at the last measurement. strength: p taken then. effective_exponent: α (1 - p).

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
        x: Tensor,
        modes: Modes,
        *,
        every: int = 1000,
        strength: float | str = "critical",
        period: Period = 2 * math.pi,
        samples: int | None = None,
    ):
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ValueError(f"every: was {every!r}, must be a positive int")
        self.every = every
        self._measure = lambda: _measured(model, x, modes, strength, period, samples, None)
        self._steps = 0
        first = self._measure()
        self.weight = first.weight
        self._note(first)

    def _note(self, measured: "_Measured") -> None:
        self.exponent, self.strength = measured.exponent, measured.strength
        self.effective_exponent = measured.exponent * (1 - measured.strength)

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


def _measured(model, x, modes, strength, period, samples, generator) -> _Measured:
    if strength != "critical":
        if isinstance(strength, (str, bool)) or not isinstance(strength, (int, float)):
            raise TypeError(f"strength: was {strength!r}, must be a number or 'critical'")
        if not 0 <= strength <= 1:
            raise ValueError(f"strength: was {strength!r}, must be from 0 to 1")
    rates, k, aliased = _rates(model, x, modes, period, samples, generator)
    d, alpha = k.shape[-1], _exponent(rates, k, aliased)
    p = strength if strength != "critical" else max(0.0, 1 - d / alpha) if alpha > d else 0.0
    if strength != "critical":
        _warn(f"strength {strength:.3g}", alpha, alpha * (1 - p), d)
    return _Measured(from_rates(_without_aliases(rates, k, aliased, alpha), p), alpha, float(p))


def _without_aliases(rates: Tensor, k: Tensor, aliased: float, alpha: float) -> Tensor:
    """Rates as many more points would show them: the fitted power of |k| where aliasing hides them."""
    seen = rates > 2 * aliased
    if aliased == 0 or bool(seen.all()):
        return rates - aliased
    power = k.norm(dim=-1).clamp_min(1) ** -alpha
    level = ((rates - aliased)[seen] / power[seen]).log().mean().exp()
    return torch.where(seen, rates - aliased, level * power)


def _rates(model, x, modes, period, samples, generator) -> tuple[Tensor, Tensor, float]:
    """Rates (*modes), their wavenumbers (*modes, d), and what aliasing adds to each rate."""
    d = 1 if x.ndim == 1 else x.shape[1]
    modes = _check.modes(modes, d)
    if samples is None and math.prod(modes) > _MOST_EXACT:
        samples = _SAMPLES
    rates = ntk_rates(model, x, modes, period=period, samples=samples, generator=generator)
    axes = [torch.arange(-(n // 2), (n + 1) // 2, device=rates.device, dtype=rates.dtype) for n in modes]
    k = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)
    return rates, k, _aliased(model, x, rates, k)


def _aliased(model: nn.Module, x: Tensor, rates: Tensor, k: Tensor) -> float:
    """Scattered points add mean_j K_jj to every rate; on points that integrate exactly rates fall far below that."""
    size, diagonal = k.norm(dim=-1), mean_diagonal(model, x)
    if rates[size >= size.median()].median() < diagonal / 4:
        return 0.0
    seen = size[rates > 2 * diagonal]
    return diagonal if len(seen) and seen.max() >= 4 else 0.0  # of less than two octaves a fit means little


def _exponent(rates: Tensor, k: Tensor, aliased: float, weight: Tensor | float = 1.0) -> float:
    """The weighted rates' decay exponent where they stand out of what aliasing adds."""
    above = rates > 2 * aliased
    return decay_exponent(((rates - aliased) * weight)[above], k[above])


def _warn(what: str, own: float, effective: float, d: int) -> None:
    if effective < d <= own:
        warnings.warn(
            f"{what} takes the model's decay exponent from {own:.2f} to {effective:.2f}, below the critical {d}:"
            f" training will tend to interpolate by spikes at the data; λ^-p is safe up to p = {1 - d / own:.2f}",
            CriticalRateWarning,
            stacklevel=4,
        )
