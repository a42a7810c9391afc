"""How fast each mode of the error decays under gradient descent with momentum."""

import math

import torch
from torch import Tensor


def momentum_rates(rates: Tensor, *, mass: float, friction: float) -> Tensor:
    """Decay rate of each mode of m q̈ + μ q̇ + κ q = 0, the continuous limit of momentum (arXiv 2206.14862).

    The roots are (-μ ± √(μ² - 4mκ)) / 2m; the slower one rules. Every underdamped mode, κ > μ²/4m, decays at μ/2m
    whatever its κ: so momentum evens the rates; overdamped ones decay at about κ/μ, as without it.

    Heavy-ball momentum β with learning rate η, v ← βv - η∇L, θ ← θ + v, has m = β and μ = (1 - β)/√η in the time
    t = √η · step, to leading order; :func:`heavy_ball_rates` is exact for its steps.

    Args:
        rates: κ, decay rate of each mode under gradient flow, real, any shape, not negative.
        mass: m > 0.
        friction: μ > 0.

    Returns:
        Decay rates per unit of time, in the shape of ``rates``: q falls like e^{-rate t}.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """
    rates = _checked(rates)
    for name, value in (("mass", mass), ("friction", friction)):
        if not 0 < value < math.inf:
            raise ValueError(f"{name}: was {value!r}, must be positive and finite")
    root = (friction**2 - 4 * mass * rates).clamp_min(0).sqrt()
    # 2κ / (μ + √…) is (μ - √…) / 2m without cancellation
    return torch.where(root > 0, 2 * rates / (friction + root), friction / (2 * mass))


def heavy_ball_rates(rates: Tensor, *, lr: float, momentum: float = 0.0) -> Tensor:
    """Decay of each mode per step of ``torch.optim.SGD(lr=lr, momentum=momentum)``, exactly.

    An error of curvature κ follows q_{s+1} = (1 + β - ηκ) q_s - β q_{s-1}; with z the root of largest modulus of
    z² - (1 + β - ηκ) z + β it falls like |z|^s.

    Args:
        rates: κ, eigenvalues of the loss's Hessian: those of the tangent kernel for ½ Σ_j r_j², times 2/M for the mean
            squared error.
        lr: η > 0.
        momentum: β in [0, 1).

    Returns:
        -log|z| in the shape of ``rates``; negative where the step is too large and the mode grows.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """
    rates = _checked(rates)
    if not 0 < lr < math.inf:
        raise ValueError(f"lr: was {lr!r}, must be positive and finite")
    if not 0 <= momentum < 1:
        raise ValueError(f"momentum: was {momentum!r}, must be at least 0 and below 1")
    trace = (1 + momentum - lr * rates).to(torch.promote_types(rates.dtype, torch.complex64))
    root = (trace**2 - 4 * momentum).sqrt()
    return -torch.maximum((trace + root).abs(), (trace - root).abs()).div(2).log()


def _checked(rates: Tensor) -> Tensor:
    rates = torch.as_tensor(rates)
    if rates.is_complex():
        raise TypeError(f"rates: dtype was {rates.dtype}, must be real")
    rates = rates if rates.is_floating_point() else rates.to(torch.get_default_dtype())
    if not bool((rates >= 0).all()):
        raise ValueError(f"rates: had {rates.min().item()}, must not be negative")
    return rates
