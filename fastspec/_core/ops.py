"""The raw ops, without gradients: nothing else calls torch.ops.fastspec.

Shapes: S point sets of M points in d dimensions; C strengths vectors per set; *cells the fine grid.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from .. import _C as _C  # registers the ops
from . import fakes as fakes
from . import fallback as fallback
from . import triton

Ints = Sequence[int]
Floats = Sequence[float]
T = TypeVar("T")
_ops = torch.ops.fastspec
_triton = triton.register()
EXACT = "exact"
NON_FINITE = "x: had non-finite points, or points 2^52 cells or turns from the origin; must be finite, and nearer"


def sort(x: Tensor, period: Floats, cells: Ints, tile: Ints, width: int, single: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Points (S, M, d) -> positions on the fine grid (S, M, d), their order (S, M), first point of each tile.

    Raises ValueError where a coordinate is not finite, or so far away that it has no place in the period.
    """
    position, order, starts = _of_finite_points(_ops.sort, x, period, cells, tile, width, single)
    if x.is_cuda and _may_wait() and any(n != x.shape[1] for n in starts[:, -1].tolist()):  # such are in no tile
        raise ValueError(NON_FINITE)
    return position, order, starts


def _may_wait() -> bool:
    """Whether the host may wait for the device: not where it traces, nor where it captures a CUDA graph.

    There points that are not finite pass unseen: nothing is spread from them, and NaN is interpolated to them.
    """
    return not torch.compiler.is_compiling() and not torch.cuda.is_current_stream_capturing()


class Sorted(NamedTuple):
    """Points as the ops on the fine grid take them."""

    position: Tensor  # (S, M, d) int32 or int64; these three from sort
    order: Tensor  # (S, M) int32
    starts: Tensor  # (S, tiles + 1) int32
    polynomials: Tensor  # of the window's taps, (degree + 1, width)


def spread(points: Sorted, strengths: Tensor, cells: Ints, tile: Ints) -> Tensor:
    """Strengths (S, C, M), real or complex -> fine grid (S, C, *cells).

    On CUDA the order of sums varies, unless torch.use_deterministic_algorithms says that it must not.
    """
    ordered = strengths.is_cuda and torch.are_deterministic_algorithms_enabled()
    op = _ops.spread_ordered if ordered else _ops.spread
    out: Tensor = _run(op, *points, strengths, cells, tile)
    return out


def interpolate(points: Sorted, grid: Tensor, tile: Ints) -> Tensor:
    """Fine grid (S, C, *cells), real or complex -> values (S, C, M)."""
    out: Tensor = _run(_ops.interpolate, *points, grid, tile)
    return out


def interpolate_slopes(points: Sorted, grid: Tensor, tile: Ints) -> tuple[Tensor, Tensor]:
    """As interpolate, and the values' slopes (S, C, M, d) per cell of the grid."""
    out: tuple[Tensor, Tensor] = _run(_ops.interpolate_slopes, *points, grid, tile)
    return out


def interpolate_gradient(
    points: Sorted, grid: Tensor, strengths: Tensor, tile: Ints, values: bool
) -> tuple[Tensor, Tensor]:
    """As interpolate_slopes, with (S, M, d), the sum over channels of Re(conj(strengths) slopes), for the slopes.

    Where the values are not wanted, an empty tensor stands for them.
    """
    out: tuple[Tensor, Tensor] = _run(_ops.interpolate_gradient, *points, grid, strengths, tile, values)
    return out


def grid_to_modes(grid: Tensor, factors: Tensor, modes: Ints, negative: Ints, centered: bool, sign: int) -> Tensor:
    """FFT, crop and deconvolve: grid (R, *cells) -> modes (R, *modes), each times its factors, axis after axis.

    ``negative``: how many of each axis' modes are. Of a real grid, sign -1, the modes are the half spectrum's: along
    the last axis 0 ... N//2, none of them negative.
    """
    out: Tensor = transformed(_ops.grid_to_modes, grid, factors, modes, negative, centered, sign)
    return out


def modes_to_grid(
    modes: Tensor, factors: Tensor, cells: Ints, negative: Ints, centered: bool, sign: int, whole: int = 0
) -> Tensor:
    """The transpose of grid_to_modes: modes (R, *modes) -> grid (R, *cells).

    With ``whole``, sign +1, modes are the half spectrum of ``whole`` modes along the last axis, and the grid is real.
    """
    out: Tensor = transformed(_ops.modes_to_grid, modes, factors, cells, negative, centered, sign, whole)
    return out


