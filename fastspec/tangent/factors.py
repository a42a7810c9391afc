"""Networks of linear layers: K from what goes into each layer and the outputs' gradients at what comes out of it.

    K(x, z) = Σ_layers (a(x)·a(z) + 1) (g(x)·g(z))

as the gradient of an output in a layer's weight is g ⊗ a, in its bias g: no Jacobian is ever formed.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from .outputs import Outputs

_TILE = 2**18  # entries of the two products held at a time, which a core's cache holds


class Factors(NamedTuple):
    """One entry for each layer that is trained."""

    inputs: list[Tensor | None]  # a (M, in); None where the weight is held fixed
    gradients: list[Tensor]  # g (M, C, out)
    shifts: list[bool]  # whether the bias is trained

    def to(self, dtype: torch.dtype) -> "Factors":
        inputs = [None if a is None else a.to(dtype) for a in self.inputs]
        return Factors(inputs, [g.to(dtype) for g in self.gradients], self.shifts)


def factors(outputs: Outputs, x: Tensor) -> Factors | None:
    """At the points x; None where some trained parameter is not that of a linear layer that is called once on rows."""
    layers = _layers(outputs)
    if layers is None or outputs.operator is not None:
        return None
    seen: dict[nn.Module, list[tuple[Tensor, Tensor]]] = {layer: [] for layer in layers}

    def keep(layer: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> Tensor:
        seen[layer].append((given[0].detach(), out))
        return out.clone()  # activations that work in place must not reach what is kept

    hooks = [layer.register_forward_hook(keep) for layer in layers]
    try:
        values = outputs(x)
    finally:
        for hook in hooks:
            hook.remove()
    if any(len(calls) != 1 or calls[0][0].ndim != 2 for calls in seen.values()):
        return None
    given, out = zip(*(calls[0] for calls in seen.values()), strict=True)
    channels = [_gradient(values[:, c].sum(), out) for c in range(values.shape[1])]
    gradients = [torch.stack(each, 1) for each in zip(*channels, strict=True)]
    inputs = [a if layer.weight.requires_grad else None for a, layer in zip(given, layers, strict=True)]
    return Factors(inputs, gradients, [layer.bias is not None and layer.bias.requires_grad for layer in layers])


def gram(left: Factors, right: Factors) -> Tensor:
    """K (M C, R C)."""
    (m, channels), r = left.gradients[0].shape[:2], len(right.gradients[0])
    out = left.gradients[0].new_zeros(m * channels, r * channels)
    rows = max(1, _TILE // (r * channels**2))
    for first in range(0, m, rows):
        part = slice(first, first + rows)
        block = out[first * channels : (first + rows) * channels]
        for a, b, g, h, shift in zip(
            left.inputs, right.inputs, left.gradients, right.gradients, left.shifts, strict=True
        ):
            slopes = g[part].flatten(0, 1) @ h.flatten(0, 1).mT
            if shift:
                block += slopes
            if a is not None and b is not None:
                alike = a[part] @ b.mT
                shape = len(alike), channels, r, channels
                block.view(shape).addcmul_(alike[:, None, :, None], slopes.view(shape))
    return out


def _layers(outputs: Outputs) -> list[nn.Linear] | None:
    layers = [m for m in outputs.model.modules() if type(m) is nn.Linear]
    layers = [m for m in layers if any(p.requires_grad for p in m.parameters())]
    held = [p for m in layers for p in m.parameters() if p.requires_grad]
    return layers if layers and len(held) == len(outputs.parameters) else None


def _gradient(total: Tensor, at: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return torch.autograd.grad(total, at, retain_graph=True, materialize_grads=True, allow_unused=True)
