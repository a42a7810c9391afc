"""The planner: which algorithm, fine grid and window a request gets, remembered; and points planned by it."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor

from .. import _C
from .._check import Wanted
from . import ops
from .autograd import follows, transforms_active
from .direct import Direct
from .gridding import Gridding, Tables, Use, window_tables
from .modes import ModeGrid
from .ops import Sorted
from .points import Points, Sort
from .transform import Algorithm, Choice, Planned, as_sets


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


@dataclass
class Overridden:
    """What override says in the planner's place, where it is not None."""

    algorithm: str | None = None
    step: str | None = None
    device: str | None = None


overridden = Overridden()
OVERRIDES = {"algorithm": ("gridding", "direct", "auto"), "step": ("composed",), "device": ("cpu", "cuda")}


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

    Raises:
        ValueError: naming the argument, what it was and what it must be.
    """
    given = {"algorithm": algorithm, "step": step, "device": device}
    for name, value in given.items():
        if value not in (None, *OVERRIDES[name]):
            raise ValueError(f"{name}: was {value!r}, must be one of {OVERRIDES[name]}")
    before = vars(overridden).copy()
    vars(overridden).update({name: value for name, value in given.items() if value is not None})
    try:
        yield
    finally:
        vars(overridden).update(before)


def _choose(request: Request) -> tuple[Choice, Tables]:
    """The planner's choice, and the tables of its window."""
    if request.algorithm == "auto" and overridden.algorithm is not None:
        request = request._replace(algorithm=overridden.algorithm)
    if not torch.compiler.is_compiling():
        return _chosen(request, overridden.device)
    # the number of points, which the planner's choice depends on, is not known there
    request = request._replace(algorithm="direct" if request.algorithm == "direct" else "gridding")
    fine, tables = _constants(tuple(request.grid), *request[1:], overridden.device)
    gridding = Gridding(request.grid, *fine)
    way: Algorithm = Direct(request.grid) if request.algorithm == "direct" else gridding
    return Choice(gridding, way, way, way), Tables(*tables)


def _constants(grid: tuple[Any, ...], *rest: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """In and out as plain tuples: torch 2.11 cannot trace the attributes of any other constant."""
    *asked, device = rest
    choice, tables = _chosen(Request(ModeGrid(*grid), *asked), device)
    return tuple(choice.gridding[1:]), tuple(tables)


# what torch._dynamo.assume_constant_result does, without a second's import of torch._dynamo
_constants._dynamo_marked_constant = True  # type: ignore[attr-defined]


def expectation(request: Request, device: str | None = None) -> _C.PlanChoice:
    """The window and fine grid that the planner takes for a request, and the error and times it expects."""
    device = device or overridden.device or request.device
    return _C.choose_plan(
        request.grid.modes,
        request.points,
        request.eps,
        single=request.single,
        complex=not request.real,
        slopes=request.slopes,
        cuda=device.startswith("cuda"),
        sets=request.sets,
    )


def _chosen(request: Request, device: str | None) -> tuple[Choice, Tables]:
    choice = _chosen_ways(request, device)
    return choice, window_tables(choice.gridding, request.single, request.device)


@lru_cache(maxsize=256)
def _chosen_ways(request: Request, device: str | None) -> Choice:
    expected = expectation(request, device)
    cells, tile = tuple(expected.cells), tuple(expected.tile)
    _check_room(request, cells)
    gridding = Gridding(request.grid, cells, tile, expected.width, expected.sigma)
    ways: list[Algorithm] = [gridding, Direct(request.grid)]
    if request.algorithm != "auto":
        ways = [way for way in ways if way.name == request.algorithm]
    return Choice(gridding, *[min(ways, key=lambda w: w.cost(expected, use)) for use in get_args(Use)])


def _check_room(request: Request, cells: tuple[int, ...]) -> None:
    """Refuses at once what no allocation could serve, however long the tables on the way to it take."""
    room, needed = _memory(request.device), math.prod(cells) * (8 if request.single else 16)
    if needed > room:
        raise torch.OutOfMemoryError(
            f"modes: was {request.grid.modes}, whose fine grid of {needed / 2**30:,.0f} GiB must fit into the memory "
            f"of {request.device}, {room / 2**30:,.0f} GiB"
        )


def _memory(device: str) -> float:
    """All of a device's, in bytes, where that is known."""
    kind = torch.device(device).type
    if kind == "cuda" and torch.cuda.is_available():
        return torch.cuda.get_device_properties(device).total_memory
    if kind == "cpu" and hasattr(os, "sysconf"):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return math.inf


def plan(x: Tensor, wanted: Wanted) -> Planned:
    """For any use: the points are sorted in any case, for what is done by gridding alone."""
    choice, tables = _choose(make_request(x, wanted, real=True))
    if any(rounds_points(x, wanted, way) for way in choice[1:]):
        return plan(x, wanted._replace(dtype=x.dtype))
    return Planned(_sorted(x, wanted.dtype, choice.gridding, tables), choice, sets_of(x))


def plan_once(x: Tensor, wanted: Wanted, real: bool) -> Planned:
    """For one transform: the points are sorted only if it is by gridding."""
    choice, tables = _choose(make_request(x, wanted, real))
    way = choice.real if real else choice.complex
    if rounds_points(x, wanted, way):
        return plan_once(x, wanted._replace(dtype=x.dtype), real)
    if way is choice.gridding:
        return Planned(_sorted(x, wanted.dtype, choice.gridding, tables), choice, sets_of(x))
    return Planned(Points(as_sets(x, wanted.dtype)), choice, sets_of(x))


def rounds_points(x: Tensor, wanted: Wanted, way: Algorithm) -> bool:
    """Whether a direct sum would take points in less than their own precision."""
    return isinstance(way, Direct) and torch.promote_types(x.dtype, wanted.dtype) != wanted.dtype


def sets_of(x: Tensor) -> tuple[int, ...]:
    return tuple(x.shape[:-2])


def make_request(x: Tensor, wanted: Wanted, real: bool) -> Request:
    """For points (M,), (M, d) or (..., M, d)."""
    if torch.compiler.is_compiling():  # they may be symbolic, and only steer the choice
        sets, count = 1, math.prod(wanted.modes)
    else:
        sets, count = math.prod(x.shape[:-2]), int(x.shape[0 if x.ndim == 1 else -2])
    half_modes = (*wanted.modes[:-1], wanted.modes[-1] // 2 + 1)
    grid = ModeGrid(wanted.modes, half_modes, wanted.period, wanted.centered)
    single = wanted.dtype == torch.float32
    return Request(grid, count, sets, wanted.eps, single, real, follows(x), wanted.algorithm, str(x.device))


def _sorted(x: Tensor, dtype: torch.dtype, gridding: Gridding, tables: Tables) -> Points:
    # coordinates keep the precision they came in: they are folded and scaled in float64
    points, sets = as_sets(x, dtype), as_sets(x, torch.promote_types(x.dtype, torch.float32))
    layout = gridding.grid.period, gridding.cells, gridding.tile, gridding.width, dtype == torch.float32
    if torch.compiler.is_compiling() or not transforms_active():
        places = ops.sort(sets.detach().contiguous(), *layout)
    else:
        places = Sort.apply(sets, *layout)
    return Points(points, Sorted(*places, tables.polynomials), tables.factors, tables.half_factors)