def transformed(op: Callable[..., T], *given: Any, **more: Any) -> T:
    """What an op with FFTs in it returns.

    On several threads MKL sums a line of thousands of numbers in another order than on one. Where
    torch.use_deterministic_algorithms is on, and nothing is traced, such an op has one thread.
    """
    if not torch.are_deterministic_algorithms_enabled() or torch.compiler.is_compiling():
        return _run(op, *given, **more)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _run(op, *given, **more)
    finally:
        torch.set_num_threads(threads)


def hadamard(x: Tensor, scale: float) -> Tensor:
    """The Walsh-Hadamard transform along the middle axis, times scale: (R, n, C), n a power of two, float32, float64,
    their complex kin, int32 or int64; integers with scale 1 only.
    """
    out: Tensor = _run(_ops.hadamard, x, scale)
    return out


RULES = {"table": 0, "focal": 1}  # as csrc/stages.h numbers them


class Rule(NamedTuple):
    """What a half spectrum is weighed by: a table, or a rule that finds the weights from the spectrum itself.

    By the rule "table": ``weight`` (1 or R, K or less, *band), band odd, in FFT order. By "focal": the weight is
    |F|^parameter over its maximum in each row, for F = weight^(1/2) * spectrum. Then ``weight`` is the deconvolution's
    factors, squared, over the odd band of ``modes``, those of the full spectrum, axes reversed; one axis after the
    other in FFT order, wavenumbers 0 ... N//2 of the halved one, -(N//2) ... N//2 of the others. A wavenumber counts
    half where the modes have only it or its negative.
    """

    weight: Tensor
    modes: Ints = ()
    name: str = "table"
    parameter: float = 0.0

    def arguments(self, scale: float) -> tuple[Tensor, float, Ints, int, float]:
        """As the ops take it. A table has no use for modes, but AOTInductor hands over no empty list."""
        return self.weight, scale, self.modes or (0,), RULES[self.name], self.parameter


def weigh(spectrum: Tensor, rule: Rule, scale: float) -> tuple[Tensor, Tensor]:
    """The loss's pass over the fine half spectrum (R, K, *cells), axes reversed, so the halved one first, in place.

    Returns, in float64 (R,), the sum of m * W * |spectrum|^2 with W = scale * weight, m = 1 at K = 0 and 2 elsewhere,
    and the gradient's spectrum, 2 * W * spectrum. Outside the weights' band the gradient's spectrum is zero.
    """
    given = spectrum, *rule.arguments(scale)
    if torch.compiler.is_compiling():  # inductor fails on ops that write to their arguments
        sums, spectrum = _ops.weigh_copy(*given)
        return sums, spectrum
    return _ops.weigh(*given), spectrum


class Residual(NamedTuple):
    """A network's outputs and what they should be, real, (M,) or (..., M, C), and what a step gives of them."""

    pred: Tensor
    target: Tensor
    quadrature: Tensor | None  # (M,)
    reduces: bool  # whether the rows' sums are added up
    wanted: bool  # whether the gradient is


def loss_step(
    residual: Residual, points: Sorted, cells: Ints, tile: Ints, rule: Rule, scale: float
) -> tuple[Tensor, Tensor]:
    """The step of the loss on real residuals, whole: spread, FFT, weigh, inverse FFT, interpolate.

    The rule is as weigh takes it, for all R rows. Returns the
    rows' sums (..., C), added up where they are reduced, and their gradient in pred, empty where it is not wanted.
    """
    given = *residual, *points, cells, tile, *rule.arguments(scale)
    out: tuple[Tensor, Tensor] = transformed(_ops.loss_step, *given)
    return out


def direct_loss_step(
    residual: Residual, x: Tensor, modes: Ints, period: Floats, rule: Rule, scale: float
) -> tuple[Tensor, Tensor]:
    """As loss_step, by direct sums from points (S, M, d).

    The spectrum that is weighed is 0 ... N//2 along the halved axis, -(N//2) ... N//2 along the others.
    """
    out: tuple[Tensor, Tensor] = _of_finite_points(
        _ops.direct_loss_step, *residual, x, modes, period, *rule.arguments(scale)
    )
    return out


def direct_type1(x: Tensor, strengths: Tensor, modes: Ints, period: Floats, centered: bool, sign: int) -> Tensor:
    """Type 1 as a direct sum: (S, M, d), (S, C, M) -> (S, C, *modes). Of real strengths the last axis is halved.

    Raises ValueError where a coordinate is not finite; on CUDA the modes are not finite then.
    """
    out: Tensor = _of_finite_points(_ops.direct_type1, x, strengths, modes, period, centered, sign)
    return out


