"""Coordinates and values with the data's origin and unit taken out."""

import torch
from torch import Tensor, nn


class Standard(nn.Module):
    """(x - mean) / scale, by buffers of one number per dimension; the identity until fitted.

    As the first layer of a network it takes points in the units of the data, whatever these are.

    Args:
        features: dimensions d of the points, or channels.

    Shapes: real ``(..., d)``, or ``(M,)`` for d = 1, to the same.

    Example::

        model = nn.Sequential(fs.nn.Standard(1).fit(x), nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 1))
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, features: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean.to(x)) / self.scale.to(x)

    def undone(self, x: Tensor) -> Tensor:
        """mean + scale x, of values that a network makes of size one."""
        return self.mean.to(x) + self.scale.to(x) * x

    def fit(self, x: Tensor, *, unit: bool = True) -> "Standard":
        """So that points, ``(M, d)`` or ``(M,)``, fill [-1, 1]; without ``unit``, only their middle is taken away.

        Raises:
            ValueError: where points do not differ along some dimension.
        """
        rows = x.detach().double().reshape(len(x), -1)
        low, high = rows.amin(0), rows.amax(0)
        if not bool((low < high).all()):
            raise ValueError("x: had no extent along some dimension, must have some along each")
        self.mean = ((low + high) / 2).to(x)
        self.scale = ((high - low) / 2 if unit else torch.ones_like(low)).to(x)
        return self

    def fit_values(self, y: Tensor) -> "Standard":
        """So that values, ``(M, C)`` or ``(M,)``, have mean zero and variance one; a constant channel keeps its unit.

        Raises:
            ValueError: where all are constant.
        """
        rows = y.detach().double().reshape(len(y), -1)
        varies = rows.amax(0) > rows.amin(0)
        if not bool(varies.any()):
            raise ValueError("y: was constant, must vary")
        self.mean = rows.mean(0).to(y)
        self.scale = torch.where(varies, rows.std(0), torch.ones_like(rows[0])).to(y)
        return self
