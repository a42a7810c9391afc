"""Spreading in three dimensions by a warp to a plane, without a GPU: see csrc/cuda/spread_planes.h."""

import ctypes

import compiling
import emulated
import pytest
import torch
from raw import DOUBLE, ROUNDING, SINGLE, close, raw_inputs

from fastspec import _C

CPU = torch.ops.fastspec


@pytest.fixture(scope="module", autouse=True)
def library():
    if not emulated.available():
        pytest.skip("this build has the kernels themselves")
    before = _C.instruction_set()
    _C.select_instruction_set("generic")
    yield
    _C.select_instruction_set(before)


@pytest.mark.parametrize("complex", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("dtype", ROUNDING, ids=["float32", "float64"])
def test_every_width_is_the_cpus(dtype, complex, gen, poisoned):
    """Dense points, of which chunks begin and end within tiles; sparse ones are spread one by one."""
    cells, tile = (32, 16, 21), (16, 8, 16)
    for width in SINGLE if dtype == torch.float32 else DOUBLE:
        args, polynomials, strengths, _ = raw_inputs(cells, tile, width, dtype, complex, gen, 1500, 2, 1)
        held = (*CPU.sort(*args), polynomials)
        want = CPU.spread(*held, strengths, cells, tile)
        close(emulated.Ops().spread(*held, strengths, cells, tile), want)


def waves(addresses, words: int) -> int:
    """How often shared memory is met for one access of a warp, to numbers of so many words at these places."""
    lanes = 32 // words
    total = 0
    for first in range(0, 32, lanes):
        met = {place * words + word for place in addresses[first : first + lanes] for word in range(words)}
        total += max((sum(place % 32 == bank for place in met) for bank in range(32)), default=0)
    return total


@pytest.mark.parametrize("words", [1, 2, 4])
def test_a_planes_cells_are_on_different_banks(words):
    """Where tiles are 16 cells along a row; other widths of float32 would need longer gaps."""
    shapes = ctypes.CDLL(str(compiling.emulation()))
    for width in (5, 6, 7, 8) if words == 1 else DOUBLE if words == 4 else (*SINGLE, *DOUBLE):
        if width * width <= 16:  # several planes to a warp
            continue
        stride = shapes.planes_row_stride(width, width + 15, 4 * words)
        assert width + 15 <= stride <= width + 23
        columns = range(width)[:: -1 if words == 1 else 1]
        plane = [row * stride + column for row in range(width) for column in columns]
        met = sum(waves(plane[first : first + 32], words) for first in range(0, width * width, 32))
        assert met == -(-width * width * words // 32), width
