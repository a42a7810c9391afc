"""Checks that several measurements share."""

import torch
from torch import Tensor

from .. import _check


def point_rows(x: Tensor) -> Tensor:
    """Points, real ``(M,)`` or ``(M, d)``, as (M, d)."""
    _check.tensor("x", x)
    if not x.is_floating_point():
        raise TypeError(f"x: dtype was {x.dtype}, must be real and floating")
    if x.ndim not in (1, 2) or x.numel() == 0:
        raise ValueError(f"x: shape was {tuple(x.shape)}, must be (M,) or (M, d) and not empty")
    return x.detach().reshape(len(x), -1)


def check_values(name: str, y: Tensor, x: Tensor, *, real: bool = False) -> None:
    """Values at points, ``(M,)`` or ``(M, C)``."""
    _check.data(name, y, x, real=real)
    count = x.shape[0]  # len would be a number where torch.export has a symbol
    if y.ndim not in (1, 2) or y.shape[0] != count:
        raise ValueError(f"{name}: shape was {tuple(y.shape)}, must be ({count},) or ({count}, C)")


def check_real(name: str, k: Tensor) -> None:
    """Numbers of any shape, integer or real."""
    _check.tensor(name, k)
    if k.is_complex() or k.dtype == torch.bool:
        raise TypeError(f"{name}: dtype was {k.dtype}, must be integer or real")


def check_finite(name: str, k: Tensor) -> None:
    """Wavenumbers, frequencies, rates: of any shape, integer or real, and finite."""
    check_real(name, k)
    _check.finite(name, k)
