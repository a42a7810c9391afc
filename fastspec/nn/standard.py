"""Coordinates and values with the data's origin and unit taken out."""

import torch
from torch import Tensor, nn

from .grouped import check_sizes


class Standard(nn.Module):
    """(x - mean) / scale, by buffers of one number per dimension; the identity until fitted.

    As the first layer of a network it takes points in the units of the data, whatever these are.

    Args:
        features: dimensions d of the points, or channels.

    Shapes: real ``(..., d)``, or ``(M,)`` for d = 1, to the same.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.

    Example::

        model = nn.Sequential(fs.nn.Standard(1).fit(x), nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 1))
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, features: int):
        super().__init__()
        check_sizes(features=features)
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))

    def forward(self, x: Tensor) -> Tensor:
        if len(self.mean) not in (x.shape[-1:] if x.ndim > 1 else (1, *x.shape)):
            raise ValueError(f"x: shape was {tuple(x.shape)}, must be (..., {len(self.mean)})")
        return (x - self.mean.to(x)) / self.scale.to(x)

    def undone(self, x: Tensor) -> Tensor:
        """mean + scale x, of values that a network makes of size one."""
        return self.mean.to(x) + self.scale.to(x) * x

    def fit(self, x: Tensor, *, unit: bool = True) -> "Standard":
        """So that points, ``(M, d)`` or ``(M,)``, fill [-1, 1]; without ``unit``, only their middle is taken away.

        Raises:
            ValueError: where points do not differ along some dimension, or have another dimension.
        """
        rows = self._rows("x", x)
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
        rows = self._rows("y", y)
        varies = rows.amax(0) > rows.amin(0)
        if not bool(varies.any()):
            raise ValueError("y: was constant, must vary")
        self.mean = rows.mean(0).to(y)
        self.scale = torch.where(varies, rows.std(0), torch.ones_like(rows[0])).to(y)
        return self

    def _rows(self, name: str, given: Tensor) -> Tensor:
        rows = given.detach().double().reshape(len(given), -1)
        if rows.shape[1] != len(self.mean):
            raise ValueError(f"{name}: shape was {tuple(given.shape)}, must be (M, {len(self.mean)})")
        return rows

    def extra_repr(self) -> str:
        return str(len(self.mean))


class InUnits(nn.Module):
    """A layer whose values are given in the units of data: mean + scale layer(z).

    Args:
        layer: linear, or convolutional with its channels along axis 1; or what stands in the place of one.
        standard: of the data's channels.
        axis: of the channels.
    """

    def __init__(self, layer: nn.Module, standard: Standard, axis: int = -1):
        super().__init__()
        self.layer, self.standard, self.axis = layer, standard, axis

    def forward(self, z: Tensor) -> Tensor:
        return self.standard.undone(self.layer(z).movedim(self.axis, -1)).movedim(-1, self.axis)
