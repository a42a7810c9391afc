"""A model's tangent kernel K = J J^T at points, by products with the Jacobian J and never as a matrix."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, jvp, vjp, vmap

from ..nufft import Plan
from .checks import point_rows
from .spectra import spectrum

_BYTES = 2**28  # of parameter gradients held at a time

Parameters = dict[str, Tensor]
Transform = Callable[[Tensor], Tensor]


class TangentKernel:
    """That of a model at x, real ``(M,)`` or ``(M, d)``, as ``points`` (M, d); the model is left unchanged.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """

    def __init__(self, model: nn.Module, x: Tensor):
        self.points = checked_points(model, x)
        self.values, self.parameters = _function(model, x.detach())

    def exact(self, k: Tensor, period: Sequence[float], window: Tensor) -> Tensor:
        """Rayleigh quotients of the waves k (K, d) times a window (M,), (K,): two products J^T e a wave."""
        values, pullback = vjp(self.values, self.parameters)[:2]
        count, channels = values.shape
        turns = self.points.double() / torch.tensor(period, dtype=torch.float64, device=self.points.device)

        def energy(cotangent: Tensor) -> Tensor:
            squares = (g.square().sum() for g in pullback(cotangent)[0].values())
            return sum(squares, start=cotangent.new_zeros(()))

        size = sum(p.numel() * p.element_size() for p in self.parameters.values())
        energies = vmap(energy, chunk_size=max(1, _BYTES // max(1, size + 8 * values.numel())))
        unit = torch.eye(channels, dtype=values.dtype, device=values.device)
        out = []
        for part in k.to(turns.device).split(max(1, _BYTES // (16 * count))):
            phase = 2 * math.pi * part @ turns.mT
            waves = (torch.cat([phase.cos(), phase.sin()]) * window).to(values.dtype)
            each = (energies(waves[..., None] * unit[c]) for c in range(channels))
            out.append(sum(each, start=waves.new_zeros(())).unflatten(0, (2, -1)).sum(0))
        return torch.cat(out) / (window.square().sum() * channels)

    def sampled(self, transform: Transform, windows: Tensor, samples: int, generator: torch.Generator | None) -> Tensor:
        """Estimates of the quotients of all waves that ``transform`` knows, in each of the windows (W, M), (W, K).

        ``transform`` takes values (W, C, M) to their modes (W, C, K). The samples are the same for all.
        """
        total = windows.new_zeros(())
        for _ in range(samples):
            tangent = {name: _normal_like(p, generator) for name, p in self.parameters.items()}
            change = jvp(self.values, (self.parameters,), (tangent,))[1]
            modes = transform(windows.to(change)[:, None] * change.mT)
            total = total + (modes.real.square() + modes.imag.square()).mean(1)
        return total / (samples * windows.to(total).square().sum(1, keepdim=True))

    def on_grid(self, modes: tuple[int, ...], period: Sequence[float]) -> Transform:
        """The transform to a grid of modes."""
        precision = torch.promote_types(self.points.dtype, next(iter(self.parameters.values())).dtype)
        plan = Plan(self.points.to(precision), modes, period=period)
        return lambda values: plan.nufft1(values).flatten(2)

    def at(self, k: Tensor, period: Sequence[float]) -> Transform:
        """The transform to the wavenumbers k (K, d)."""

        def transform(values: Tensor) -> Tensor:
            rows = values.flatten(0, 1).mT
            return spectrum(self.points, rows, k, period).mT.unflatten(0, values.shape[:2]) * len(self.points)

        return transform


def checked_points(model: nn.Module, x: Tensor) -> Tensor:
    """x as (M, d)."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model: was {type(model).__name__}, must be an nn.Module")
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError("model: had no parameters that require gradients, must have some")
    return point_rows(x)


def _function(model: nn.Module, x: Tensor) -> tuple[Callable[[Parameters], Tensor], Parameters]:
    """The values (M, C) as a function of the trained parameters alone, and those."""
    trained = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    held = {name: p.detach() for name, p in model.named_parameters() if not p.requires_grad}
    held |= {name: b.detach().clone() for name, b in model.named_buffers()}

    def values(parameters: Parameters) -> Tensor:
        out = functional_call(model, (parameters, held), (x,))
        if out.ndim not in (1, 2) or len(out) != len(x):
            raise ValueError(f"model: returned shape {tuple(out.shape)}, must return ({len(x)},) or ({len(x)}, C)")
        return out.reshape(len(x), -1)

    return values, trained


def _normal_like(p: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(p.shape, generator=generator, dtype=p.dtype, device=p.device)
