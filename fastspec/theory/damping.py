"""What damping leaves of the rates of a tangent kernel by whose damped inverse a gradient is preconditioned."""

import math

import torch
from torch import Tensor

from ..measure import decay_exponent
from ..measure.checks import check_finite

_FLOOR = 1e-7  # of the greatest rate: below it float32 finds noise
_LEAST = 1e-7  # damping over the greatest rate


def effective_rates(rates: Tensor, damping: float) -> Tensor:
    """λ c / (λ + c): what c (K + c)^-1 makes of each rate λ of the kernel K, which commutes with it.

    Modes of λ well above the damping c are all learnt at the rate c, those well below it at their own: so c marks the
    frequency up to which the order of learning is undone.

    Args:
        rates: λ of each mode, real, any shape, not negative.
        damping: c > 0, in the unit of the rates.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """
    rates = torch.as_tensor(rates)
    if rates.is_complex() or not rates.is_floating_point():
        raise TypeError(f"rates: dtype was {rates.dtype}, must be real and floating")
    if not 0 < damping < math.inf:
        raise ValueError(f"damping: was {damping!r}, must be positive and finite")
    return rates * (damping / (rates + damping))


def critical_damping(rates: Tensor, k: Tensor | None = None, *, d: int = 1) -> float:
    """The least damping c that leaves the effective rates λ c / (λ + c) a decay exponent of d.

    A network whose kernel's exponent is d or below makes spikes of the data (arXiv 2105.11675). So this is the
    strongest preconditioning whose effective rates, taken for a kernel's, would still make a smooth fit. Exponents are
    :func:`fastspec.measure.decay_exponent`'s, of the modes whose own rate is above 1e-7 of the greatest.

    Args:
        rates: λ of each mode, real, as from :func:`fastspec.measure.ntk_rates`; or all eigenvalues of the kernel.
        k: wavenumbers, as in decay_exponent; default those of all eigenvalues in d dimensions, sorted: as many have at
            most the i-th one's |k| as there are in a ball of that radius (Weyl's law), but at least 1.
        d: dimension of the points.

    Returns:
        c, at most the greatest rate, where the exponent of the rates themselves is d or less, and at least 1e-7 of it.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """
    if isinstance(d, bool) or not isinstance(d, int) or d < 1:
        raise ValueError(f"d: was {d!r}, must be a positive int")
    rates = torch.as_tensor(rates)
    check_finite("rates", rates)
    rates = rates.detach().double().cpu()
    if not bool((rates > 0).any()):
        raise ValueError("rates: had none above 0, must have some")
    if k is None:
        rates = rates.flatten().sort(descending=True).values
        ball = math.pi ** (d / 2) / math.gamma(d / 2 + 1)
        k = (torch.arange(1, len(rates) + 1, dtype=torch.float64) / ball).pow(1 / d).clamp_min(1)
    greatest = rates.max().item()
    kept = rates > _FLOOR * greatest
    rates, k = rates[kept], k.to(rates.device)[kept]
    low, high = math.log(_LEAST * greatest), math.log(greatest)
    for _ in range(50):
        middle = (low + high) / 2
        if decay_exponent(effective_rates(rates, math.exp(middle)), k) < d:
            low = middle
        else:
            high = middle
    return math.exp(high)
