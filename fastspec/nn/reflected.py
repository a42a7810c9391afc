"""A model reflected at the ends of its box."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .images import EVEN, ODD, Images, box


class Reflected(nn.Module):
    """A model made even or odd about both ends of a box, and so periodic with twice its length.

    An ordinary network differs between the ends of the box. A Fourier series sees a jump there, whose coefficients fall
    like 1/|k| whatever the network, and a loss weighted toward high wavenumbers fights it. Reflected evenly, only the
    slope jumps: its modes are cosines. A function that vanishes at both ends is reflected oddly: its modes are sines,
    those of a differential equation with Dirichlet sides. For a spectral loss the points are reflected too.

    Args:
        model: maps points ``(M, d)``, or ``(M,)`` for d = 1, to values; trained as it is.
        low, high: ends of the box, one per dimension; a number where d = 1.
        odd: whether the model is odd about the ends, one for all dimensions or one per dimension. What is odd and
            periodic is zero at the ends, whatever the model is there.

    Attributes:
        period: 2 (high - low), one per dimension.

    Raises:
        ValueError: where high is not above low, ``odd`` has another length, or points have another dimension.

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

    def __init__(
        self,
        model: nn.Module,
        low: float | Sequence[float],
        high: float | Sequence[float],
        odd: bool | Sequence[bool] = False,
    ):
        super().__init__()
        self.model = model
        first, length = box(low, high)
        self.odd = _per_dimension(odd, len(first))
        self.register_buffer("low", first, persistent=False)
        self.register_buffer("length", length, persistent=False)

    @property
    def period(self) -> tuple[float, ...]:
        return self._images.period

    def forward(self, x: Tensor) -> Tensor:
        low, length = self.low.to(x), self.length.to(x)
        from_low = torch.remainder(x - low + length, 2 * length) - length
        values: Tensor = self.model(low + from_low.abs())
        return values * self._sign(from_low, length).reshape(-1, *[1] * (values.ndim - 1)) if any(self.odd) else values

    def _sign(self, from_low: Tensor, length: Tensor) -> Tensor:
        """(M,): the odd dimensions' signs; zero at the ends, the low and the high one alike."""
        signs = torch.where(from_low.abs() < length, from_low.sign(), 0).reshape(-1, len(self.odd))
        return signs[:, [axis for axis, odd in enumerate(self.odd) if odd]].prod(1)

    @property
    def _images(self) -> Images:
        return Images(self.low, self.length, tuple(ODD if odd else EVEN for odd in self.odd))

    def points(self, x: Tensor) -> Tensor:
        """The points ``(M, d)`` or ``(M,)`` and their images about ``low`` in each dimension, 2^d times as many."""
        return self._images.points(x)

    def values(self, values: Tensor) -> Tensor:
        """Values ``(M,)`` or ``(M, C)`` at the points, as they are at :meth:`points`: negated at odd images."""
        return self._images.values(values)


def _per_dimension(odd: bool | Sequence[bool], d: int) -> tuple[bool, ...]:
    flags = (odd,) * d if isinstance(odd, bool) else tuple(odd)
    if len(flags) != d or not all(isinstance(flag, bool) for flag in flags):
        raise ValueError(f"odd: was {odd!r}, must be a bool or {d} of them")
    return flags
