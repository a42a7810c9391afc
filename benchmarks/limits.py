"""The limit: what the stages of a transform must at least move and compute, at rates this machine was seen to reach.

Each stage takes no less than its bytes over the copy bandwidth, nor than its flops over the rate of multiply-adds; a
transform takes no less than the sum over its stages. Two remarks on the rates, which are the best of several runs:

- The bandwidth is that of copying arrays far larger than the last-level cache, reads and writes counted once each. What
  fits into a cache moves faster, so a small problem may come below its limit.
- The rate of multiply-adds (two flops each) is that of a large matrix product, which comes near the processor's peak
  and never exceeds it.

A stage's bytes are what it reads and writes once, were its caches perfect. Its flops are those of the method: FFTs by
the usual 5 n log2 n, half of it for real data.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

import fastspec as fs
from benchmarks import stages
from benchmarks.clocks import Call, Graph, clock_of

COPIED_BYTES = 2**28
PRODUCT_SIZE = 1536
REPEATS = 5
DENSE_POINTS_PER_CELL = 8  # in 1-D, from here on taps are met once per cell, and points meet powers of their offsets


@dataclass(frozen=True)
class Gridding:
    """The sizes that a transform's work depends on."""

    points: int
    modes: tuple[int, ...]
    cells: tuple[int, ...]
    width: int
    complex: bool
    itemsize: int = 4  # of a real number
    channels: int = 1

    @classmethod
    def of(cls, plan: fs.Plan, complex: bool, channels: int = 1) -> "Gridding":
        fine = stages.gridding(plan)
        return cls(len(plan.x), plan.modes, fine.cells, fine.width, complex, plan.x.element_size(), channels)

    @property
    def dim(self) -> int:
        return len(self.modes)

    @property
    def grid(self) -> int:
        return math.prod(self.cells)

    @property
    def kept(self) -> int:
        """Modes kept of the spectrum, half of them for real data."""
        return math.prod(self.modes) if self.complex else math.prod(self.modes[:-1]) * (self.modes[-1] // 2 + 1)

    @property
    def terms(self) -> int:
        """Coefficients of the polynomial of one tap, of degree width + 3."""
        return self.width + 4

    @property
    def parts(self) -> int:
        """Real numbers in a strength, or in a cell of the grid."""
        return 2 if self.complex else 1


@dataclass(frozen=True)
class Stage:
    bytes: float
    flops: float


def sort(g: Gridding) -> Stage:
    """Coordinates in, positions and order out."""
    return Stage(g.points * (2 * g.dim * g.itemsize + 4), 6 * g.dim * g.points)


def spread(g: Gridding) -> Stage:
    """Positions, order and strengths in, the grid out; interpolation moves and computes the same."""
    data = g.channels * g.parts * g.itemsize * (g.points + g.grid)
    return Stage(g.points * (g.dim * g.itemsize + 4) + data, window_flops(g) + g.channels * g.parts * tap_flops(g))


def window_flops(g: Gridding) -> float:
    """Horner's rule for each tap of each axis."""
    return 0 if dense(g) else 2 * g.points * g.dim * g.width * (g.terms - 1)


def tap_flops(g: Gridding) -> float:
    """One multiply-add for each cell a point touches; where they are dense, for each power, and for a cell's taps."""
    return 2 * g.terms * (g.points + g.grid * g.width) if dense(g) else 2 * g.points * g.width**g.dim


def dense(g: Gridding) -> bool:
    return g.dim == 1 and g.points >= DENSE_POINTS_PER_CELL * g.grid


interpolate = spread


def fft(g: Gridding) -> Stage:
    """The grid in and the wanted modes out, or the reverse: each axis is cropped as soon as it is transformed."""
    data = g.channels * g.itemsize * (g.parts * g.grid + 2 * g.kept)
    return Stage(data, g.channels * sum(axis_flops(g, axis) for axis in range(g.dim)))


def axis_flops(g: Gridding, axis: int) -> float:
    """Of the lines along an axis that are left when the later axes are cropped; half of it for real numbers."""
    if axis == g.dim - 1:
        return 2.5 * g.parts * g.grid * math.log2(g.cells[-1])
    last = g.modes[-1] if g.complex else g.modes[-1] // 2 + 1
    numbers = math.prod(g.cells[: axis + 1]) * math.prod(g.modes[axis + 1 : -1]) * last
    return 5 * numbers * math.log2(g.cells[axis])


def deconvolve(g: Gridding) -> Stage:
    numbers = 2 * g.channels * g.kept
    return Stage(2 * numbers * g.itemsize, numbers)


def residual(g: Gridding) -> Stage:
    numbers = g.channels * g.parts * g.points
    return Stage(3 * numbers * g.itemsize, numbers)


def weigh(g: Gridding) -> Stage:
    """The modes in and out, and their weights."""
    return Stage((4 * g.channels + 1) * g.kept * g.itemsize, 7 * g.channels * g.kept)


def nufft1(g: Gridding) -> list[Stage]:
    return [spread(g), fft(g), deconvolve(g)]


def nufft2(g: Gridding) -> list[Stage]:
    return [deconvolve(g), fft(g), interpolate(g)]


def loss(g: Gridding) -> list[Stage]:
    return [residual(g), spread(g), fft(g), weigh(g), fft(g), interpolate(g)]


# --- the machine ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rates:
    bandwidth: float  # bytes a second
    flops: float  # a second


def seconds(stages: list[Stage], rates: Rates) -> float:
    return sum(max(s.bytes / rates.bandwidth, s.flops / rates.flops) for s in stages)


def on_this_machine(stages: list[Stage], threads: int | None, x: Tensor) -> float:
    """On the points' device, in their precision."""
    device = x.device.type
    return seconds(stages, Rates(copy_bandwidth(device, threads), multiply_add_rate(device, threads, x.dtype)))


@cache
def copy_bandwidth(device: str = "cuda", threads: int | None = None) -> float:
    """Bytes a second, read and written."""
    source = torch.ones(COPIED_BYTES // 4, device=device)
    copy = torch.empty_like(source)
    return 2 * COPIED_BYTES / shortest(device, threads, lambda: copy.copy_(source))


@cache
def multiply_add_rate(device: str, threads: int | None, dtype: torch.dtype) -> float:
    matrix = torch.ones(PRODUCT_SIZE, PRODUCT_SIZE, dtype=dtype, device=device)
    return 2 * PRODUCT_SIZE**3 / shortest(device, threads, lambda: matrix @ matrix)


def shortest(device: str, threads: int | None, work: Call) -> float:
    clock, before = clock_of(device), torch.get_num_threads()
    clock.use(threads)
    work = Graph(work) if device == "cuda" else work
    times = [clock.seconds(work) for _ in range(REPEATS + 1)][1:]
    torch.set_num_threads(before)
    return min(times)


# --- of a plan --------------------------------------------------------------------------------------------------------

Limit = Callable[[float, int | None], float]  # seconds, of a tolerance and a number of threads


def of_loss(x: Tensor, modes: tuple[int, ...], channels: int = 1) -> Limit:
    """Of the loss with its gradient."""
    return lambda eps, threads: on_this_machine(
        loss(Gridding.of(fs.Plan(x, modes, eps=eps), complex=False, channels=channels)), threads, x
    )


def of_transform(stages: Callable[[Gridding], list[Stage]], x: Tensor, modes: tuple[int, ...]) -> Limit:
    """Of a transform of complex data."""
    return lambda eps, threads: on_this_machine(
        stages(Gridding.of(fs.Plan(x, modes, eps=eps), complex=True)), threads, x
    )
