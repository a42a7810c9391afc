"""The planner: which algorithm, and which fine grid and window, for a request. What it chose is remembered."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from .. import _C
from .direct import Direct
from .gridding import Gridding, Use
from .modes import ModeGrid, axis_wavenumbers
from .transform import Algorithm


class Request(NamedTuple):
    """What a plan is for."""

    grid: ModeGrid
    points: int  # in each of the sets
    sets: int
    eps: float
    single: bool  # float32 and complex64, rather than float64 and complex128
    real: bool  # which strengths the fine grid is chosen for
    slopes: bool  # whether the slopes in the points must meet eps too
    algorithm: str  # as Plan's
    device: str


class Choice(NamedTuple):
    """An algorithm for each use, and in any case how to grid."""

    gridding: Gridding
    real: Algorithm
    complex: Algorithm
    step: Algorithm


class Tables(NamedTuple):
    """The window: its taps' polynomials, and the deconvolution factors of the modes and the half modes."""

    polynomials: Tensor  # (degree + 1, width)
    factors: Tensor  # of each axis' modes in turn
    half_factors: Tensor  # the same, the last axis halved


class _Override(NamedTuple):
    algorithm: str | None = None
    step: str | None = None
    device: str | None = None


_override = _Override()


@contextmanager
def override(
    *,
    algorithm: Literal["gridding", "direct", "auto"] | None = None,
    step: Literal["composed"] | None = None,
    device: Literal["cpu", "cuda"] | None = None,
) -> Iterator[None]:
    """Within it, what the planner would choose is decided: for tests, and to compare ways.

    It holds in all threads, for plans made and losses called within; plans made before keep their algorithms.

    Args:
        algorithm: of whatever leaves it to the planner. Under torch.compile "auto" is gridding.
        step: "composed" for a loss whose step is a composition of ops in any case, rather than one op where it can be.
        device: whose costs and grids the planner takes, whatever device the points are on.
    """
    global _override
    before = _override
    given = _Override(algorithm, step, device)
    _override = _Override(*(old if new is None else new for new, old in zip(given, before, strict=True)))
    try:
        yield
    finally:
        _override = before


def step_may_be_one_op() -> bool:
    return _override.step is None


def choose(request: Request) -> tuple[Choice, Tables]:
    """The planner's choice, and the tables of its window."""
    algorithm = request.algorithm
    if algorithm == "auto" and _override.algorithm is not None:
        algorithm = _override.algorithm
    if not torch.compiler.is_compiling():
        request = request._replace(algorithm=algorithm)
        return _choice(request, _override.device), _tables(request, _override.device)
    # the number of points, which the planner's choice depends on, is not known there
    request = request._replace(algorithm="direct" if algorithm == "direct" else "gridding")
    fine, tables = _constants(request, _override.device)
    gridding = Gridding(request.grid, *fine)
    way = Direct(request.grid) if request.algorithm == "direct" else gridding
    return Choice(gridding, way, way, way), Tables(*tables)


def _constants(request: Request, device: str | None) -> tuple[tuple, tuple]:
    """As plain tuples: torch 2.11 cannot trace the attributes of any other constant."""
    return tuple(_choice(request, device).gridding[1:]), tuple(_tables(request, device))


# what torch._dynamo.assume_constant_result does, without a second's import of torch._dynamo
_constants._dynamo_marked_constant = True


def expectation(request: Request, device: str | None = None) -> _C.PlanChoice:
    """The window and fine grid that the planner takes for a request, and the error and times it expects."""
    device = device or _override.device or request.device
    kind = {"single": request.single, "complex": not request.real, "slopes": request.slopes}
    where = {"cuda": device.startswith("cuda"), "sets": request.sets}
    return _C.choose_plan(request.grid.modes, request.points, request.eps, **kind, **where)


@lru_cache(maxsize=256)
def _choice(request: Request, device: str | None) -> Choice:
    expected = expectation(request, device)
    fine = tuple(expected.cells), tuple(expected.tile), expected.width, expected.sigma
    ways = Gridding(request.grid, *fine), Direct(request.grid)
    if request.algorithm != "auto":
        ways = [way for way in ways if way.name == request.algorithm]
    return Choice(Gridding(request.grid, *fine), *(min(ways, key=lambda w: w.cost(expected, u)) for u in Use.__args__))


@lru_cache(maxsize=64)
def _window_tables(gridding: Gridding, single: bool, device: str) -> Tables:
    window, grid = _C.Window(gridding.width, gridding.sigma), gridding.grid
    one_sided = [
        torch.from_numpy(window.deconvolution(n // 2, cells))
        for n, cells in zip(grid.modes, gridding.cells, strict=True)
    ]
    axes = [table[axis_wavenumbers(n, grid.centered).abs()] for n, table in zip(grid.modes, one_sided, strict=True)]
    tables = (
        torch.tensor(window.polynomials(), dtype=torch.float64),
        torch.cat(axes),
        torch.cat([*axes[:-1], one_sided[-1]]),
    )
    return Tables(*(t.to(device=device, dtype=torch.float32 if single else torch.float64) for t in tables))


def _tables(request: Request, device: str | None) -> Tables:
    return _window_tables(_choice(request, device).gridding, request.single, request.device)
