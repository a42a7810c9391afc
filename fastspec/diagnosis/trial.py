"""A few real steps on a copy of a model, and what they leave: errors at frequencies, and how fast they fall."""

import copy
import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..measure.spectra import spectrum
from ..tangent import Operator, Outputs, outside_of_modes
from ..tangent.jacobian import Recorded

STEPS = 200
_POINTS, _RATED = 2048, 400  # of the steps, and of the rates


class Trial(NamedTuple):
    """Of K frequencies, the errors |Σ r e^{-iφ}| / |Σ (y - mean) e^{-iφ}| at the points of the trial."""

    errors: list[Tensor]  # (K,) before each step and after the last
    rates: Tensor  # (K,) per step, of the error's fall, at the trial's end

    def reached(self, threshold: float) -> list[int | None]:
        """The first step with an error below the threshold, of each frequency."""
        below = torch.stack(self.errors) < threshold
        return [int(column.int().argmax()) if bool(column.any()) else None for column in below.unbind(1)]


def tried(
    model: nn.Module, x: Tensor, y: Tensor, frequencies: Tensor, optimizer: Any, operator: Operator | None
) -> Trial:
    """200 steps by the mean squared error on at most 2,048 of the points; ``model`` and ``optimizer`` stay as they are.

    The rate of a wave e is that of its error to first order, as the optimiser steps: η 2/M e·J D Jᵀe / e·e with the
    rate of learning η, the model's Jacobian J at M = 400 points, and D what the optimiser divides gradients by: 1/√v of
    Adam and its kin, else 1.
    """
    if len(frequencies) == 0:
        return Trial([frequencies.new_zeros(0)], frequencies.new_zeros(0))
    model, optimizer = copy.deepcopy((model, optimizer))
    if optimizer is None:
        optimizer = torch.optim.Adam(model.parameters())
    drawn = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:_POINTS].sort().values.to(x.device)
    x, target, k = x[drawn], y[drawn].reshape(len(drawn), -1), frequencies.to(x.device)

    def residual() -> Tensor:
        h = model(x) if operator is None else operator(model, x)
        return h.reshape(target.shape) - target

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = residual().square().mean()
        loss.backward()
        return loss

    scale, errors = _sizes(x, target - target.mean(0), k), []
    with outside_of_modes(x.device):
        for step in range(STEPS + 1):
            errors.append(_sizes(x, residual().detach(), k) / scale)
            if step < STEPS:
                optimizer.step(closure)
        chosen = torch.linspace(0, len(x) - 1, min(_RATED, len(x))).round().long().to(x.device)
        return Trial(errors, _rates(Outputs(model, operator), x[chosen], k, optimizer))


def _sizes(x: Tensor, values: Tensor, k: Tensor) -> Tensor:
    flat = x.reshape(len(x), -1)
    sizes: Tensor = torch.linalg.vector_norm(spectrum(flat, values, k, [1.0] * flat.shape[1]), dim=1)
    return sizes


def _rates(outputs: Outputs, x: Tensor, frequencies: Tensor, optimizer: Any) -> Tensor:
    jacobian = Recorded(outputs, x)
    weights = _weights(outputs.model, optimizer)
    phase = 2 * math.pi * x.reshape(len(x), -1).double() @ frequencies.mT
    channels, count = jacobian.at.shape[1], len(x)
    rates = []
    for column in phase.unbind(1):
        total = 0.0
        for wave in (column.cos(), column.sin()):
            for channel in range(channels):
                u = torch.zeros_like(jacobian.at)
                u[:, channel] = wave.to(u)
                pulled = jacobian.pull(u)
                energy = sum(float((weights[name] * g.square()).sum()) for name, g in pulled.items())
                total += energy / max(wave.square().sum().item(), 1e-12 * count)
        rates.append(total / (2 * channels) * 2 / count)
    return frequencies.new_tensor(rates)


def _weights(model: nn.Module, optimizer: Any) -> dict[str, Tensor | float]:
    """η D of each parameter."""
    rate = {id(p): (group.get("lr", 1e-3), group) for group in optimizer.param_groups for p in group["params"]}
    out: dict[str, Tensor | float] = {}
    for name, p in model.named_parameters():
        eta, group = rate.get(id(p), (0.0, {}))
        state = optimizer.state.get(p, {})
        if getattr(state.get("exp_avg_sq"), "shape", None) == p.shape:
            steps = float(state.get("step", STEPS))
            decayed = 1 - group.get("betas", (0.9, 0.999))[1] ** max(steps, 1.0)
            out[name] = eta / ((state["exp_avg_sq"] / decayed).sqrt() + group.get("eps", 1e-8))
        else:
            out[name] = eta
    return out
