"""Coordinates with the data's origin and unit taken out."""

import torch
from torch import Tensor, nn


class Standard(nn.Module):
    """(x - mean) / scale, by buffers of one number per dimension; the identity until :meth:`fit`."""

    mean: Tensor
    scale: Tensor

    def __init__(self, features: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean.to(x)) / self.scale.to(x)

    def fit(self, x: Tensor, *, unit: bool = True) -> "Standard":
        """So that x, ``(M, d)`` or ``(M,)``, fills [-1, 1]; without ``unit``, only its middle is taken away."""
        rows = x.detach().double().reshape(len(x), -1)
        low, high = rows.amin(0), rows.amax(0)
        self.mean = ((low + high) / 2).to(x)
        self.scale = ((high - low) / 2 if unit else torch.ones_like(low)).to(x)
        return self
