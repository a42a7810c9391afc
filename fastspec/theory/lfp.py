"""The linear frequency principle: how fast a wide two-layer network learns each frequency (arXiv 2010.08153).

For h(x) = m^-½ Σ_j a_j σ(w_j·x + b_j) with biases spread wide, the tangent kernel between two points is nearly a
function of their difference, so in frequency the error decays mode by mode.
"""

import math

import torch
from torch import Tensor

from .. import _check
from ..measure.spectra import spectrum
from ..nufft import Period, Plan

_QUADRATURE = 4001  # nodes over the norm of a Gaussian weight
_ENTRIES = 2**22  # frequencies times neurons at a time
_WHOLE = 1024  # points up to which the kernel is diagonalised as a matrix
_KRYLOV = 400


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
    if activation not in ("relu", "tanh"):
        raise ValueError(f"activation: was {activation!r}, must be 'relu' or 'tanh'")
    if not sigma_b > 0:
        raise ValueError(f"sigma_b: was {sigma_b!r}, must be positive")
    norm = _norms(xi, d)
    p, r, a2 = _neurons(a, w, d, norm)
    terms = _relu_terms if activation == "relu" else _tanh_terms
    flat = norm.flatten()
    chunk = max(1, _ENTRIES // len(r))
    expectation = torch.cat([terms(part[:, None], r, a2) @ p for part in flat.split(chunk)])
    c = math.gamma(d / 2) / (2 * math.sqrt(2) * math.pi ** ((d + 1) / 2) * sigma_b)
    return (c * expectation / flat ** (d - 1)).sqrt().reshape(norm.shape)


def _norms(xi: Tensor, d: int) -> Tensor:
    _check.tensor("xi", xi)
    if xi.is_complex():
        raise TypeError(f"xi: dtype was {xi.dtype}, must be real")
    xi = xi if xi.is_floating_point() else xi.to(torch.get_default_dtype())
    if xi.ndim > 1 and xi.shape[-1] != d:
        raise ValueError(f"xi: shape was {tuple(xi.shape)}, must be (..., {d}), or (K,) for norms")
    return xi.norm(dim=-1) if xi.ndim > 1 else xi.abs()


def _neurons(a, w, d: int, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Probability, |w| and a² of each neuron, or of each node of a quadrature over them."""
    w = torch.as_tensor(w).detach().to(like)
    a2 = torch.as_tensor(a).detach().to(like).square()
    if w.ndim == 0:
        p, r = _chi(d, like)
        return p, w * r, a2.mean().expand(len(r))
    w = w[:, None] if w.ndim == 1 else w
    if w.ndim != 2 or w.shape[1] != d:
        raise ValueError(f"w: shape was {tuple(w.shape)}, must be (m, {d}) or a number")
    if a2.numel() not in (1, len(w)):
        raise ValueError(f"a: had {a2.numel()} entries, must have {len(w)} as w has, or be a number")
    r = w.norm(dim=1)
    p = (r > 0).to(r) / len(r)  # a neuron that sees no input carries no frequency
    return p, torch.where(r > 0, r, 1), a2.flatten().expand(len(r))


def _chi(d: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Trapezoid rule for the norm of a standard Gaussian vector: exponentially accurate, as the density is smooth."""
    r = torch.linspace(0, math.sqrt(d) + 9, _QUADRATURE, dtype=torch.float64, device=like.device)[1:]
    p = torch.exp((d - 1) * r.log() - r**2 / 2)
    if d == 1:
        return (p / (p.sum() + 0.5)).to(like), r.to(like)
    return (p / p.sum()).to(like), r.to(like)


def _relu_terms(xi: Tensor, r: Tensor, a2: Tensor) -> Tensor:
    return r**3 / (16 * math.pi**4 * xi**4) + a2 * r / (4 * math.pi**2 * xi**2)


def _tanh_terms(xi: Tensor, r: Tensor, a2: Tensor) -> Tensor:
    z = math.pi**2 * xi / r
    decay = torch.exp(-2 * z)
    csch2 = 4 * decay / torch.expm1(-2 * z) ** 2
    return math.pi**2 / r * csch2 * (1 + 4 * math.pi**2 * a2 * (xi / r) ** 2)


def lfp_evolution(
    x: Tensor,
    initial: Tensor,
    target: Tensor,
    rates: Tensor,
    times: Tensor,
    *,
    period: Period = 2 * math.pi,
    wavenumbers: Tensor | None = None,
    divergence: Tensor | None = None,
) -> Tensor:
    """Predicted error of each frequency over time, Δ_F(k, t) = |r̂_k(t)| / |f̂_k|, as SpectralMonitor measures it.

    The residual r = h - f at the points follows gradient flow on ½ Σ_j r_j² under a tangent kernel that is a
    function of the difference of two points,

        dr/dt = -K r,   K = F^H diag(λ / M) F,

    where F is the type 1 transform. On M uniform points mode k then decays at λ_k exactly; scattered points couple the
    modes. Time of one step of gradient descent at learning rate η: η on ½ Σ_j r_j², 2η/M on the mean squared error.

    Args:
        x: points, real ``(M,)`` or ``(M, d)``.
        initial: the network's values there before training, real ``(M,)`` or ``(M, C)``.
        target: f, as ``initial``.
        rates: λ_k ≥ 0, ``(*modes)``, centered: from :func:`fastspec.measure.ntk_rates`, or 2 M γ(k/period)² over the
            volume of the period from :func:`lfp_rate`.
        times: ``(T,)``, not negative.
        period: length of the periodic box, a float or one per dimension, in units of x.
        wavenumbers: ``(K, d)`` or ``(K,)``, at which to give the error; default all of the modes.
        divergence: the rates of the linear frequency principle's divergence term: K also has Σ_a x_a F^H diag(this / M)
            F x_a, with x counted from the origin of the network's input.

    Returns:
        ``(T, K)``, or ``(T, *modes)``, float64.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """
    residual, target, plan, times = _checked(x, initial, target, rates, times, period)
    kernel = _kernel(plan, rates, divergence)
    evolved = _evolve(kernel, residual.mT.contiguous(), times)  # (T, C, M)
    modes = tuple(rates.shape)
    if wavenumbers is None:
        above, below = (plan.nufft1(values).flatten(-len(modes)) for values in (evolved, target.mT.contiguous()))
    else:
        k = wavenumbers.double().reshape(len(wavenumbers), -1)
        flat = evolved.flatten(0, 1).mT.contiguous()
        above = spectrum(plan.x, flat, k, plan.period).mT.reshape(*evolved.shape[:2], -1) * len(plan.x)
        below = spectrum(plan.x, target, k, plan.period).mT * len(plan.x)
    errors = torch.linalg.vector_norm(above, dim=1) / torch.linalg.vector_norm(below, dim=0)
    return errors.reshape(len(times), *modes) if wavenumbers is None else errors


def _checked(x, initial, target, rates, times, period):
    _check.points(x)
    x = x.detach().double()
    x = x[:, None] if x.ndim == 1 else x
    if x.ndim != 2:
        raise ValueError(f"x: shape was {tuple(x.shape)}, must be (M,) or (M, d)")
    for name, value in (("initial", initial), ("target", target)):
        _check.data(name, value, x, real=True)
        if value.ndim not in (1, 2) or len(value) != len(x):
            raise ValueError(f"{name}: shape was {tuple(value.shape)}, must be ({len(x)},) or ({len(x)}, C)")
    initial, target = (v.detach().double().reshape(len(x), -1) for v in (initial, target))
    if initial.shape != target.shape:
        raise ValueError(f"target: had {target.shape[1]} channels, must have {initial.shape[1]} as initial has")
    if rates.ndim != x.shape[1] or not bool((rates >= 0).all()):
        raise ValueError(f"rates: shape was {tuple(rates.shape)}, must be one axis per dimension of x, not negative")
    times = torch.as_tensor(times, dtype=torch.float64, device=x.device).flatten()
    if not bool((times >= 0).all()):
        raise ValueError(f"times: had {times.min().item()}, must not be negative")
    return initial - target, target, Plan(x, tuple(rates.shape), period=period), times


def _kernel(plan: Plan, rates: Tensor, divergence: Tensor | None):
    """K on rows (R, M)."""

    def stationary(r: Tensor, multiplier: Tensor) -> Tensor:
        return plan.nufft2(plan.nufft1(r) * multiplier).real / len(plan.x)

    def kernel(r: Tensor) -> Tensor:
        out = stationary(r, rates.to(r))
        if divergence is not None:
            for axis in plan.x.unbind(1):
                out = out + axis * stationary(axis * r, divergence.to(r))
        return out

    return kernel


def _evolve(kernel, rows: Tensor, times: Tensor) -> Tensor:
    """e^{-tK} on rows (C, M) at each time, (T, C, M)."""
    if rows.shape[1] <= _WHOLE:
        matrix = kernel(torch.eye(rows.shape[1], dtype=rows.dtype, device=rows.device))
        values, vectors = torch.linalg.eigh((matrix + matrix.mT) / 2)
        decay = torch.exp(-times[:, None] * values.clamp_min(0))
        return (decay[:, None] * (rows @ vectors)) @ vectors.mT
    return torch.stack([_lanczos(kernel, row, times) for row in rows], 1)


def _lanczos(kernel, row: Tensor, times: Tensor) -> Tensor:
    """e^{-tK} row ≈ ‖row‖ V e^{-tT} e_1 with V of a Krylov space, kept orthogonal, and T = V^T K V, (T, M)."""
    size = row.norm()
    if size == 0:
        return row.expand(len(times), -1)
    basis, diagonal, beside = [row / size], [], []
    for _ in range(min(_KRYLOV, len(row))):
        held = torch.stack(basis)
        new = kernel(basis[-1][None])[0]
        diagonal.append(new @ basis[-1])
        for _ in range(2):
            new = new - held.mT @ (held @ new)
        beside.append(new.norm())
        if beside[-1] <= 1e-13 * torch.stack(diagonal).abs().max():
            break
        basis.append(new / beside[-1])
    held = torch.stack(basis[: len(diagonal)])
    matrix = torch.diag(torch.stack(diagonal))
    if len(diagonal) > 1:
        off = torch.stack(beside[: len(diagonal) - 1])
        matrix = matrix + torch.diag(off, 1) + torch.diag(off, -1)
    values, vectors = torch.linalg.eigh(matrix)
    decay = torch.exp(-times[:, None] * values.clamp_min(0))
    return size * (decay * vectors[0]) @ vectors.mT @ held
