"""A model's tangent kernel K = J J^T at points, by products with the Jacobian J and never as a matrix."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .._data import Given, for_model, points
from ..nufft import Plan
from ..tangent import Outputs, jacobian_of
from .checks import point_rows
from .spectra import spectrum

_BYTES = 2**28  # of waves held at a time

Map = Callable[[Tensor], Tensor]
Transform = Callable[[Tensor], Tensor]


class TangentKernel:
    """That of a model at x, real ``(M,)`` or ``(M, d)``, as ``points`` (M, d); the model is left unchanged.

    The model may call autograd itself, as a module that returns a differential equation's residual does.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """

    def __init__(self, model: nn.Module, x: Given):
        x = points_of(model, x)
        self.points = point_rows(x)
        self.jacobian = jacobian_of(Outputs(model), x)
        self.parameters = self.jacobian.parameters

    def exact(self, k: Tensor, period: Sequence[float], window: Tensor, precondition: Map | None = None) -> Tensor:
        """Rayleigh quotients of the waves k (K, d) times a window (M,), (K,): two products J^T e a wave.

        With a symmetric map P of (M, C), those of K P: four products a wave.
        """
        values = self.jacobian.at
        count, channels = values.shape
        turns = self.points.double() / torch.tensor(period, dtype=torch.float64, device=self.points.device)
        unit = torch.eye(channels, dtype=values.dtype, device=values.device)
        out = []
        for part in k.to(turns.device).split(max(1, _BYTES // (16 * count))):
            phase = 2 * math.pi * part @ turns.mT
            waves = (torch.cat([phase.cos(), phase.sin()]) * window).to(values.dtype)
            each = (self._energies(waves[..., None] * unit[c], precondition) for c in range(channels))
            out.append(sum(each, start=waves.new_zeros(())).unflatten(0, (2, -1)).sum(0))
        return torch.cat(out) / (window.square().sum() * channels)

    def _energies(self, waves: Tensor, precondition: Map | None) -> Tensor:
        right = None if precondition is None else torch.stack([precondition(wave) for wave in waves])
        return self.jacobian.energies(waves, right)

    def sampled(
        self,
        transform: Transform,
        windows: Tensor,
        samples: int,
        generator: torch.Generator | None,
        precondition: Map | None = None,
    ) -> Tensor:
        """Estimates of the quotients of all waves that ``transform`` knows, in each of the windows (W, M), (W, K).

        ``transform`` takes values (W, C, M) to their modes (W, C, K). The samples are the same for all.
        """
        total = windows.new_zeros(())
        for _ in range(samples):
            tangent = {name: _normal_like(p, generator) for name, p in self.parameters.items()}
            change = self.jacobian.push(tangent)
            modes = other = transform(windows.to(change)[:, None] * change.mT)
            if precondition is not None:
                other = transform(windows.to(change)[:, None] * precondition(change).mT)
            total = total + (modes.real * other.real + modes.imag * other.imag).mean(1)
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
            out: Tensor = spectrum(self.points, rows, k, period).mT.unflatten(0, values.shape[:2]) * len(self.points)
            return out

        return transform


def points_of(model: nn.Module, x: Given) -> Tensor:
    """x as the model takes it, (M,) or (M, d)."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model: was {type(model).__name__}, must be an nn.Module")
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError("model: had no parameters that require gradients, must have some")
    given = for_model(points("x", x), x, model)
    point_rows(given)
    return given.detach()


def _normal_like(p: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(p.shape, generator=generator, dtype=p.dtype, device=p.device)
