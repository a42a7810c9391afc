"""Matrices of the tangent kernel between points."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from . import factors, rows
from .jacobian import Recorded
from .outputs import Outputs, working_dtype

Rows = Callable[[Outputs, Tensor], Iterator[Tensor]]

_AGREES = {torch.float64: 1e-8, torch.float32: 1e-3}  # relative, else _ROUGHLY
_ROUGHLY = 0.1
_WAYS: dict[str, Rows | None] = {  # the cheapest first
    "factors": None,
    "own weights": rows.rows_by_points,
    "vmap": rows.rows_by_vmap,
    "backward": rows.rows_by_backward,
}


class Gram(NamedTuple):
    cross: Tensor  # K(x, z), (M C, R C), an output's rows beside each other: in float32 at least
    square: Tensor  # K(z, z) in float64
    way: str  # of finding it, that the next one need not try


def gram(outputs: Outputs, x: Tensor, z: Tensor | None = None, way: str | None = None) -> Gram:
    """K between points x and z, default x.

    Each way assumes something of the model; what it finds is compared with a product by plain backward passes before
    it is believed.

    Raises:
        ValueError: where an output at one point depends on the other points, as with batch statistics, and z is not x.
    """
    if way is not None:
        return _by(way, outputs, x, z)
    for name in _WAYS:
        try:
            found = _by(name, outputs, x, z)
        except (_Unfit, RuntimeError):
            if name == "backward":
                raise
            continue
        if _agrees(found.cross, outputs, x, z):
            return found
    raise ValueError(
        "model: its outputs at a point depend on the other points (batch statistics?), must not; eval() it, or leave "
        "inducing None"
    )


class _Unfit(Exception):
    """A way is not for this model."""


def _by(way: str, outputs: Outputs, x: Tensor, z: Tensor | None) -> Gram:
    of_points = _WAYS[way]
    return _by_factors(outputs, x, z) if of_points is None else _by_rows(way, of_points, outputs, x, z)


def _by_factors(outputs: Outputs, x: Tensor, z: Tensor | None) -> Gram:
    at_x = factors.factors(outputs, x)
    at_z = at_x if z is None else factors.factors(outputs, z)
    if at_x is None or at_z is None:
        raise _Unfit
    dtype = working_dtype(at_x.gradients[0].dtype)
    square = factors.gram(at_z.to(torch.float64), at_z.to(torch.float64))
    cross = square.to(dtype) if z is None else factors.gram(at_x.to(dtype), at_z.to(dtype))
    return Gram(cross, square, "factors")


def _by_rows(way: str, of_points: Rows, outputs: Outputs, x: Tensor, z: Tensor | None) -> Gram:
    right = torch.cat(list(of_points(outputs, x if z is None else z)))
    right = right.to(working_dtype(right.dtype))
    square = _product(right)
    if z is None:
        return Gram(square.to(right.dtype), square, way)
    cross = torch.cat([left.to(right.dtype) @ right.mT for left in of_points(outputs, x)])
    return Gram(cross, square, way)


def _product(j: Tensor) -> Tensor:
    """J J^T in float64, some of J's columns at a time."""
    parts = j.split(2**14, dim=1)
    return sum((p.double() @ p.double().mT for p in parts), start=j.new_zeros(len(j), len(j), dtype=torch.float64))


def _agrees(cross: Tensor, outputs: Outputs, x: Tensor, z: Tensor | None) -> bool:
    """Whether u^T K v is (J^T u)·(J^T v) for a random v and u = K v, where the two lie well, or u = 1 if K v = 0."""
    generator = torch.Generator(x.device).manual_seed(0)
    points = x if z is None else z
    v = torch.randn(cross.shape[1], generator=generator, dtype=cross.dtype, device=x.device)
    u = cross @ v
    at_x = Recorded(outputs, x)
    at_z = at_x if z is None else Recorded(outputs, z)
    w = u if bool(u.any()) else torch.ones_like(u)  # a kernel of zeros agrees with itself alone
    left, right = at_x.pull(w.view(len(x), -1)), at_z.pull(v.view(len(points), -1))
    found = sum((left[name].double().flatten() @ right[name].double().flatten() for name in left), u.new_zeros(()))
    squared = u.double().square().sum()
    return bool((found - squared).abs() <= _AGREES.get(at_x.at.dtype, _ROUGHLY) * squared)
