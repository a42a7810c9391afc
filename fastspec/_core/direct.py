"""Transforms as direct sums between points and a grid of modes, exact to rounding: one op each, the slopes d more."""

from typing import NamedTuple

import torch
from torch import Tensor

from .._C import PlanChoice
from . import ops
from .autograd import flattened
from .gridding import Use
from .modes import ModeGrid, phase_rates
from .points import Points


class Direct(NamedTuple):
    """Sums over all points for a grid of modes. Methods as Gridding's."""

    grid: ModeGrid

    @property
    def name(self) -> str:
        return "direct"

    def type1(self, points: Points, c: Tensor, sign: int, real: bool) -> Tensor:
        return ops.direct_type1(_places(points), c.contiguous(), *self._box(), -1 if real else sign)

    def type2(self, points: Points, f: Tensor, sign: int, real: bool) -> Tensor:
        return ops.direct_type2(_places(points), f.contiguous(), *self._box(), sign, real)

    def slopes(self, points: Points, f: Tensor, sign: int, real: bool) -> tuple[Tensor, Tensor]:
        values = self.type2(points, with_slopes(self.grid, f, sign, real), sign, real)
        values = values.unflatten(1, (self.grid.dim + 1, -1))
        # no views: torch's forward mode takes none from a Function
        return values[:, 0].clone(), values[:, 1:].movedim(1, -1).clone()

    def gradient(self, points: Points, f: Tensor, strengths: Tensor, sign: int, values: bool) -> tuple[Tensor, Tensor]:
        data = _places(points), f.contiguous(), strengths.contiguous()
        return ops.direct_type2_gradient(*data, *self._box(), sign, values)

    def step(self, points: Points, residual: ops.Residual, rule: ops.Rule, scale: float) -> tuple[Tensor, Tensor]:
        return ops.direct_loss_step(residual, _places(points).detach(), self.grid.modes, self.grid.period, rule, scale)

    def deconvolution(self, points: Points) -> list[Tensor]:
        """None: the sums are the modes themselves."""
        return []

    @staticmethod
    def steps_on(device: torch.device) -> bool:
        return device.type == "cpu"

    @staticmethod
    def cost(expected: PlanChoice, use: Use) -> float:
        out: float = getattr(expected.direct, use)
        return out

    def _box(self) -> tuple[tuple[int, ...], tuple[float, ...], bool]:
        return self.grid.modes, self.grid.period, self.grid.centered


def _places(points: Points) -> Tensor:
    return (points.x if points.exact is None else points.exact).contiguous()


def with_slopes(grid: ModeGrid, f: Tensor, sign: int, real: bool) -> Tensor:
    """The modes of values and slopes, f and i t_a f: (S, C, *modes) -> (S, (d + 1) * C, *modes)."""
    return flattened(torch.stack([f, *[1j * t * f for t in phase_rates(grid, sign, real, f)]], 1), 1)