def direct_type2(x: Tensor, f: Tensor, modes: Ints, period: Floats, centered: bool, sign: int, real: bool) -> Tensor:
    """Type 2 as a direct sum: (S, M, d), (S, C, *modes) -> (S, C, M). The real one is of half the last axis.

    Raises as direct_type1.
    """
    out: Tensor = _of_finite_points(_ops.direct_type2, x, f, modes, period, centered, sign, real)
    return out


def direct_type2_gradient(
    x: Tensor, f: Tensor, strengths: Tensor, modes: Ints, period: Floats, centered: bool, sign: int, values: bool
) -> tuple[Tensor, Tensor]:
    """As direct_type2, real where strengths (S, C, M) are, and the gradient in the points (S, M, d).

    The gradient is that of the sum of Re(conj(strengths) values). Values that are not wanted are an empty tensor.
    """
    out: tuple[Tensor, Tensor] = _of_finite_points(
        _ops.direct_type2_gradient, x, f, strengths, modes, period, centered, sign, values
    )
    return out


def exponential_sums(points: Tensor, strengths: Tensor, frequencies: Tensor, sign: int) -> Tensor:
    """F_bk = sum_j c_bj exp(sign i s_k.x_j): points (M, d), strengths (B, M), frequencies (K, d) -> (B, K) complex.

    Raises ValueError where a coordinate is not finite, or so far away that it has no place in the period.
    """
    out: Tensor = _finite(_ops.exponential_sums, points, strengths, frequencies, sign)
    return out


def exponential_sums_real(points: Tensor, strengths: Tensor, frequencies: Tensor, sign: int) -> Tensor:
    """The real part of exponential_sums, without the work of the other."""
    out: Tensor = _finite(_ops.exponential_sums_real, points, strengths, frequencies, sign)
    return out


def exponential_sums_gradient(
    points: Tensor, strengths: Tensor, frequencies: Tensor, gradient: Tensor, sign: int
) -> Tensor:
    """The gradient of Re sum_bk conj(g_bk) F_bk in the points, (M, d), for g (B, K)."""
    out: Tensor = _run(_ops.exponential_sums_gradient, points, strengths, frequencies, gradient, sign)
    return out


def gaussian_filter(x: Tensor, y: Tensor, deltas: Tensor, precision: str = EXACT) -> tuple[Tensor, Tensor]:
    """Points (n, d), values (1 or D, n, C), widths (D,) in float64 -> sums over j of K y_j (D, n, C), of K (D, n).

    K = exp(-|x_i - x_j|^2 / (2 delta)). On CUDA, float32 points and K may be rounded as "tf32" or "bf16" are.
    """
    if precision == EXACT or x.dtype != torch.float32:
        out: tuple[Tensor, Tensor] = _run(_ops.gaussian_filter, x, y, deltas)
    else:
        out = _run(_ops.gaussian_filter_rounded, x, y, deltas, precision)
    return out


def gaussian_filter_gradient(x: Tensor, y: Tensor, deltas: Tensor, cotangent: Tensor) -> Tensor:
    """The gradient in x, (n, d), of the sum of cotangent (D, n, C) times gaussian_filter's sums of y (1, n, C)."""
    out: Tensor = _run(_ops.gaussian_filter_gradient, x, y, deltas, cotangent)
    return out


def _run(op: Callable[..., T], *given: Any, **more: Any) -> T:
    try:
        return op(*given, **more)
    except RuntimeError as error:
        raise _told(error) from None


def _told(error: RuntimeError) -> RuntimeError:
    """An op's error; but an op that Ctrl-C ended fails too, and its KeyboardInterrupt is raised at the next call."""
    return error


def _of_finite_points(op: Callable[..., T], *args: Any) -> T:
    try:
        return op(*args)
    except RuntimeError as error:
        if "non-finite" not in str(error):
            raise
        raise ValueError(NON_FINITE) from None


def _finite(op: Callable[..., T], *args: Any) -> T:
    try:
        return op(*args)
    except RuntimeError as error:
        if "non-finite" not in str(error):
            raise
        name = "x" if "points" in str(error) else "s"
        if "products" in str(error):
            raise ValueError(f"{name}: had products with s of 2^52 turns or more, must be less") from None
        raise ValueError(f"{name}: had non-finite numbers, must be finite") from None
