"""A model reflected at the ends of its box."""

from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor, nn


class Reflected(nn.Module):
    """A model made even about both ends of a box, and so continuous and periodic with twice its length.

    An ordinary network differs between the ends of the box. A Fourier series sees a jump there, whose coefficients fall
    like 1/|k| whatever the network, and a loss weighted toward high wavenumbers fights it. Reflected, only the slope
    jumps: its modes are cosines. For a spectral loss the points are reflected too.

    Args:
        model: maps points ``(M, d)``, or ``(M,)`` for d = 1, to values; trained as it is.
        low, high: ends of the box, one per dimension; a number where d = 1.

    Attributes:
        period: 2 (high - low), one per dimension.

    Raises:
        ValueError: where high is not above low, or points have another dimension.

    Example::

        even = fs.nn.Reflected(model, 0.0, 1.0)
        mirrored = even.points(x)
        q = fs.precondition.quadrature(mirrored, 64, period=even.period)
        weight = fs.precondition.whitening_weight(even, mirrored, 64, period=even.period, quadrature=q)
        loss = fs.SpectralLoss(64, x=mirrored, weight=weight, period=even.period, quadrature=q)
        loss(even.values(model(x)), even.values(y))  # model(x) once, not at every image
    """

    low: Tensor
    length: Tensor

    def __init__(self, model: nn.Module, low: float | Sequence[float], high: float | Sequence[float]):
        super().__init__()
        self.model = model
        first, last = (torch.as_tensor(end, dtype=torch.float64).flatten() for end in (low, high))
        if first.shape != last.shape or not bool((first < last).all()):
            raise ValueError(f"high: was {last.tolist()}, must be above low, {first.tolist()}, in each dimension")
        self.register_buffer("low", first, persistent=False)
        self.register_buffer("length", last - first, persistent=False)

    @property
    def period(self) -> tuple[float, ...]:
        return tuple((2 * self.length).tolist())

    def forward(self, x: Tensor) -> Tensor:
        low, length = self.low.to(x), self.length.to(x)
        return self.model(low + (torch.remainder(x - low + length, 2 * length) - length).abs())

    def points(self, x: Tensor) -> Tensor:
        """The points ``(M, d)`` or ``(M,)`` and their images about ``low`` in each dimension, 2^d times as many."""
        low, d = self.low.to(x), len(self.low)
        if x.ndim > 2 or (x.shape[1] if x.ndim == 2 else 1) != d:
            raise ValueError(f"x: shape was {tuple(x.shape)}, must be (M, {d}){' or (M,)' * (d == 1)}")
        signs = torch.tensor(list(product((1, -1), repeat=d)), dtype=x.dtype, device=x.device)
        images = low + signs[:, None] * (x.reshape(len(x), d) - low)
        return images.reshape(-1, *x.shape[1:])

    def values(self, values: Tensor) -> Tensor:
        """Values ``(M,)`` or ``(M, C)`` at the points, as they are at :meth:`points`."""
        return values.repeat(2 ** len(self.low), *[1] * (values.ndim - 1))
