"""K times a vector by two passes through the model, by plain reverse mode: it takes models that differentiate."""

import torch
from torch import Tensor

from .outputs import Outputs


def product(outputs: Outputs, x: Tensor, v: Tensor, z: Tensor | None = None) -> Tensor:
    """K(x, z) v for v (R, C) at the points z, default x: (M, C)."""
    return push(outputs, x, pull(outputs, x if z is None else z, v))


def pull(outputs: Outputs, x: Tensor, v: Tensor) -> list[Tensor]:
    """J^T v: one tensor for each parameter."""
    values = outputs(x)
    return list(torch.autograd.grad(values, outputs.trained(), v.to(values), materialize_grads=True, allow_unused=True))


def push(outputs: Outputs, x: Tensor, tangents: list[Tensor]) -> Tensor:
    """J w, as the derivative of J^T u in u: forward mode refuses models that differentiate."""
    values = outputs(x)
    u = torch.zeros_like(values, requires_grad=True)
    pulled = torch.autograd.grad(values, outputs.trained(), u, create_graph=True, allow_unused=True)
    used = [(g, w) for g, w in zip(pulled, tangents, strict=True) if g is not None]
    gradients, cotangents = zip(*used, strict=True)
    return torch.autograd.grad(gradients, u, cotangents)[0].detach()
