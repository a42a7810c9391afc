"""γ(ξ) of the linear frequency principle (arXiv 2010.08153), which theory gives and a weight is made of."""

import math

import torch
from torch import Tensor

from . import _check

_QUADRATURE = 4001  # nodes over the norm of a Gaussian weight
_MOST_DIMENSIONS = 300  # beyond, the constant's Gamma function is no float64
_ENTRIES = 2**22  # frequencies times neurons at a time


def lfp_rate(
    xi: Tensor,
    *,
    d: int,
    activation: str = "relu",
    a: Tensor | float = 1.0,
    w: Tensor | float = 1.0,
    sigma_b: float = 1.0,
) -> Tensor:
    """γ(ξ) of the linear frequency principle, whose square is the rate at which frequency ξ is learnt.

    With C = Γ(d/2) / (2√2 π^{(d+1)/2} σ_b) and r = |w|,

        ReLU   γ² = C E[ r³/(16π⁴|ξ|^{d+3}) + a² r/(4π²|ξ|^{d+1}) ]
        tanh   γ² = C E[ (π²/r) csch²(π²|ξ|/r) (1 + 4π²a²ξ²/r²) ] / |ξ|^{d-1}

    the latter being the paper's for d = 1 and the same derivation for d > 1. Trained to the end from h_0, the network
    minimises ∫ γ^{-2} |ĥ - ĥ_0|² among all that meet the data: ``weights.lfp`` is that weight.

    C is the paper's, which counts of each direction w and -w one; the tangent kernel's Fourier transform, for biases
    N(0, σ_b²), is 2 γ².

    Args:
        xi: frequencies in cycles per unit of x: vectors ``(..., d)``, or their norms where d = 1 or ``xi`` is ``(K,)``.
        d: dimension of x.
        activation: "relu" or "tanh".
        a: output weights, ``(m,)``, or a number: their root mean square, independent of w.
        w: input weights, ``(m, d)``, or ``(m,)`` for d = 1, or a number: the standard deviation of Gaussian entries.
        sigma_b: standard deviation of the biases.

    Returns:
        γ, in the shape of the norms of ``xi``; infinite at ξ = 0.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """
    _check.choice("activation", activation, ("relu", "tanh"))
    sigma_b, d = _check.number("sigma_b", sigma_b), _check.integer("d", d)
    if not sigma_b > 0:
        raise ValueError(f"sigma_b: was {sigma_b!r}, must be positive")
    if not 1 <= d <= _MOST_DIMENSIONS:
        raise ValueError(f"d: was {d!r}, must be from 1 to {_MOST_DIMENSIONS}")
    norm = _norms(xi, d)
    p, r, a2 = _neurons(a, w, d, norm)
    terms = _relu_terms if activation == "relu" else _tanh_terms
    flat = norm.flatten()
    chunk = max(1, _ENTRIES // len(r))
    # no product of matrices, which autocast would round
    expectation = torch.cat([(terms(part[:, None], r, a2) * p).sum(-1) for part in flat.split(chunk)])
    c = math.gamma(d / 2) / (2 * math.sqrt(2) * math.pi ** ((d + 1) / 2) * sigma_b)
    out: Tensor = (c * expectation / flat ** (d - 1)).sqrt().reshape(norm.shape)
    return out


def _norms(xi: Tensor, d: int) -> Tensor:
    _check.tensor("xi", xi)
    if xi.is_complex():
        raise TypeError(f"xi: dtype was {xi.dtype}, must be real")
    xi = xi if xi.is_floating_point() else xi.to(torch.get_default_dtype())
    if xi.ndim > 1 and xi.shape[-1] != d:
        raise ValueError(f"xi: shape was {tuple(xi.shape)}, must be (..., {d}), or (K,) for norms")
    return xi.norm(dim=-1) if xi.ndim > 1 else xi.abs()


def _neurons(a: Tensor | float, w: Tensor | float, d: int, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Probability, |w| and a² of each neuron, or of each node of a quadrature over them."""
    w, a2 = _weights("w", w).to(like), _weights("a", a).to(like).square()
    if w.ndim == 0:
        p, r = _chi(d, like)
        return p, w * r, a2.mean().expand(len(r))
    w = w[:, None] if w.ndim == 1 else w
    if w.ndim != 2 or w.shape[1] != d or len(w) == 0:
        raise ValueError(f"w: shape was {tuple(w.shape)}, must be (m, {d}), m > 0, or a number")
    if a2.numel() not in (1, len(w)):
        raise ValueError(f"a: had {a2.numel()} entries, must have {len(w)} as w has, or be a number")
    r = w.norm(dim=1)
    p = (r > 0).to(r) / len(r)  # a neuron that sees no input carries no frequency
    return p, torch.where(r > 0, r, 1), a2.flatten().expand(len(r))


def _weights(name: str, value: Tensor | float) -> Tensor:
    made = value if isinstance(value, Tensor) else torch.tensor(_check.number(name, value))
    _check.tensor(name, made)
    if made.device.type == "meta":
        raise ValueError(f"{name}: was on meta, must have numbers")
    return made.detach()


def _chi(d: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Trapezoid rule for the norm of a standard Gaussian vector: exponentially accurate, as the density is smooth."""
    r = torch.linspace(0, math.sqrt(d) + 9, _QUADRATURE, dtype=torch.float64, device=like.device)[1:]
    p = torch.exp((d - 1) * r.log() - r**2 / 2)
    total = p.sum() + (0.5 if d == 1 else 0)  # half of the node at r = 0, where only in 1-D there is a density
    return (p / total).to(like), r.to(like)


def _relu_terms(xi: Tensor, r: Tensor, a2: Tensor) -> Tensor:
    return r**3 / (16 * math.pi**4 * xi**4) + a2 * r / (4 * math.pi**2 * xi**2)


def _tanh_terms(xi: Tensor, r: Tensor, a2: Tensor) -> Tensor:
    z = math.pi**2 * xi / r
    decay = torch.exp(-2 * z)
    csch2 = 4 * decay / torch.expm1(-2 * z) ** 2
    return math.pi**2 / r * csch2 * (1 + 4 * math.pi**2 * a2 * (xi / r) ** 2)
