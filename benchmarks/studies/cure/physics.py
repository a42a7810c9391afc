"""Differential equations: the residual as a module, its energy norm, and solutions by series that need no network."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

import fastspec as fs

from .problem import Data, mlp


class Pinned(nn.Module):
    """A network times (x - low)(high - x) along each axis: zero at the sides."""

    def __init__(self, net: nn.Module, low: float, high: float):
        super().__init__()
        self.net, self.low, self.high = net, low, high

    def forward(self, x: Tensor) -> Tensor:
        half = (self.high - self.low) / 2
        middle = (self.high + self.low) / 2
        bump = ((x - self.low) * (self.high - x) / half**2).prod(-1, keepdim=True)
        return bump * self.net((x - middle) / half)


@dataclass(frozen=True)
class Equation:
    """-Δu - wave² u = source on a box, u = 0 at its sides; sine modes are its eigenfunctions."""

    low: float
    high: float
    wave: float = 0.0

    @property
    def period(self) -> float:
        return 2 * (self.high - self.low)

    def symbol(self, counts: Tensor) -> Tensor:
        """Of sine modes (..., d), counted in half waves over the box."""
        return (counts * math.pi / (self.high - self.low)).square().sum(-1) - self.wave**2

    def sines(self, x: Tensor, counts: Tensor) -> Tensor:
        """(M, K) of points (M, d) and modes (K, d)."""
        rates = counts * math.pi / (self.high - self.low)
        return torch.sin((x - self.low)[:, None] * rates).prod(-1)

    def residual(self, model: nn.Module, x: Tensor) -> Tensor:
        """(M, 1), by differentiating the model twice."""
        x = x.detach().clone().requires_grad_()
        u = model(x)
        (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        second = [
            torch.autograd.grad(slope[:, axis].sum(), x, create_graph=True)[0][:, axis] for axis in range(x.shape[1])
        ]
        return -torch.stack(second).sum(0)[:, None] - self.wave**2 * u

    def energy(self, data: Data) -> Callable[[Tensor], Tensor]:
        """Relative to the source's."""
        norm = fs.precondition.residual(data.x, (self.low, self.high))
        scale = 1 / norm(data.target)
        return lambda difference: scale * norm(difference)

    def symbol_norm(self, data: Data) -> Callable[[Tensor], Tensor]:
        """The norm in which a residual's size is that of the solution's error in H1, by the operator's own symbol.

        A mode of rate κ and symbol s errs by r / s in the solution and by κ r / s in its slope: the weight is κ² / s²,
        |κ|^-2 where there is no wave. On a grid: the points are reflected oddly, and need no quadrature.
        """
        images, d = odd_images(self, data.x), data.x.shape[1]

        def weight(k: Tensor) -> Tensor:
            rate = (k * math.pi / (self.high - self.low)).square().sum(-1)
            return rate / self.symbol(k).square().clamp_min(1e-6)

        loss = fs.SpectralLoss(data.modes, x=images, weight=weight, period=self.period)

        def norm(difference: Tensor) -> Tensor:
            values = odd_values(difference, d)
            return loss(values, torch.zeros_like(values))

        scale = 1 / norm(data.target)
        return lambda difference: scale * norm(difference)

    def series(self, data: Data, modes: int) -> Callable[[Tensor], Tensor]:
        """Least squares of the source on sines, each divided by its symbol: a spectral method."""
        d = data.x.shape[1]
        counts = torch.cartesian_prod(*[torch.arange(1, modes + 1)] * d).reshape(-1, d).double()
        basis = self.sines(data.x.double(), counts)
        found = torch.linalg.lstsq(basis, data.target.double(), driver="gelsd").solution[:, 0]
        return lambda x: (self.sines(x.double(), counts) @ (found / self.symbol(counts))).to(x)[:, None]


def odd_images(equation: Equation, x: Tensor) -> Tensor:
    """Points (M, d) and their reflections about the lower sides, (2^d M, d)."""
    d = x.shape[1]
    return fs.nn.Reflected(nn.Identity(), [equation.low] * d, [equation.high] * d).points(x)


