"""Our own kernels and steps, without rivals, to compare commits: one thread, float32, eps = 1e-6.

pytest benchmarks/tools/kernels.py --benchmark-autosave    on one commit, --benchmark-compare on the next
"""

import pytest
import torch

import fastspec as fs
from benchmarks import stages
from benchmarks.measure import SIZES, Size

EPS = 1e-6


class Held:
    """Points planned, and data of every kind a kernel takes."""

    def __init__(self, size: Size):
        torch.set_num_threads(1)
        torch.manual_seed(0)
        self.x = (torch.rand(size.points, size.dim) - 0.5) * 6.28
        self.modes, self.plan = size.modes, fs.Plan(self.x, size.modes, eps=EPS)
        self.strengths, self.grid = torch.randn(1, 1, size.points), torch.randn(1, 1, *stages.gridding(self.plan).cells)
        self.complex_strengths = torch.randn(size.points, dtype=torch.complex64)
        self.coefficients = torch.randn(size.modes, dtype=torch.complex64)


@pytest.fixture(params=(SIZES[0], SIZES[1], SIZES[3]), ids=("1-D", "2-D", "3-D"), scope="module")
def held(request):
    before = torch.get_num_threads()
    yield Held(request.param)
    torch.set_num_threads(before)


def test_sort(benchmark, held):
    benchmark(stages.sort(held.plan))


def test_spread(benchmark, held):
    benchmark(stages.spread, held.plan, held.strengths)


def test_interpolate(benchmark, held):
    benchmark(stages.interpolate, held.plan, held.grid)


def test_interpolate_slopes(benchmark, held):
    benchmark(stages.interpolate_slopes, held.plan, held.grid)


def test_weigh(benchmark, held):
    spectrum = stages.fft(held.plan, held.grid)
    benchmark(stages.weigh, spectrum, stages.weight_that_changes_nothing(held.plan))


def test_loss_step(benchmark, held):
    loss = fs.SpectralLoss(held.modes, x=held.x, weight=fs.weights.sobolev(0.5), eps=EPS)
    pred, target = torch.randn(len(held.x), requires_grad=True), torch.randn(len(held.x))
    benchmark(lambda: torch.autograd.grad(loss(pred, target), pred))


def test_nufft1(benchmark, held):
    benchmark(held.plan.nufft1, held.complex_strengths)


def test_nufft2(benchmark, held):
    benchmark(held.plan.nufft2, held.coefficients)
