"""The CUDA kernels, without a GPU: run thread after thread on the CPU against its own kernels."""

import ctypes

import compiling
import emulated
import lines
import pytest
import torch
from raw import GRIDS, LINES, ROUNDING, close, raw_inputs, widths
from samples import CASE, CASES, OPS, TAU, make_sample, relative_error

import fastspec as fs
from fastspec import _C
from fastspec._core import ops

CPU = torch.ops.fastspec


@pytest.fixture(scope="module", autouse=True)
def library():
    if not emulated.available():
        pytest.skip("this build has the kernels themselves")
    before = _C.instruction_set()
    _C.select_instruction_set("generic")  # which fuses no products with sums, as both sorts must not
    yield
    _C.select_instruction_set(before)


@pytest.mark.parametrize("complex", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("dtype", ROUNDING, ids=["float32", "float64"])
@pytest.mark.parametrize(("cells", "tile"), GRIDS, ids=str)
def test_kernels_agree_with_the_cpu(cells, tile, dtype, complex, gen, poisoned):
    for width in widths(cells, tile, dtype):
        args, polynomials, strengths, grid = raw_inputs(cells, tile, width, dtype, complex, gen)
        points = CPU.sort(*args)
        for way in emulated.WAYS:
            cuda = emulated.Ops(way)
            with emulated.without_shared_memory(way):
                for got, want in zip(cuda.sort(*args), points, strict=True):
                    assert torch.equal(got, want)
                held = (*points, polynomials)
                close(cuda.spread(*held, strengths, cells, tile), CPU.spread(*held, strengths, cells, tile))
                close(cuda.interpolate(*held, grid, tile), CPU.interpolate(*held, grid, tile))
                for a, b in zip(
                    cuda.interpolate_slopes(*held, grid, tile), CPU.interpolate_slopes(*held, grid, tile), strict=True
                ):
                    close(a, b)
                for values in (True, False):
                    given = *held, grid, strengths, tile, values
                    for a, b in zip(cuda.interpolate_gradient(*given), CPU.interpolate_gradient(*given), strict=True):
                        close(a, b)


@pytest.mark.parametrize("way", emulated.WAYS)
def test_many_points_to_a_tile_and_to_a_cell(way, gen):
    """Chunks that begin and end within a tile; in 1-D, points sorted by cell."""
    for cells, tile in (((64,), (16,)), ((32, 32), (16, 32)), ((16, 16, 16), (8, 16, 16))):
        args, polynomials, strengths, grid = raw_inputs(
            cells, tile, 4, torch.float32, False, gen, count=9000, channels=1
        )
        points, cuda = CPU.sort(*args), emulated.Ops(way)
        for got, want in zip(cuda.sort(*args), points, strict=True):
            assert torch.equal(got, want)
        with emulated.without_shared_memory(way):
            close(
                cuda.spread(*points, polynomials, strengths, cells, tile),
                CPU.spread(*points, polynomials, strengths, cells, tile),
            )
            close(cuda.interpolate(*points, polynomials, grid, tile), CPU.interpolate(*points, polynomials, grid, tile))


@pytest.mark.parametrize("dtype", ROUNDING, ids=["float32", "float64"])
@pytest.mark.parametrize("width", [5, 8])
def test_points_at_any_distance_are_sorted_alike(width, dtype, gen):
    """That have a place in the period: up to 2^52 cells away."""
    x = torch.rand(1, 3000, 2, generator=gen, dtype=torch.float64) - 0.5
    exponents = torch.linspace(-20, 13, 3000, dtype=torch.float64)
    x = (x * 10 ** exponents.unsqueeze(-1)).to(dtype)
    for single in (True, False):
        args = x, [1.0, 0.3], (50, 44), (26, 16), width, single
        for got, want in zip(emulated.Ops().sort(*args), CPU.sort(*args), strict=True):
            assert torch.equal(got, want)


def test_ordered_sums_are_the_same_every_time(gen):
    """Every other launch of the emulation runs its blocks and threads backwards."""
    args, polynomials, strengths, _ = raw_inputs((96, 70), (24, 32), 6, torch.float32, False, gen)
    cuda, points = emulated.Ops("ordered"), CPU.sort(*args)
    once, again, third = (cuda.spread(*points, polynomials, strengths, *args[2:4]) for _ in range(3))
    assert torch.equal(once, again) and torch.equal(once, third)


def test_points_that_are_not_finite_are_in_no_tile(gen, poisoned):
    cells, tile = (50, 44), (25, 16)
    args, polynomials, strengths, grid = raw_inputs(cells, tile, 5, torch.float32, False, gen)
    x = args[0].clone()
    x[0, 3, 1], x[0, 9, 0], x[1, 0] = torch.nan, torch.inf, -torch.inf
    lost = ~x.isfinite().all(-1)
    cuda = emulated.Ops()
    points = cuda.sort(x, *args[1:])
    assert torch.equal(points[2][:, -1], (~lost).sum(1).int())
    values, slopes = cuda.interpolate_slopes(*points, polynomials, grid, tile)
    assert torch.equal(values.isnan(), lost.unsqueeze(1).expand_as(values))
    assert torch.equal(slopes.isnan().all(-1), values.isnan())
    kept = torch.where(lost.unsqueeze(1), 0, strengths)
    sorted_anyway = CPU.sort(torch.where(lost.unsqueeze(-1), 0, x), *args[1:])
    want = CPU.spread(*sorted_anyway, polynomials, kept, cells, tile)
    assert relative_error(cuda.spread(*points, polynomials, strengths, cells, tile), want) <= 1e-6


@pytest.mark.parametrize("way", emulated.WAYS)
@pytest.mark.parametrize("dtype", ROUNDING, ids=["float32", "float64"])
def test_a_plan_that_was_written_to_gives_nan(dtype, way, gen, poisoned):
    """Where the CPU refuses it; see tests/core/test_unbreakable.py."""
    cells, tile, bits = (24, 20), (12, 20), 24 if dtype == torch.float32 else 52
    args, polynomials, strengths, grid = raw_inputs(cells, tile, 4, dtype, False, gen)
    cuda, (position, order, starts) = emulated.Ops(way), CPU.sort(*args)

    def spoiled(position, order):
        """Of each result: whether there are NaNs in the second set of points, and none in the first."""
        held = position, order, starts, polynomials
        gradient = cuda.interpolate_gradient(*held, grid, strengths, tile, True)
        results = cuda.spread(*held, strengths, cells, tile), *gradient, *cuda.interpolate_slopes(*held, grid, tile)
        return {(bool(result[1].isnan().any()), bool(result[0].isfinite().all())) for result in results}

    with emulated.without_shared_memory(way):
        assert spoiled(position, order) == {(False, True)}
        for place in (-1, 400, 2**31 - 1):
            broken = order.clone()
            broken[1] = place
            assert spoiled(position, broken) == {(True, True)}
        broken = position.clone()
        broken[1, 7, 1] |= (2 ** (8 * position.element_size() - 1 - bits) - 1) << bits  # the largest cell
        assert spoiled(broken, order) == {(True, True)}


@pytest.mark.parametrize("way", emulated.WAYS)
@pytest.mark.parametrize("dtype", ROUNDING, ids=["float32", "float64"])
@pytest.mark.parametrize("op", OPS)
def test_transforms_match_direct_sums(op, dtype, way, poisoned):
    eps = {torch.float32: 1e-6, torch.float64: 1e-12}[dtype]
    for case in CASES:
        sample = make_sample(op, case, dtype, real=op == "rnufft1")
        with emulated.emulation(way):
            got = sample(fs)
        assert relative_error(got, sample.exact) <= 5 * eps, case.id


@pytest.mark.parametrize("eps", [1e-2, 1e-3, 1e-4, 1e-5])
def test_transforms_match_direct_sums_at_other_widths(eps, poisoned):
    for op in OPS:
        for name in ("1d-large", "2d-large", "3d-large-clustered"):
            sample = make_sample(op, CASE[name], torch.float32, real=op == "rnufft1")
            with emulated.emulation():
                assert relative_error(sample(fs, eps=eps), sample.exact) <= 5 * eps, (op, name)


@pytest.mark.parametrize("name", ["1d-rows", "2d-sets-of-rows", "3d-even-odd"])
def test_gradients_are_the_cpus(name):
    for op in OPS:
        sample = make_sample(op, CASE[name], real=op == "rnufft1")
        grads = []
        for on_cuda in (False, True):
            x, data = sample.x.clone().requires_grad_(), sample.data.clone().requires_grad_()
            with emulated.emulation() if on_cuda else emulated.without_shared_memory("chunks"):
                grads.append(torch.autograd.grad(sample(fs, x, data).abs().square().sum(), (x, data)))
        for got, want in zip(*grads, strict=True):
            assert relative_error(got, want) <= 1e-9


@pytest.mark.parametrize("step", [None, "composed"], ids=["one op", "composed"])
@pytest.mark.parametrize("modes", [(31,), (12, 9), (6, 8, 5)], ids=str)
@pytest.mark.parametrize("dtype", ROUNDING, ids=["float32", "float64"])
def test_loss_is_the_cpus(step, modes, dtype, gen, poisoned):
    x = torch.rand(300, len(modes), generator=gen, dtype=dtype)
    pred, target = (torch.randn(2, 300, 3, generator=gen, dtype=dtype) for _ in range(2))
    target += 3 * (TAU * x[:, :1]).cos()
    weight = fs.weights.sobolev(1.0)
    results = []
    for on_cuda in (False, True):
        p = pred.clone().requires_grad_()
        with emulated.emulation(step=step) if on_cuda else emulated.without_shared_memory("chunks"):
            value = fs.SpectralLoss(modes, x=x, weight=weight, period=1.0)(p, target)
            value.backward()
        results.append((value.detach(), p.grad))
    for got, want in zip(*results, strict=True):
        assert relative_error(got, want) <= (1e-5 if dtype == torch.float32 else 1e-11)


def test_weigh_is_the_cpus_over_many_blocks(gen):
    for shape, band in (((2, 5000), (4000,)), ((3, 40, 3001), (30, 2101)), ((2, 9, 20, 70), (7, 9, 33))):
        spectrum = torch.randn(shape, generator=gen, dtype=torch.complex64)
        weight = torch.randn(shape[0], *band, generator=gen)
        mine, theirs, by = spectrum.clone(), spectrum.clone(), (weight, 0.3, [], 0, 0.0)
        assert relative_error(emulated.Ops().weigh(mine, *by), CPU.weigh(theirs, *by)) <= 1e-6
        assert relative_error(mine, theirs) <= 1e-6


@pytest.mark.parametrize("way", ["chunks", "points"])
@pytest.mark.parametrize("dtype", lines.FLOATS + lines.INTEGERS, ids=str)
def test_hadamard_is_the_cpus(dtype, way, gen, poisoned):
    for shape in LINES:
        x, scale = lines.draw(shape, dtype, gen), 1.0 if dtype in lines.INTEGERS else 0.3
        with emulated.without_shared_memory(way):
            got = emulated.Ops().hadamard(x, scale)
        want = CPU.hadamard(x, scale)
        if dtype in lines.INTEGERS:
            assert torch.equal(got, want), shape
        else:
            assert relative_error(got, want) <= lines.ROUNDING[dtype], shape


def test_hadamard_by_runs_of_64_bytes(gen, monkeypatch, poisoned):
    """Two passes of tiles of 2^11 numbers, where runs of 128 bytes would need three; on a GPU, lines of 2^26."""
    monkeypatch.setenv("FASTSPEC_EMULATED_SHARED", str(4 * (2**11 + 2**6)))
    for shape in ((1, 2**18, 1), (2, 2**18, 1)):
        x = lines.draw(shape, torch.float32, gen)
        want = CPU.hadamard(x, 0.3)
        assert relative_error(emulated.Ops().hadamard(x, 0.3), want) <= lines.ROUNDING[torch.float32]


def test_hadamard_needs_few_passes():
    """Of one read and one write of memory each, here as an H100 has room for tiles."""
    shapes = ctypes.CDLL(str(compiling.emulation()))
    assert [shapes.hadamard_passes(bits, 4) for bits in (0, 13, 15, 16, 26, 27, 28)] == [1, 1, 1, 2, 2, 3, 3]
    assert [shapes.hadamard_passes(bits, 8) for bits in (14, 15, 25, 26, 28)] == [1, 2, 2, 3, 3]


@pytest.mark.parametrize("alpha", [1.0, 2.0, 0.7])
def test_weigh_focal_is_the_cpus(alpha, gen):
    for cells, modes in (
        ((5000,), (7998,)),
        ((40, 3001), (60, 2100)),
        ((9, 20, 70), (13, 8, 34)),
        ((4, 5, 7), (6, 4, 6)),
    ):
        counts = [modes[0] // 2 + 1, *(n | 1 for n in modes[1:])]
        for dtype in ROUNDING:
            mine = torch.randn(3, *cells, generator=gen, dtype=torch.promote_types(dtype, torch.complex32))
            factors = 1 + torch.rand(sum(counts), generator=gen, dtype=dtype)
            theirs, by = mine.clone(), (factors, 0.3, modes, ops.RULES["focal"], alpha)
            sums = emulated.Ops().weigh(mine, *by)
            assert relative_error(sums, CPU.weigh(theirs, *by)) <= ROUNDING[dtype]
            close(mine, theirs)


SHAPES = {"a series": (200,), "channels": (200, 3), "one set of rows": (1, 4, 200, 2), "two sets": (2, 3, 200, 2)}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("modes", [(30,), (12, 9), (6, 8, 5)], ids=str)
def test_the_step_as_one_op_is_the_cpus(modes, shape, gen, poisoned):
    sets, cells, tile = shape[0] if len(shape) > 2 else 1, tuple(2 * n + 6 for n in modes), (256, 8, 8)[: len(modes)]
    (x, *box), polynomials, *_ = raw_inputs(cells, tile, 6, torch.float64, False, gen)
    x = torch.rand(sets, 200, len(modes), generator=gen, dtype=torch.float64)
    points = *CPU.sort(x, *box), polynomials
    band = [n // 2 * 2 + 1 for n in reversed(modes)]
    table = torch.rand(1, modes[-1] // 2 + 1, *band[1:], generator=gen, dtype=torch.float64)
    pred, target = torch.randn(2, *shape, generator=gen, dtype=torch.float64)
    quadrature = torch.rand(200, generator=gen, dtype=torch.float64)
    for weighed in (None, quadrature):
        for reduce, wanted in ((True, True), (False, True), (True, False)):
            args = pred, target, weighed, reduce, wanted, *points, cells, tile, table, 0.3, [], 0, 0.0
            for got, want in zip(emulated.Ops().loss_step(*args), CPU.loss_step(*args), strict=True):
                assert got.shape == want.shape
                close(got, want)


@pytest.mark.parametrize("step", [None, "composed"], ids=["one op", "composed"])
@pytest.mark.parametrize("modes", [(30,), (12, 9), (6, 8, 5)], ids=str)
def test_focal_loss_is_the_cpus(step, modes, gen, poisoned):
    x = torch.rand(300, len(modes), generator=gen, dtype=torch.float64)
    pred, target = (torch.randn(2, 300, 3, generator=gen, dtype=torch.float64) for _ in range(2))
    target += 3 * (TAU * x[:, :1]).cos()
    results = []
    for on_cuda in (False, True):
        p = pred.clone().requires_grad_()
        with emulated.emulation(step=step) if on_cuda else emulated.without_shared_memory("chunks"):
            value = fs.SpectralLoss(modes, x=x, weight=fs.weights.focal(1.5), period=1.0)(p, target)
            gradient = torch.autograd.grad(value, p, create_graph=True)[0]
            results.append((value.detach(), gradient.detach(), torch.autograd.grad(gradient.pow(3).sum(), p)[0]))
    for got, want in zip(*results, strict=True):
        assert relative_error(got, want) <= 1e-11