def odd_values(values: Tensor, d: int) -> Tensor:
    """What a function that is odd about these sides is there: (M, C) to (2^d M, C)."""
    signs = torch.cartesian_prod(*[torch.tensor([1.0, -1.0])] * d).reshape(-1, d).prod(1)
    return torch.cat([sign * values for sign in signs])


def problem(equation: Equation, x: Tensor, test: Tensor, counts: Tensor, sizes: Tensor, **more) -> Data:
    """A solution made of sine modes."""
    source = equation.sines(x, counts) @ (sizes * equation.symbol(counts))
    solution, true = equation.sines(x, counts) @ sizes, equation.sines(test, counts) @ sizes
    scale = source.square().mean()
    width = more.pop("width", 64)
    return Data(
        x,
        source[:, None],
        (test, true),
        lambda: SineLines(equation, x, solution, counts),
        lambda: Pinned(mlp(x.shape[1], width=width), equation.low, equation.high),
        operator=equation.residual,
        loss=lambda pred, target: (pred - target).square().mean() / scale,
        period=equation.period,
        equation=equation,
        **more,
    )


class SineLines:
    """Errors of the tracked sine modes: the solution is reflected oddly, so that none leaks into another."""

    def __init__(self, equation: Equation, x: Tensor, solution: Tensor, counts: Tensor):
        self.x, images = x, odd_images(equation, x) - equation.low
        odd = odd_values(solution[:, None], x.shape[1])
        self.monitor = fs.SpectralMonitor(images, odd, None, peaks=counts, period=equation.period)

    def update(self, step: int, model: nn.Module) -> None:
        self.monitor.update(step, odd_values(model(self.x), self.x.shape[1]))

    @property
    def errors(self) -> Tensor:
        return self.monitor.errors


LINE_COUNTS = torch.tensor([[1.0], [4.0], [8.0], [24.0]])
LINE_SIZES = torch.tensor([1.0, 0.25, 0.125, 0.04])


def on_a_line(seed: int, jitter: float, equation: Equation, counts: Tensor, sizes: Tensor, points: int = 256) -> Data:
    gen = torch.Generator().manual_seed(seed)
    cells = torch.arange(points) + 0.5 + jitter * (torch.rand(points, generator=gen) - 0.5)
    x = cells[:, None] / points * 2 - 1
    test = torch.linspace(-1, 1, 1001)[:, None]
    return problem(
        equation, x, test, counts, sizes, lines=len(counts), highest=40.0, modes=2 * points - 1, inducing=256
    )


def poisson_grid(seed: int) -> Data:
    """-u" = g on (-1, 1) with modes 1, 4, 8 and 24, at 256 cells' centres."""
    return on_a_line(seed, 0.0, Equation(-1.0, 1.0), LINE_COUNTS, LINE_SIZES)


def poisson_jittered(seed: int) -> Data:
    """The same, each point anywhere in its cell."""
    return on_a_line(seed, 1.0, Equation(-1.0, 1.0), LINE_COUNTS, LINE_SIZES)


def helmholtz(seed: int) -> Data:
    """20 wavelengths across the box, between two resonances; the solution's modes lie below, at and above the wave."""
    counts, sizes = torch.tensor([[3.0], [17.0], [40.0]]), torch.tensor([1.0, 0.5, 0.5])
    return on_a_line(seed, 0.0, Equation(-1.0, 1.0, wave=20.25 * math.pi), counts, sizes)


def poisson_square(seed: int, side: int = 32) -> Data:
    """-Δu = f on the unit square, 32 x 32 cells' centres; modes up to 8 waves a side."""
    counts, sizes = torch.tensor([[1.0, 1.0], [3.0, 2.0], [16.0, 16.0]]), torch.tensor([1.0, 0.5, 0.25])
    axis = (torch.arange(side) + 0.5) / side
    test = torch.rand(2000, 2, generator=torch.Generator().manual_seed(seed))
    more = {"lines": 4, "highest": 12.0, "modes": (2 * side - 1,) * 2, "inducing": 256}
    return problem(Equation(0.0, 1.0), torch.cartesian_prod(axis, axis), test, counts, sizes, **more)
