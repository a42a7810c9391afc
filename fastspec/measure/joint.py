"""A trend and sinusoids fitted jointly to scattered data, by least squares; the frequencies too, by Gauss-Newton."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .fits import least_squares

_RIDGE = 1e-12
_PARTS = (1.0, 0.25, 0.05)


@dataclass(frozen=True)
class Fit:
    """Of values y (M, C) at points x (M, d): columns of a trend (M, P), then cosines and sines at frequencies (n, d).

    Attributes:
        coefficients: (P + 2 n, C): of the trend, of the cosines, of the sines.
        residual: (M, C).
        tied: (n d, p), in which p ways the frequencies move together; None where each moves by itself.
    """

    x: Tensor
    y: Tensor
    trend: Tensor
    frequencies: Tensor
    design: Tensor
    coefficients: Tensor
    residual: Tensor
    tied: Tensor | None = None

    def __len__(self) -> int:
        return len(self.frequencies)

    @property
    def squares(self) -> Tensor:
        """(C,), what is left of each channel's sum of squares."""
        return self.residual.square().sum(0)

    @property
    def waves(self) -> tuple[Tensor, Tensor]:
        """Coefficients (n, C) of the cosines and of the sines."""
        cosines, sines = self.coefficients[self.trend.shape[1] :].chunk(2)
        return cosines, sines

    def amplitudes(self) -> Tensor:
        """(n, C)."""
        return torch.hypot(*self.waves)

    def at(self, frequencies: Tensor) -> "Fit":
        """The same data fitted at other frequencies (n, d)."""
        return fit(self.x, self.y, self.trend, frequencies)

    def shares(self) -> Tensor:
        """(n, C), by how much each channel's squares grow where a line is left out and all else is fitted again."""
        count, first = len(self), self.trend.shape[1]
        inverse = torch.linalg.inv(_gram(self.design))
        pairs = torch.arange(count, device=inverse.device)[:, None] + torch.tensor(
            [first, first + count], device=inverse.device
        )
        blocks = inverse[pairs[:, :, None], pairs[:, None, :]]
        waves = self.coefficients[pairs]  # (n, 2, C)
        shares: Tensor = (waves * torch.linalg.solve(blocks, waves)).sum(1)
        return shares

    @property
    def free(self) -> int:
        """How many numbers the frequencies are made of."""
        return self.frequencies.numel() if self.tied is None else self.tied.shape[1]

    def slopes(self) -> Tensor:
        """(M C, n d) or (M C, p), the fit's derivative in each frequency, or in each way that they move, less what the
        columns can make of it."""
        first, count = self.trend.shape[1], len(self)
        cosines, sines = self.waves
        cos, sin = self.design[:, first : first + count], self.design[:, first + count :]
        slope = 2 * math.pi * (cos[:, :, None] * sines - sin[:, :, None] * cosines)  # (M, n, C)
        jacobian = torch.einsum("mnc,md->mcnd", slope, self.x).flatten(1)
        jacobian = jacobian - self.design @ least_squares(self.design, jacobian)
        jacobian = jacobian.reshape(self.residual.numel(), -1)
        return jacobian if self.tied is None else jacobian @ self.tied

    def refined(self, most: float, least: float, lowest: float) -> "Fit":
        """After a step of Gauss-Newton in the frequencies, shortened until it fits better; itself if none does.

        A frequency moves by at most ``most``, no nearer than ``least`` to another and ``lowest`` to zero.
        """
        if not len(self):
            return self
        step = least_squares(self.slopes(), self.residual.reshape(-1, 1))
        if self.tied is not None:
            step = self.tied @ step
            step = step * (most / step.abs().max().clamp_min(most))
        for part in _PARTS:
            frequencies = self.frequencies + (part * step.reshape_as(self.frequencies)).clamp(-most, most)
            if apart(frequencies) < least or frequencies.norm(dim=1).min() < lowest:
                continue
            moved = replace(self.at(frequencies), tied=self.tied)
            if bool(moved.residual.square().sum() < self.residual.square().sum()):
                return moved
        return self

    def errors(self) -> Tensor:
        """(n, d), standard errors of the frequencies under white noise of the residual's size."""
        slopes = self.slopes()
        free = max(1, self.residual.numel() - self.coefficients.numel() - self.free)
        inverse = torch.linalg.inv(_gram(slopes))
        if self.tied is not None:
            inverse = self.tied @ inverse @ self.tied.mT
        variance: Tensor = inverse.diagonal() * self.residual.square().sum() / free
        return variance.clamp_min(0).sqrt().reshape_as(self.frequencies)


def fit(x: Tensor, y: Tensor, trend: Tensor, frequencies: Tensor) -> Fit:
    phase = 2 * math.pi * x @ frequencies.mT
    design = torch.cat([trend, phase.cos(), phase.sin()], 1)
    coefficients = least_squares(design, y) if design.shape[1] else y.new_zeros(0, y.shape[1])
    return Fit(x, y, trend, frequencies, design, coefficients, y - design @ coefficients)


def apart(frequencies: Tensor) -> float:
    """Least distance of a frequency from another and from the other's negative."""
    both = torch.cat([frequencies, -frequencies])
    return torch.cdist(frequencies, both).fill_diagonal_(math.inf).min().item()


def _gram(columns: Tensor) -> Tensor:
    """With the trace of ridge that keeps a column of zeros, as the sine of frequency zero, from being singular."""
    gram = columns.mT @ columns
    gram.diagonal().add_(_RIDGE * gram.diagonal().mean())
    return gram
