"""What a model has of each line in the data, and which were slowest."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .._notebook import Table
from ..measure import SpectralMonitor
from ..measure.fits import least_squares, polynomials
from ..measure.labels import percent, rounded, row_labels

LEARNT = 0.1  # of a line's amplitude: what may be wrong of one that the model has
_MOST_NAMED = 4


@dataclass(frozen=True)
class LineErrors:
    """Frequencies (n, d), the amplitude of each in the data, and the share of it that is wrong in the model, (n,)."""

    frequency: Tensor
    amplitude: Tensor
    error: Tensor

    def names(self) -> list[str]:
        rows = [row[0] if len(row) == 1 else tuple(row) for row in self.frequency.tolist()]
        return row_labels(rows, bands=False)

    def order(self) -> list[int]:
        """By what is wrong in units of y, most first."""
        out: list[int] = (self.amplitude * self.error).argsort(descending=True).tolist()
        return out

    def table(self, unit: str) -> Table:
        names, sizes = self.names(), rounded(self.amplitude.tolist())
        rows = [(names[i], sizes[i], percent(float(self.error[i]))) for i in self.order()]
        return Table("", (unit, "amplitude", "error of the model"), rows)


def line_errors(x: Tensor, y: Tensor, fit: Tensor, frequency: Tensor) -> LineErrors:
    """By a joint fit of all lines and a linear trend, to the data and to what the model leaves of them.

    Args:
        x: points (M, d), float64. y, fit: (M, C). frequency: (n, d), cycles per unit of x.
    """
    frequency = frequency.detach().cpu().double()
    low, high = x.amin(0), x.amax(0)
    trend = polynomials((2 * x - low - high) / (high - low).clamp_min(1e-300), 1)
    phase = 2 * torch.pi * (x - low) @ frequency.mT
    basis = torch.cat([trend, phase.cos(), phase.sin()], 1)
    sizes = [_amplitudes(least_squares(basis, values)[trend.shape[1] :]) for values in (y, y - fit)]
    return LineErrors(frequency, sizes[0], sizes[1] / sizes[0].clamp_min(1e-300))


def _amplitudes(coefficients: Tensor) -> Tensor:
    """(2 n, C) of cosines above sines to (n,)."""
    return coefficients.reshape(2, -1, coefficients.shape[1]).square().sum((0, 2)).sqrt()


def slowest(monitor: SpectralMonitor) -> str:
    """In words: the frequencies that a monitor saw below 10 % last, or never."""
    reached = list(monitor.steps_to(LEARNT, lasting=True).values())
    last = monitor.errors[-1].tolist()
    order = sorted(range(len(last)), key=lambda i: (reached[i] is None, reached[i] or 0, last[i]), reverse=True)
    said = [
        f"now {percent(error)}" if step is None else f"below 10 % since step {step:,}"
        for error, step in zip(last, reached, strict=True)
    ]
    return ", ".join(f"{monitor.labels[i]} ({said[i]})" for i in order[:_MOST_NAMED])
