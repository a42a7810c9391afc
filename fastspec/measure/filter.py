"""Low and high frequencies of data in any dimension, by Gaussian filters over all pairs of points.

No grid and no transform: a sample's low-passed value is the mean of its neighbours' (Xu, Zhang & Luo, arXiv 1901.06523,
section on high-dimensional data).

    y_low_i = sum_j y_j G(x_i - x_j) / sum_j G(x_i - x_j),   G(x) = exp(-|x|^2 / (2 delta)),   y_high = y - y_low
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .. import _check
from .._core.gaussian import gaussian_sums
from .._core.ops import EXACT
from .._data import Given, numbers, points
from .checks import check_values

Deltas = float | Sequence[float] | Tensor
PRECISIONS = (EXACT, "tf32", "bf16")


def gaussian_filter(x: Given, y: Given, deltas: Deltas, *, precision: str = EXACT) -> Tensor:
    """The values y low-passed at each of D widths, all in one sweep over the pairs and without a matrix of them.

    Differentiable in x and y, to any order.

    Args:
        x: points, real, (n,) or (n, d), any d; or sets of them, (B, n, d): tensors, arrays, pandas or xarray objects.
        y: values, real, (n,) or (n, C), such as labels or a network's outputs at the points, alike; of sets (B, n, C).
        deltas: D widths, positive: variances of the Gaussian, in squared units of x. Large ones keep the lowest
            frequencies only.
        precision: "exact", or "tf32" or "bf16" to round float32 points and Gaussians to 11 or 8 bits on CUDA, where
            tensor cores make it faster. Points are rounded after they are centred, so widths must be wide against the
            squares of 2^-12 or 2^-9 of their extent. Of normal points, with widths of 0.05 to 1 times the dimension,
            relative errors are up to 1e-4 and 1e-3 in 64 dimensions, 6e-4 and 5e-3 in 3. The gradient in x is exact.

    Returns:
        (D, n, C), or (D, n) for y (n,), in the wider precision of x and y; of sets (B, D, n, C).

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """
    x, y = points("x", x), numbers("y", y)
    if x.ndim == 3:
        if y.ndim != 3 or len(y) != len(x):
            raise ValueError(f"y: shape was {tuple(y.shape)}, must be (B, n, C) with B = {len(x)} as in x")
        if len(x) == 0:
            none: Tensor = y.unsqueeze(1).expand(-1, len(_widths(deltas, x)), -1, -1)
            return none.to(torch.promote_types(x.dtype, y.dtype))
        return torch.stack([gaussian_filter(*one, deltas, precision=precision) for one in zip(x, y, strict=True)])
    _check.choice("precision", precision, PRECISIONS)
    at, (values,), widths = _prepared(x, {"y": y}, deltas)
    return _filtered(at, values, widths, precision)


def filter_error(
    x: Given, pred: Given, target: Given, deltas: Deltas, *, precision: str = EXACT
) -> tuple[Tensor, Tensor]:
    """Relative errors of the low and of the high frequencies of a prediction, at each of D widths.

        e_low = (sum_i |target_low - pred_low|^2 / sum_i |target_low|^2)^(1/2),   e_high likewise

    Args:
        x, deltas, precision: as in gaussian_filter.
        pred, target: real, (n,) or (n, C); sums run over samples and channels.

    Returns:
        e_low, e_high, each (D,).

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """
    _check.choice("precision", precision, PRECISIONS)
    held = {"pred": numbers("pred", pred), "target": numbers("target", target)}
    x, (pred, target), deltas = _prepared(points("x", x), held, deltas)
    if pred.shape != target.shape:
        raise ValueError(f"target: shape was {tuple(target.shape)}, must be pred's, {tuple(pred.shape)}")
    pred, target = pred.reshape(len(x), -1), target.reshape(len(x), -1)
    both = torch.stack([target - pred, target], -1)  # the filter is linear
    low = _filtered(x, both.flatten(1), deltas, precision).unflatten(-1, both.shape[1:])
    return _ratio(low), _ratio(both - low)


def _filtered(x: Tensor, y: Tensor, deltas: Tensor, precision: str) -> Tensor:
    sums, normalisers = gaussian_sums(x, y.reshape(1, x.shape[0], math.prod(y.shape[1:])), deltas, precision)
    return (sums / normalisers.unsqueeze(-1)).reshape(len(deltas), *y.shape)


def _ratio(parts: Tensor) -> Tensor:
    error, size = torch.linalg.vector_norm(parts, dim=(1, 2)).unbind(-1)
    out: Tensor = error / size
    return out


def _prepared(x: Tensor, values: dict[str, Tensor], deltas: Deltas) -> tuple[Tensor, list[Tensor], Tensor]:
    _check.coordinates("x", x, (1, 2))
    if _check.may_read(x) and not x.isfinite().all():
        raise ValueError("x: had non-finite numbers, must be finite")
    for name, y in values.items():
        check_values(name, y, x, real=True)
    dtype = torch.float32
    for t in (x, *values.values()):
        dtype = torch.promote_types(dtype, t.dtype)
    x = (x.unsqueeze(-1) if x.ndim == 1 else x).to(dtype)
    return x, [y.to(dtype) for y in values.values()], _widths(deltas, x)


def _widths(deltas: Deltas, x: Tensor) -> Tensor:
    given = deltas.detach().reshape(-1) if isinstance(deltas, Tensor) and deltas.layout == torch.strided else deltas
    listed = _check.numbers(given, "deltas: were {}, must be a number or some")
    if not all(0 < delta < math.inf for delta in listed):
        raise ValueError(f"deltas: were {_check.said(deltas)}, must be positive and finite")
    return torch.tensor(listed, dtype=torch.float64, device=x.device)
