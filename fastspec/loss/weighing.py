"""What a weight is when it meets a spectrum: values over the modes, or a rule that finds them from the spectrum itself.

Only half the spectrum of real residuals is ever there, over wavenumbers -(N//2) ... N//2 of each axis but the halved
one, so that even N is exact: with W the weight, zero off the grid of modes, (W(k) + W(-k)) / 2 counts for k and -k.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .. import _check
from .._core.autograd import follows, transforms_active
from .._core.modes import ModeGrid
from .._core.ops import Rule
from .._core.plain import is_plain, plainly, version, versioned
from .._core.points import Points
from .._core.transform import Algorithm, Planned
from ..weights import Adaptive, band, focal, power, sobolev
from .frequencies import AtFrequencies, Wavenumbers

Weight = Tensor | Callable[[Tensor], Tensor] | None


class Weighing:
    """A user's weight made ready for one plan. ``rule`` gives what ops.weigh takes, remembered for each algorithm."""

    def __init__(self, weight: Weight, planned: Planned):
        self.weight, self.version, self.choice = weight, version_of(weight), planned.choice
        self.like = planned.points.factors
        self._rules: dict[type[Algorithm], Rule] = {}

    def rule(self, way: Algorithm, points: Points) -> Rule:
        kind = type(way)
        if kind in self._rules:
            return self._rules[kind]
        if torch.compiler.is_compiling() or not is_plain(self.like, *self.tensors()):
            return self._rule(way.deconvolution(points))
        with plainly():
            rule = self._rules[kind] = self._rule(way.deconvolution(points))
        return rule

    def tensors(self) -> list[Tensor]:
        """What a rule is made of."""
        return []

    def _rule(self, deconvolution: list[Tensor]) -> Rule:
        """By the deconvolution that an algorithm's spectrum still lacks, of each axis of its band."""
        raise NotImplementedError

    def serves(self, weight: Weight, planned: Planned) -> bool:
        """Whether it was made from this weight, unchanged since, for this plan."""
        factors = planned.points.factors
        return (
            self.weight is weight
            and self.version == version_of(weight)
            and self.choice == planned.choice
            and self.like.device == factors.device
            and self.like.dtype == factors.dtype
        )


class Table(Weighing):
    """Values over the modes, folded onto half of them, (1, K, *band)."""

    def __init__(self, weight: Weight, planned: Planned):
        super().__init__(weight, planned)
        self.values = weight_values(weight, planned.grid, self.like)
        self.folded = fold(self.values, planned.grid).unsqueeze(0)

    def tensors(self) -> list[Tensor]:
        return [self.folded]

    def _rule(self, deconvolution: list[Tensor]) -> Rule:
        return Rule(self.folded * outer_product(deconvolution).square() if deconvolution else self.folded)


class Focal(Weighing):
    """Weights found from the spectrum while it is weighed: in place of a table, the deconvolution's squared factors."""

    weight: focal

    def _rule(self, deconvolution: list[Tensor]) -> Rule:
        modes = tuple(reversed(self.choice.gridding.grid.modes))
        if deconvolution:
            factors = torch.cat(deconvolution).square()
        else:
            factors = self.like.new_ones(modes[0] // 2 + 1 + sum(n | 1 for n in modes[1:]))
        return Rule(factors, modes, "focal", self.weight.alpha)


class Found(Weighing):
    """Weights that were found from a spectrum, for another one."""

    def __init__(self, rule: Rule):
        self._found = rule

    def rule(self, way: Algorithm, points: Points) -> Rule:
        return self._found


def weighing(weight: Weight | Weighing, planned: Planned) -> Weighing:
    if isinstance(weight, Weighing):
        return weight
    made = Focal if type(weight) is focal else Table
    tensors = [t for t in (weight, *planned.points) if isinstance(t, Tensor)]
    if torch.compiler.is_compiling() or not is_fixed(weight) or not is_plain(*tensors):
        return made(weight, planned)
    with plainly():  # it may be kept
        return made(weight, planned)


def asks(weight: Weight | Weighing) -> bool:
    """Whether it must be given |F|. A subclass of focal may be any function of it."""
    return isinstance(weight, Adaptive) and type(weight) is not focal


def given(weight: Weight | Weighing) -> Any:
    """The user's."""
    return weight.weight if isinstance(weight, Weighing) else weight


def wants_transforms(planned: Planned | AtFrequencies, weight: Weight | Weighing) -> bool:
    """Whether only the differentiable transforms will do: for gradients in points or weight, or without a grid."""
    if isinstance(planned, AtFrequencies) or follows(planned.points.x):
        return True
    weight = given(weight)
    return isinstance(weight, Tensor) and follows(weight)


def focal_or_values(planned: Planned | AtFrequencies, weight: focal | Focal, valued: bool) -> focal | Weighing:
    """A focal weight found while the spectrum is weighed, unless its values are wanted."""
    if (
        isinstance(planned, AtFrequencies)
        or valued
        or transforms_active()
        or torch.compiler.is_compiling()
        or wants_transforms(planned, weight)
    ):
        out: focal | Weighing = given(weight)
        return out
    return weighing(weight, planned)


def check_weight(weight: Tensor, modes: tuple[int, ...]) -> None:
    if tuple(weight.shape) != modes:
        raise ValueError(f"weight: shape was {tuple(weight.shape)}, must be {modes}, the modes'")
    if weight.is_complex():
        raise TypeError(f"weight: dtype was {weight.dtype}, must be real")


def weight_values(weight: Weight, grid: ModeGrid | Wavenumbers, like: Tensor) -> Tensor:
    """The weight over the modes (*modes), in the grid's order, of ``like``'s device and precision."""
    if isinstance(weight, Tensor):
        if weight.device.type == "meta" != like.device.type:
            raise ValueError(f"weight: was on meta, must be on {like.device} as x is")
        return versioned(weight).to(like.device, like.real.dtype)
    if weight is None:
        return torch.ones(grid.modes, dtype=like.real.dtype, device=like.device)
    values = weight(grid.wavenumbers(like.device).to(like.real.dtype))
    _check.tensor("weight(k)", values)
    check_weight(values, grid.modes)
    return values.to(like.device, like.real.dtype)


def fold(weight: Tensor, grid: ModeGrid) -> Tensor:
    """(*modes) to (W(k) + W(-k)) / 2 over k_last = 0 ... N//2, axes reversed, the others in FFT order."""
    if not grid.centered:
        weight = torch.fft.fftshift(weight)
    missing = [1 - n % 2 for n in reversed(grid.modes)]  # +N/2 of an even axis
    padded = nn.functional.pad(weight, [size for m in missing for size in (0, m)])
    folded = (padded + padded.flip(list(range(grid.dim)))) / 2
    folded = folded[..., grid.modes[-1] // 2 :]
    others = list(range(grid.dim - 1))
    folded = torch.fft.ifftshift(folded, dim=others) if others else folded
    return folded.permute(list(range(grid.dim - 1, -1, -1))).contiguous()


def outer_product(axes: list[Tensor]) -> Tensor:
    product, *others = axes
    for axis in others:
        product = product.unsqueeze(-1) * axis
    return product


def version_of(weight: Weight) -> float:
    return version(weight) if isinstance(weight, Tensor) else 0


FIXED = (sobolev, power, band)


def is_fixed(weight: Weight) -> bool:
    """Whether it is the same at each call: not a callable that may hold parameters, or ask the time."""
    return weight is None or type(weight) in FIXED or isinstance(weight, (Tensor, Adaptive))
