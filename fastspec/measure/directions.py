"""Spectra along one direction of high-dimensional data."""

import torch
from torch import Tensor

from .. import _check
from .._core.plain import without_autocast
from .._data import Given, numbers, points
from .checks import check_finite, check_values
from .spectra import spectrum

_WHOLE = 1024  # dimensions, or points, up to which a covariance is diagonalised as it is


@without_autocast()
def projection(x: Given, y: Given, k: Given, direction: Given = None) -> Tensor:
    """1-D spectrum along a direction p: F_k = (1/n) Σ_j y_j e^{-2πi k p·x_j} (arXiv 1901.06523, projection method).

    Args:
        x: points, real ``(n, ...)``: any dimension, images too; a tensor, an array, a pandas or xarray object.
        y: values, real or complex ``(n,)`` or ``(n, C)``, alike.
        k: frequencies along p, real ``(K,)``, cycles per unit of x.
        direction: p, as one point of x or flat, made a unit vector; default the first principal component of x.

    Returns:
        ``(K,)`` or ``(K, C)``, complex.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """
    flat, y, k = flat_points(x), numbers("y", y), numbers("k", k)
    check_values("y", y, flat)
    check_finite("k", k)
    if k.ndim != 1:
        raise ValueError(f"k: shape was {tuple(k.shape)}, must be (K,)")
    along = projected(flat, None if direction is None else numbers("direction", direction))
    out = spectrum(along, y.reshape(len(y), -1), k.double()[:, None], [1.0])
    return out[:, 0] if y.ndim == 1 else out


def flat_points(x: Given, name: str = "x") -> Tensor:
    """(n, ...) -> (n, d), checked."""
    x = points(name, x)
    if not x.is_floating_point():
        raise TypeError(f"{name}: dtype was {x.dtype}, must be real and floating")
    if x.ndim == 0 or x.numel() == 0:
        raise ValueError(f"{name}: shape was {tuple(x.shape)}, must be (n, ...) and not empty")
    _check.finite(name, x)
    rows: Tensor = x.detach().reshape(len(x), -1)
    return rows


@without_autocast()
def projected(x: Tensor, direction: Tensor | None) -> Tensor:
    """Coordinate p·x along a direction, (n, 1) float64."""
    p = principal_direction(x) if direction is None else unit_direction(direction, x)
    return x.double() @ p[:, None]


def unit_direction(direction: Tensor, x: Tensor) -> Tensor:
    check_finite("direction", direction)
    p = direction.detach().to(x.device, torch.float64).flatten()
    if len(p) != x.shape[1]:
        raise ValueError(f"direction: had {len(p)} entries, must have {x.shape[1]}, x's dimension")
    length = p.norm()
    if not (bool(length.isfinite()) and length > 0):
        raise ValueError("direction: had no finite positive length")
    out: Tensor = p / length
    return out


@without_autocast()
def principal_direction(x: Tensor) -> Tensor:
    """The unit vector along which x (n, d) varies most, float64; of its two signs the one whose largest entry is +."""
    centred = (x - x.mean(0)).double()
    if x.shape[1] <= _WHOLE:
        p = torch.linalg.eigh(centred.mT @ centred).eigenvectors[:, -1]
    elif len(x) <= _WHOLE:
        p = centred.mT @ torch.linalg.eigh(centred @ centred.mT).eigenvectors[:, -1]
        p = p / p.norm()
    else:
        p = torch.svd_lowrank(centred, q=8, niter=16)[2][:, 0]
    out: Tensor = p * p[p.abs().argmax()].sign()
    return out
