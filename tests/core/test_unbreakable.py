"""Raw ops given anything, without memory, and interrupted: they raise, and the process goes on."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from garbage import RAW
from raw import raw_inputs

import fastspec as fs
from fastspec import _C
from fastspec._core import ops

SUPPORT = Path(__file__).parents[1] / "support"


def run_script(name: str, *args: object) -> list[str]:
    """The lines that a script of tests/support prints; fails where it does not end well."""
    given = [sys.executable, str(SUPPORT / name), *map(str, args)]
    done = subprocess.run(given, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, (given, done.returncode, done.stderr[-500:])
    return done.stdout.splitlines()


def garbage(*args: object, calls: int) -> None:
    """That many calls of raw ops with arguments of which some are wrong, in a process of their own."""
    returned, raised = map(int, run_script("garbage.py", *args, calls)[-1].split())
    assert returned + raised == calls and min(returned, raised) > calls / 10


def test_raw_ops_take_garbage():
    garbage(0, calls=1000)


@pytest.mark.skipif(_C.build_info()["cuda"] == "yes", reason="this build has the kernels themselves")
def test_cuda_ops_take_garbage():
    garbage("--emulated", 0, calls=600)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 20))
def test_raw_ops_take_much_garbage(seed):
    garbage(seed, calls=5000)


CELLS, TILE = (24, 20), (12, 20)


@pytest.fixture(params=[torch.float32, torch.float64], ids=["float32", "float64"])
def sorted_points(request, gen):
    args, polynomials, strengths, grid = raw_inputs(CELLS, TILE, 4, request.param, False, gen)
    return [*RAW.sort(*args), polynomials], strengths, grid


def calls(points, strengths, grid):
    """Of every op that takes sorted points."""
    pred = strengths.movedim(1, 2).contiguous()
    weight = torch.ones(1, 3, 3, dtype=pred.dtype)
    yield lambda: RAW.spread(*points, strengths, CELLS, TILE)
    yield lambda: RAW.interpolate(*points, grid, TILE)
    yield lambda: RAW.interpolate_slopes(*points, grid, TILE)
    yield lambda: RAW.interpolate_gradient(*points, grid, strengths, TILE, True)
    yield lambda: RAW.loss_step(pred, pred, None, True, True, *points, CELLS, TILE, weight, 1.0, [], 0, 0.0)


PLACES = {
    "an order below 0": (1, (1, 399), -1),
    "an order beyond the points": (1, (0, 0), 400),
    "a start beyond the points": (2, (0, 1), 401),
    "a start before the last one": (2, (1, 1), -1),
    "a last start short of the points": (2, (0, -1), 399),
    "a first start after the first point": (2, (0, 0), 1),
}


@pytest.mark.parametrize("which", PLACES)
def test_a_plan_that_was_written_to_is_refused(which, sorted_points):
    points, strengths, grid = sorted_points
    for call in calls(points, strengths, grid):
        call()
    at, index, value = PLACES[which]
    points[at].numpy()[index] = value  # which torch counts as no change
    for call in calls(points, strengths, grid):
        with pytest.raises(RuntimeError, match="not of points sorted for this grid"):
            call()


@pytest.mark.parametrize("axis", range(2))
def test_a_point_beyond_its_tile_is_refused(axis, sorted_points):
    points, strengths, grid = sorted_points
    bits = 24 if points[0].dtype == torch.int32 else 52
    first = points[0][1, 0, axis].item()
    points[0][1, 0, axis] = (first & ((1 << bits) - 1)) | TILE[axis] << bits
    for call in calls(points, strengths, grid):
        with pytest.raises(RuntimeError, match="not of points sorted for this grid"):
            call()
    points[0][1, 0, axis] = (first & ((1 << bits) - 1)) | (TILE[axis] - 1) << bits
    for call in calls(points, strengths, grid):
        call()


def test_zero_rows(gen):
    """Of FFTs, of the loss's steps, of a weight."""
    factors, none = torch.ones(8), torch.zeros(0, 16, dtype=torch.complex64)
    assert RAW.grid_to_modes(none, factors, [8], [4], True, 1).shape == (0, 8)
    assert RAW.grid_to_modes(none.real.contiguous(), factors, [8], [0], True, -1).shape == (0, 8)
    assert RAW.modes_to_grid(none[:, :8].contiguous(), factors, [16], [4], True, 1, 0).shape == (0, 16)
    assert RAW.modes_to_grid(none[:, :8].contiguous(), factors, [16], [0], True, 1, 14).shape == (0, 16)
    assert RAW.weigh(none, factors.view(1, 8), 1.0, [], 0, 0.0).shape == (0,)
    x, pred, weight = torch.rand(1, 5, 1), torch.zeros(0, 5, 1), torch.ones(1, 3)
    loss, gradient = RAW.direct_loss_step(pred, pred, None, True, True, x, [5], [1.0], weight, 1.0, [], 0, 0.0)
    assert loss == 0 and gradient.shape == pred.shape
    pred = torch.zeros(1, 5, 1)
    with pytest.raises(RuntimeError, match="weight: one, or one per transform"):
        RAW.direct_loss_step(pred, pred, None, True, True, x, [5], [1.0], weight[:0], 1.0, [], 0, 0.0)
    with pytest.raises(RuntimeError, match="modes and period"):
        RAW.direct_loss_step(pred, pred, None, True, True, x, [], [], weight, 1.0, [], 0, 0.0)


