"""Three ways to hold c (K + c)^-1: K whole, K by inducing points, K by its products."""

import math
from typing import Any, Protocol

import torch
from torch import Tensor

from ..tangent import Outputs, gram, outside_of_modes, product
from ..theory.conjugate_gradients import solve
from ..theory.damping import critical_damping

_WHOLE = 4096  # outputs up to which K is a matrix: 64 MB in float32
_CUT = 1e-4  # of the damping: eigenvalues of K(z, z) below it are left out
_TOLERANCE, _ITERATIONS = 1e-3, 200  # of conjugate gradients
_POWERS = 30  # of K, to find its greatest eigenvalue to a per cent


class Factor(Protocol):
    count: int  # M C
    damping: float  # c

    def apply(self, columns: Tensor) -> Tensor:
        """c (K + c)^-1 times (M C, B)."""

    def state(self) -> dict[str, Any]:
        """What ``factor_of_state`` makes it from."""


class Whole:
    """The matrix c (K + c)^-1 itself."""

    def __init__(self, matrix: Tensor, damping: float):
        self.count, self.matrix, self.damping = len(matrix), matrix, damping

    def apply(self, columns: Tensor) -> Tensor:
        return (self.matrix @ columns.to(self.matrix)).to(columns)

    def state(self) -> dict[str, Any]:
        return {"matrix": self.matrix, "damping": self.damping}


class Inducing:
    """K = Φ Φ^T, so that c (K + c)^-1 = 1 - Φ (Φ^T Φ + c)^-1 Φ^T; L L^T = Φ^T Φ + c."""

    def __init__(self, features: Tensor, triangle: Tensor, damping: float):
        self.count, self.features, self.triangle, self.damping = len(features), features, triangle, damping

    def apply(self, columns: Tensor) -> Tensor:
        inner = self.features.mT @ columns.to(self.features)
        return columns - (self.features @ torch.cholesky_solve(inner, self.triangle)).to(columns)

    def state(self) -> dict[str, Any]:
        return {"features": self.features, "triangle": self.triangle, "damping": self.damping}


class Products:
    """Conjugate gradients: K is the model's own, as it is now."""

    def __init__(self, outputs: Outputs | None, x: Tensor, count: int, damping: float):
        self.outputs, self.x, self.count, self.damping = outputs, x, count, damping

    def of(self, outputs: Outputs | None) -> "Products":
        """The same of a model's outputs, or held apart from any model."""
        return Products(outputs, self.x, self.count, self.damping)

    def apply(self, columns: Tensor) -> Tensor:
        with outside_of_modes(self.x.device):
            return self.damping * solve(self._damped, lambda r: r, columns.mT, _TOLERANCE, _ITERATIONS)[0].mT

    def times_kernel(self, column: Tensor) -> Tensor:
        assert self.outputs is not None
        return product(self.outputs, self.x, column.view(len(self.x), -1)).reshape(-1, 1)

    def state(self) -> dict[str, Any]:
        return {"count": self.count, "damping": self.damping}

    def _damped(self, rows: Tensor) -> Tensor:
        return torch.stack([self.times_kernel(row)[:, 0] for row in rows]) + self.damping * rows


def factor_of(
    outputs: Outputs, x: Tensor, inducing: Tensor | None, damping: float | str, way: str | None
) -> tuple[Factor, str | None]:
    """The factor at the points x, and the way in which K was found, for the next time."""
    if inducing is not None:
        found = gram(outputs, x, inducing, way)
        return _by_inducing(found.cross, found.square, x, damping), found.way
    count = outputs(x).numel()
    if count > _WHOLE:
        return _by_products(outputs, x, count, damping), None
    found = gram(outputs, x, None, way)
    return _whole(found.square, found.cross.dtype, x, damping), found.way


def error_of(factor: Factor, outputs: Outputs, x: Tensor) -> float:
    """How far the K that a factor was made of is from the present one, relative, where K is above the damping.

    For u drawn at random and v = c (K + c)^-1 u that K gives K v = c (u - v).
    """
    u = torch.randn_like(outputs(x).detach()).view(-1, 1)
    v = factor.apply(u)
    held, now = factor.damping * (u - v), product(outputs, x, v.view(len(x), -1)).view(-1, 1)
    out: float = ((held - now).norm() / now.norm()).item()
    return out


def factor_of_state(state: dict[str, Any], x: Tensor) -> Factor:
    if "features" in state:
        return Inducing(**state)
    return Whole(**state) if "matrix" in state else Products(None, x, **state)


def _whole(k: Tensor, dtype: torch.dtype, x: Tensor, damping: float | str) -> Whole:
    if isinstance(damping, str):
        c = critical_damping(torch.linalg.eigvalsh(k), d=_dimension(x))
    else:
        c = damping * _greatest(lambda v: k @ v, len(k), k)
    k.diagonal().add_(c)
    return Whole((c * torch.cholesky_inverse(torch.linalg.cholesky(k))).to(dtype), c)


def _by_inducing(cross: Tensor, square: Tensor, x: Tensor, damping: float | str) -> Inducing:
    values, vectors = torch.linalg.eigh(square)
    kept = values > _CUT * (damping if isinstance(damping, float) else 1e-3) * values[-1]
    features = cross @ (vectors[:, kept] / values[kept].sqrt()).to(cross)
    inner = (features.mT @ features).double()
    eigenvalues = torch.linalg.eigvalsh(inner)
    c = critical_damping(eigenvalues, d=_dimension(x)) if isinstance(damping, str) else damping * eigenvalues[-1].item()
    inner.diagonal().add_(c)
    return Inducing(features, torch.linalg.cholesky(inner).to(cross), c)


def _by_products(outputs: Outputs, x: Tensor, count: int, damping: float | str) -> Products:
    if isinstance(damping, str):
        raise ValueError(f"damping: was {damping!r}, which takes eigenvalues: with {count} outputs give inducing")
    return Products(outputs, x, count, damping * _greatest(Products(outputs, x, count, 1.0).times_kernel, count, x))


def _greatest(matrix: Any, count: int, like: Tensor) -> float:
    """The greatest eigenvalue of a symmetric matrix, by powers of it."""
    generator = torch.Generator(like.device).manual_seed(0)
    v, size = torch.randn(count, 1, generator=generator, dtype=like.dtype, device=like.device), like.new_zeros(())
    for _ in range(_POWERS):
        v = matrix(v / v.norm())
        size = v.norm()
    return size.item()


def _dimension(x: Tensor) -> int:
    return 1 if x.ndim == 1 else math.prod(x.shape[1:])
