"""The neural tangent kernel seen in frequency: how fast a model, as it is now, learns each mode."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, jvp, vjp, vmap

from .. import _check
from ..nufft import Modes, Period, Plan
from .spectra import spectrum

_BYTES = 2**28  # of parameter gradients held at a time


def ntk_rates(
    model: nn.Module,
    x: Tensor,
    modes: Modes | Tensor,
    *,
    period: Period = 2 * math.pi,
    samples: int | None = None,
    generator: torch.Generator | None = None,
    window: Tensor | None = None,
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
        x: points, real ``(M, d)``, or ``(M,)`` for d = 1, passed to the model as they are.
        modes: number of wavenumbers, an int or one per dimension, d at most 3; or a tensor of real wavenumbers,
            ``(K,)`` or ``(K, d)``, any d.
        period: length of the periodic box, a float or one per dimension, in units of x.
        samples: of the estimate; ``None`` for the exact quotients.
        generator: of the samples.
        window: amplitude g_j of the waves at each point, real ``(M,)``; default 1.

    Returns:
        ``(*modes)``, centered, or ``(K,)``, in the dtype of the model's parameters.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """
    points = _checked_points(model, x)
    k, shape, mirror = _wavenumbers(modes, points.shape[1])
    box = _check.period(period, points.shape[1])
    g = _checked_window(window, points)
    if samples is not None:
        if isinstance(samples, bool) or not isinstance(samples, int) or samples < 1:
            raise ValueError(f"samples: was {samples!r}, must be a positive int or None")
        grid = None if isinstance(modes, Tensor) else shape
        return _sampled(model, x, points, k, grid, box, samples, generator, g[None])[0].reshape(shape)
    rates = _exact(model, x, points, k[mirror.unique()], box, g)
    return rates[torch.unique(mirror, return_inverse=True)[1].to(rates.device)].reshape(shape)


def _checked_points(model: nn.Module, x: Tensor) -> Tensor:
    if not isinstance(model, nn.Module):
        raise TypeError(f"model: was {type(model).__name__}, must be an nn.Module")
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError("model: had no parameters that require gradients, must have some")
    _check.tensor("x", x)
    if not x.is_floating_point():
        raise TypeError(f"x: dtype was {x.dtype}, must be real and floating")
    if x.ndim not in (1, 2) or x.numel() == 0:
        raise ValueError(f"x: shape was {tuple(x.shape)}, must be (M,) or (M, d) and not empty")
    return x.detach().reshape(len(x), -1)


def _checked_window(window: Tensor | None, points: Tensor) -> Tensor:
    if window is None:
        return points.new_ones(len(points))
    _check.data("window", window, points, real=True)
    if window.shape != (len(points),):
        raise ValueError(f"window: shape was {tuple(window.shape)}, must be ({len(points)},)")
    return window.detach()


def _wavenumbers(modes, d: int) -> tuple[Tensor, tuple[int, ...], Tensor]:
    """Wavenumbers (K, d), the shape of the result, and for each the index of the first of ±k, whose rates agree."""
    if isinstance(modes, Tensor):
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


def wavenumbers(modes: Sequence[int], device) -> Tensor:
    """Float64 (*modes, d), centered."""
    axes = [torch.arange(-(n // 2), (n + 1) // 2, device=device, dtype=torch.float64) for n in modes]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)


def _function(model: nn.Module, x: Tensor) -> tuple[Callable, dict[str, Tensor]]:
    """The values (M, C) as a function of the trained parameters alone, and those."""
    trained = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    held = {name: p.detach() for name, p in model.named_parameters() if not p.requires_grad}
    held |= {name: b.detach().clone() for name, b in model.named_buffers()}
    x = x.detach()

    def values(parameters):
        out = functional_call(model, (parameters, held), (x,))
        if out.ndim not in (1, 2) or len(out) != len(x):
            raise ValueError(f"model: returned shape {tuple(out.shape)}, must return ({len(x)},) or ({len(x)}, C)")
        return out.reshape(len(x), -1)

    return values, trained


def _exact(model: nn.Module, x: Tensor, points: Tensor, k: Tensor, period, window: Tensor) -> Tensor:
    function, parameters = _function(model, x)
    values, pullback = vjp(function, parameters)
    count, channels = values.shape
    turns = points.double() / torch.tensor(period, dtype=torch.float64, device=x.device)

    def energy(cotangent: Tensor) -> Tensor:
        return sum(g.square().sum() for g in pullback(cotangent)[0].values())

    size = sum(p.numel() * p.element_size() for p in parameters.values())
    rows = max(1, _BYTES // max(1, size + 8 * values.numel()))
    energies = vmap(energy, chunk_size=rows)
    unit = torch.eye(channels, dtype=values.dtype, device=values.device)
    out = []
    for part in k.to(x.device).split(max(1, _BYTES // (16 * count))):
        phase = 2 * math.pi * part @ turns.mT
        waves = (torch.cat([phase.cos(), phase.sin()]) * window).to(values.dtype)
        total = sum(energies(waves[..., None] * unit[c]) for c in range(channels))
        out.append(total.unflatten(0, (2, -1)).sum(0))
    return torch.cat(out) / (window.square().sum() * channels)


def _sampled(model, x: Tensor, points: Tensor, k: Tensor, grid, period, samples: int, generator, windows) -> Tensor:
    """Of waves in each of the windows (W, M), from the same samples, (W, K)."""
    function, parameters = _function(model, x)
    precision = torch.promote_types(points.dtype, next(iter(parameters.values())).dtype)
    plan = None if grid is None else Plan(points.to(precision), grid, period=period)
    total = 0.0
    for _ in range(samples):
        tangent = {name: _normal_like(p, generator) for name, p in parameters.items()}
        change = jvp(function, (parameters,), (tangent,))[1]
        values = windows.to(change)[:, None] * change.mT  # (W, C, M)
        if plan is not None:
            modes = plan.nufft1(values).flatten(2)
        else:
            modes = spectrum(points, values.flatten(0, 1).mT, k, period).mT.unflatten(0, values.shape[:2]) * len(x)
        total = total + (modes.real.square() + modes.imag.square()).mean(1)
    return total / (samples * windows.to(total).square().sum(1, keepdim=True))


def _normal_like(p: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(p.shape, generator=generator, dtype=p.dtype, device=p.device)


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
    _check.tensor("rates", rates)
    _check.tensor("k", k)
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