def test_negative_wavenumbers_of_a_halved_axis_are_refused():
    """They are beyond the half that is transformed."""
    grid, modes, factors = torch.randn(1, 12, 12), torch.randn(1, 5, 5, dtype=torch.complex64), torch.ones(10)
    assert RAW.grid_to_modes(grid, factors, [5, 5], [2, 0], True, -1).shape == (1, 5, 5)
    assert RAW.modes_to_grid(modes, factors, [12, 12], [2, 0], True, 1, 8).shape == (1, 12, 12)
    with pytest.raises(RuntimeError, match="negative: the last axis of a real grid has none"):
        RAW.grid_to_modes(grid, factors, [5, 5], [2, 2], True, -1)
    with pytest.raises(RuntimeError, match="negative: the last axis of a real grid has none"):
        RAW.modes_to_grid(modes, factors, [12, 12], [2, 2], True, 1, 8)


def test_outputs_of_another_number_of_points_are_refused():
    x, weight = torch.rand(1, 10, 1), torch.ones(1, 3)
    for shape in ((20,), (6, 5, 1), (10, 3, 1)):
        pred = torch.zeros(shape)
        with pytest.raises(RuntimeError, match="pred: must be"):
            RAW.direct_loss_step(pred, pred, None, False, True, x, [5], [1.0], weight, 1.0, [], 0, 0.0)


ASKED = {"sort": 3, "spread": 1, "direct_type1": 3, "exponential_sums": 2, "gaussian_filter": 2, "hadamard": 1}


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs to know the memory in use")
def test_without_memory_ops_raise_and_then_work():
    lines = run_script("starved.py")
    for op, kinds in ASKED.items():  # of memory: outputs, work space
        said = {line.partition(": ")[2] for line in lines if line.startswith(op + ":")}
        assert "ended" in said and len(said) > kinds, (op, said)
        told = [re.fullmatch("not enough memory: [0-9]+ bytes were asked for", line) for line in said - {"ended"}]
        assert all(told), said


class Rang(Exception):
    pass


def ring(*_):
    raise Rang


LONG = {
    "direct type 1": lambda: ops.direct_type1(
        torch.rand(1, 200_000, 1), torch.randn(1, 1, 200_000), [400_001], [1.0], True, -1
    ),
    "direct type 1 of long planes": lambda: ops.direct_type1(
        torch.rand(1, 100_000, 2), torch.randn(1, 1, 100_000), [2001, 2001], [1.0, 1.0], True, -1
    ),
    "direct type 1 of short rows": lambda: ops.direct_type1(
        torch.rand(1, 20_000, 2), torch.randn(1, 1, 20_000), [3, 400_001], [1.0, 1.0], True, -1
    ),
    "direct type 2": lambda: ops.direct_type2(
        torch.rand(1, 200_000, 1), torch.randn(1, 1, 200_001, dtype=torch.complex64), [400_001], [1.0], True, 1, True
    ),
    "exponential sums": lambda: fs.nufft3(torch.rand(400_000), torch.randn(400_000), torch.rand(400_000)),
    "reference": lambda: fs.reference.nufft1(torch.rand(20_000).double(), torch.randn(20_000).double(), 50_001),
    "gaussian": lambda: ops.gaussian_filter(torch.rand(400_000, 1), torch.rand(1, 400_000, 1), torch.ones(1).double()),
}


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer")
@pytest.mark.parametrize("name", LONG)
def test_ctrl_c_ends_a_long_op(name):
    before = signal.signal(signal.SIGALRM, ring)
    start = time.perf_counter()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(Rang):
            LONG[name]()
        assert time.perf_counter() - start < 0.3 + 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("modes", [2**34, 2**31, 2**40, (2**20, 2**20)], ids=str)
def test_more_modes_than_memory_are_refused_at_once(modes):
    x = torch.rand(10) if isinstance(modes, int) else torch.rand(10, 2)
    start = time.perf_counter()
    if modes == 2**31:  # which a large machine has room for
        modes = 2**39
    for call in (lambda: fs.Plan(x, modes), lambda: fs.nufft1(x, torch.randn(10), modes)):
        with pytest.raises(torch.OutOfMemoryError, match="modes: .* must fit into the memory"):
            call()
    assert time.perf_counter() - start < 5
