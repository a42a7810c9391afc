"""What a monitor asks of a method, and what a method answers."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ... import _check
from ..._box import period_of
from ...nufft import Period

Frequency = float | tuple[float | str, ...]


@dataclass(frozen=True)
class Request:
    """What the user wants tracked: the arguments of SpectralMonitor, x (M, d) and target (M, C) checked."""

    x: Tensor
    target: Tensor
    modes: int | Sequence[int] | Tensor | None
    period: Period | str
    peaks: int | Tensor | None
    magnitudes: bool
    bands: Sequence[tuple[float, float]] | None
    direction: Tensor | None


class Method(ABC):
    """The map from a residual (M, C) to K errors, and what each of them is of.

    Attributes:
        wavenumbers: float64 (K, d) on the CPU, k itself; of bands, all those within them.
        frequencies: float64 (K, d) on the CPU, in the user's units; of bands (K, 2), their limits.
        period: one per dimension of what is transformed.
        deltas, bands, direction: as the user gave them or the method found them, to be saved; None where it has none.
    """

    name: ClassVar[str]
    takes_direction: ClassVar[bool] = False

    wavenumbers: Tensor
    frequencies: Tensor
    deltas: Tensor | None = None
    bands: Tensor | None = None
    direction: Tensor | None = None

    def __init__(self, request: Request, dimensions: int):
        if request.direction is not None and not self.takes_direction:
            raise ValueError(f"direction: was given, must be None where method is {self.name!r}")
        self.period = self._box(request, dimensions)

    def _box(self, request: Request, dimensions: int) -> tuple[float, ...]:
        """Of points that no grid of modes is laid over."""
        if isinstance(request.period, str):
            return period_of(request.period, request.x)
        return _check.period(request.period, dimensions)

    @abstractmethod
    def errors(self, residual: Tensor) -> Tensor: ...

    def names(self) -> list[Frequency]:
        """One for each error, as SpectralMonitor.steps_to returns them."""
        return [row[0] if len(row) == 1 else tuple(row) for row in self.frequencies.tolist()]

    def axis_label(self, unit: str | None) -> str:
        """Of the frequencies, in a figure; ``unit`` is that of x."""
        if all(map(is_angular, self.period)):
            return "wavenumber k" if unit is None else f"angular frequency (rad per {unit})"
        return f"frequency (cycles per {unit or 'unit of x'})"


def is_angular(period: float) -> bool:
    """Whether a wavenumber is itself the frequency."""
    return math.isclose(period, 2 * math.pi, rel_tol=1e-6)
