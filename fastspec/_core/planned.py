"""Points planned: the tensors and algorithms of a point set, and the transforms between it and its modes."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from .. import _check
from .modes import ModeGrid, Modes, Period
from .planning import Choice, Request, Tables, choose
from .points import Points, as_sets
from .transform import Transform, type1, type2


class Planned(NamedTuple):
    """Points ready for transforms, in users' shapes: strengths (..., M), modes (..., *modes)."""

    points: Points
    choice: Choice
    batched: bool  # whether there are several point sets, which are the first axis of all data

    @property
    def x(self) -> Tensor:
        """(S, M, d), in the precision of the computation."""
        return self.points.x

    @property
    def grid(self) -> ModeGrid:
        return self.choice.gridding.grid

    def type1(self, c: Tensor, sign: int) -> Tensor:
        strengths = self._channels("c", c, 1).to(complex_dtype(self.points.x.dtype))
        return self._to_modes(strengths, c, Transform(self.choice.complex, sign, False))

    def type2(self, f: Tensor, sign: int) -> Tensor:
        return self._to_values(f, Transform(self.choice.complex, sign, False))

    def real_type1(self, c: Tensor) -> Tensor:
        """To the half spectrum, sign -1."""
        strengths = self._channels("c", c, 1).to(self.points.x.dtype)
        return self._to_modes(strengths, c, Transform(self.choice.real, 1, True))

    def real_type2(self, f: Tensor) -> Tensor:
        return self._to_values(f, Transform(self.choice.real, 1, True))

    def spectrum(self, strengths: Tensor) -> Tensor:
        """(S, R, M) to (S, R, *modes), sign -1."""
        strengths = strengths.to(complex_dtype(self.points.x.dtype))
        return type1(self.points, strengths, Transform(self.choice.complex, -1, False))

    def _to_modes(self, strengths: Tensor, c: Tensor, which: Transform) -> Tensor:
        out = type1(self.points, strengths, which)
        return narrow(out.reshape(*c.shape[:-1], *self.grid.shape(which.real)), c)

    def _to_values(self, f: Tensor, which: Transform) -> Tensor:
        modes = self._channels("f", f, self.grid.dim).to(complex_dtype(self.points.x.dtype))
        out = type2(self.points, modes, which)
        return narrow(out.reshape(*f.shape[: f.ndim - self.grid.dim], out.shape[-1]), f)

    def _channels(self, name: str, data: Tensor, core: int) -> Tensor:
        """(..., *core) to (S, C, *core)."""
        sets, batch = self.points.x.shape[0], data.shape[: data.ndim - core]
        if self.batched and (not batch or batch[0] != sets):
            raise ValueError(f"{name}: shape was {tuple(data.shape)}, must begin with {sets}, x's number of point sets")
        return data.reshape(sets, math.prod(batch) // sets if sets else 0, *data.shape[data.ndim - core :])


class Wanted(NamedTuple):
    """What a user asks for, checked by request()."""

    modes: Modes
    eps: float | None
    period: Period
    order: str
    algorithm: str = "auto"


def request(x: Tensor, dtype: torch.dtype, wanted: Wanted, real: bool) -> Request:
    """The planner's, for points (M,), (M, d) or (B, M, d) and a computation in ``dtype``."""
    dim = dimension(x)
    grid = ModeGrid(_check.modes(wanted.modes, dim), _check.period(wanted.period, dim), _check.order(wanted.order))
    eps = _check.eps(wanted.eps, dtype)
    sets = x.shape[0] if x.ndim == 3 else 1
    count = x.shape[0 if x.ndim == 1 else -2]
    if torch.compiler.is_compiling():  # they may be symbolic, and only steer the choice
        sets, count = 1, math.prod(grid.modes)
    kind = dtype == torch.float32, real, x.requires_grad
    return Request(grid, count, sets, eps, *kind, wanted.algorithm, str(x.device))


def plan(x: Tensor, dtype: torch.dtype, wanted: Wanted) -> Planned:
    """For any use: the points are sorted in any case, for what is done by gridding alone."""
    choice, tables = choose(request(x, dtype, wanted, True))
    return Planned(_sorted(x, dtype, choice, tables), choice, x.ndim == 3)


def plan_once(x: Tensor, dtype: torch.dtype, wanted: Wanted, real: bool) -> Planned:
    """For one transform: the points are sorted only if it is by gridding."""
    choice, tables = choose(request(x, dtype, wanted, real))
    way = choice.real if real else choice.complex
    points = Points(as_sets(x, dtype)) if way.name == "direct" else _sorted(x, dtype, choice, tables)
    return Planned(points, choice, x.ndim == 3)


def _sorted(x: Tensor, dtype: torch.dtype, choice: Choice, tables: Tables) -> Points:
    # coordinates keep the precision they came in: they are folded and scaled in float64
    sets = as_sets(x, torch.promote_types(x.dtype, torch.float32))
    return Points(as_sets(x, dtype), *choice.gridding.sort(sets, dtype == torch.float32), *tables)


def dimension(x: Tensor) -> int:
    return 1 if x.ndim == 1 else x.shape[-1]


def precision(x: Tensor, data: Tensor | None = None) -> torch.dtype:
    """Real dtype of the computation."""
    dtype = torch.promote_types(x.dtype, torch.float32)
    return dtype if data is None else torch.promote_types(dtype, real_dtype(data))


def real_dtype(data: Tensor) -> torch.dtype:
    return data.real.dtype if data.is_complex() else data.dtype


def complex_dtype(real: torch.dtype) -> torch.dtype:
    return torch.complex128 if real == torch.float64 else torch.complex64


def narrow(out: Tensor, data: Tensor) -> Tensor:
    """Back to half precision where the data came in it."""
    if data.dtype in (torch.float16, torch.complex32):
        return out.to(torch.complex32 if out.is_complex() else torch.float16)
    return out.to(torch.bfloat16) if data.dtype == torch.bfloat16 and not out.is_complex() else out
