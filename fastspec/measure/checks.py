"""Checks that several measurements share."""

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
