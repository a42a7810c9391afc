"""Our own kernels and steps, without rivals, to compare commits: one thread, float32, eps = 1e-6.

``pytest benchmarks/kernels.py --benchmark-autosave`` on one commit, then with ``--benchmark-compare`` on the next.
"""

import pytest
import torch
from common import SIZES, Size

import fastspec as fs
from fastspec import _ops

EPS = 1e-6


class Held:
    """Points planned, and data of every kind a kernel takes."""

    def __init__(self, size: Size):
        torch.set_num_threads(1)
        torch.manual_seed(0)
        self.x = (torch.rand(size.points, size.dim) - 0.5) * 6.28
        self.modes, self.plan = size.modes, fs.Plan(self.x, size.modes, eps=EPS)
        self.layout, self.points = self.plan.layout, self.plan.planned.points[:4]
        self.strengths, self.grid = torch.randn(1, 1, size.points), torch.randn(1, 1, *self.layout.cells)
        self.complex_strengths = torch.randn(size.points, dtype=torch.complex64)
        self.coefficients = torch.randn(size.modes, dtype=torch.complex64)


@pytest.fixture(params=(SIZES[0], SIZES[1], SIZES[3]), ids=("1-D", "2-D", "3-D"), scope="module")
def held(request):
    before = torch.get_num_threads()
    yield Held(request.param)
    torch.set_num_threads(before)


def test_sort(benchmark, held):
    layout = held.layout
    benchmark(_ops.sort, held.x[None], layout.period, layout.cells, layout.tile, layout.width, True)


def test_spread(benchmark, held):
    benchmark(_ops.spread, *held.points, held.strengths, held.layout.cells, held.layout.tile)


def test_interpolate(benchmark, held):
    benchmark(_ops.interpolate, *held.points, held.grid, held.layout.tile)


def test_interpolate_slopes(benchmark, held):
    benchmark(_ops.interpolate_slopes, *held.points, held.grid, held.layout.tile)


def test_weigh(benchmark, held):
    """With a weight of a half, the spectrum that comes out within the band is the one that went in."""
    *cells, last = held.layout.cells
    spectrum = torch.randn(1, last // 2 + 1, *cells, dtype=torch.complex64)
    weight = torch.full((1, held.modes[-1] // 2 + 1, *(n // 2 * 2 + 1 for n in held.modes[:-1])), 0.5)
    benchmark(_ops.weigh, spectrum, weight, 1.0)


def test_loss_step(benchmark, held):
    loss = fs.SpectralLoss(held.modes, x=held.x, weight=fs.weights.sobolev(0.5), eps=EPS)
    pred, target = torch.randn(len(held.x), requires_grad=True), torch.randn(len(held.x))
    benchmark(lambda: torch.autograd.grad(loss(pred, target), pred))


def test_nufft1(benchmark, held):
    benchmark(held.plan.nufft1, held.complex_strengths)


def test_nufft2(benchmark, held):
    benchmark(held.plan.nufft2, held.coefficients)
