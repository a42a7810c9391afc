"""Sorting points on CUDA, without a GPU: small sets by a block's own radix sort, others by a library's."""

import emulated
import pytest
import torch

from fastspec import _C

CPU = torch.ops.fastspec
# few tiles, more than 2^16 of them, points sorted by cell where there are many, two and three dimensions
GRIDS = ((64,), (16,)), ((262160,), (4,)), ((50, 44), (25, 16)), ((40, 25, 18), (20, 16, 5))


@pytest.fixture(scope="module", autouse=True)
def library():
    if not emulated.available():
        pytest.skip("this build has the kernels themselves")
    before = _C.instruction_set()
    _C.select_instruction_set("generic")  # which fuses no products with sums
    yield
    _C.select_instruction_set(before)


@pytest.mark.parametrize("single", [True, False], ids=["float32", "float64"])
@pytest.mark.parametrize("count", [0, 1, 255, 257, 700, 4096, 4097])
def test_places_are_the_cpus(count, single, gen, poisoned):
    for cells, tile in GRIDS:
        for dtype in (torch.float32, torch.float64):
            x = torch.randn(3, count, len(cells), generator=gen, dtype=dtype)
            args = x, [1.0] * len(cells), cells, tile, 4, single
            for got, want in zip(emulated.Ops().sort(*args), CPU.sort(*args), strict=True):
                assert torch.equal(got, want), (cells, dtype)


@pytest.mark.parametrize("count", [300, 4096, 5000])
def test_points_that_are_not_finite_come_last(count, gen):
    cells, tile = (50, 44), (25, 16)
    x = torch.rand(2, count, 2, generator=gen)
    x[0, 7, 0], x[0, 250, 1], x[1, 0] = torch.inf, torch.nan, torch.nan
    position, order, starts = emulated.Ops().sort(x, [1.0, 1.0], cells, tile, 4, True)
    assert starts[:, -1].tolist() == [count - 2, count - 1]
    assert order[0, -2:].tolist() == [7, 250] and order[1, -1] == 0
    kept = [torch.tensor([i for i in range(count) if i not in (7, 250)]), torch.arange(1, count)]
    for each, points in enumerate(kept):
        want = CPU.sort(x[each, points].unsqueeze(0), [1.0, 1.0], cells, tile, 4, True)
        assert torch.equal(position[each, : len(points)], want[0][0])
        assert torch.equal(order[each, : len(points)], points[want[1][0].long()].int())
        assert torch.equal(starts[each], want[2][0])
