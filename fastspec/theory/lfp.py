"""The linear frequency principle: how fast a wide two-layer network learns each frequency (arXiv 2010.08153).

For h(x) = m^-½ Σ_j a_j σ(w_j·x + b_j) with biases spread wide, the tangent kernel between two points is nearly a
function of their difference, so in frequency the error decays mode by mode.
"""

import math

import torch
from torch import Tensor

from .. import _check
from .._core.plain import without_autocast
from ..measure.checks import check_finite, check_values
from ..measure.spectra import spectrum
from ..nufft import Period, Plan
from .conjugate_gradients import Operator

_WHOLE = 1024  # points up to which the kernel is diagonalised as a matrix
_KRYLOV = 400


@without_autocast()
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
    for name, given in (("wavenumbers", wavenumbers), ("divergence", divergence)):
        if given is not None:
            check_finite(name, given)
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
    out: Tensor = errors.reshape(len(times), *modes) if wavenumbers is None else errors
    return out


def _checked(
    x: Tensor, initial: Tensor, target: Tensor, rates: Tensor, times: Tensor, period: Period
) -> tuple[Tensor, Tensor, Plan, Tensor]:
    _check.points(x)
    x = x.detach().double()
    x = x[:, None] if x.ndim == 1 else x
    if x.ndim != 2:
        raise ValueError(f"x: shape was {tuple(x.shape)}, must be (M,) or (M, d)")
    for name, value in (("initial", initial), ("target", target)):
        check_values(name, value, x, real=True)
    initial, target = (v.detach().double().reshape(len(x), -1) for v in (initial, target))
    if initial.shape != target.shape:
        raise ValueError(f"target: had {target.shape[1]} channels, must have {initial.shape[1]} as initial has")
    check_finite("rates", rates)
    if rates.ndim != x.shape[1] or not bool((rates >= 0).all()):
        raise ValueError(f"rates: shape was {tuple(rates.shape)}, must be one axis per dimension of x, not negative")
    times = torch.as_tensor(times, device=x.device)
    check_finite("times", times)
    times = times.double().flatten()
    if not bool((times >= 0).all()):
        raise ValueError(f"times: had {times.min().item()}, must not be negative")
    return initial - target, target, Plan(x, tuple(rates.shape), period=period), times


def _kernel(plan: Plan, rates: Tensor, divergence: Tensor | None) -> Operator:
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


def _evolve(kernel: Operator, rows: Tensor, times: Tensor) -> Tensor:
    """e^{-tK} on rows (C, M) at each time, (T, C, M)."""
    if rows.shape[1] <= _WHOLE:
        matrix = kernel(torch.eye(rows.shape[1], dtype=rows.dtype, device=rows.device))
        values, vectors = torch.linalg.eigh((matrix + matrix.mT) / 2)
        decay = torch.exp(-times[:, None] * values.clamp_min(0))
        out: Tensor = (decay[:, None] * (rows @ vectors)) @ vectors.mT
        return out
    return torch.stack([_lanczos(kernel, row, times) for row in rows], 1)


def _lanczos(kernel: Operator, row: Tensor, times: Tensor) -> Tensor:
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
    out: Tensor = size * (decay * vectors[0]) @ vectors.mT @ held
    return out
