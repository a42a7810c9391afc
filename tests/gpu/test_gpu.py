"""What only a GPU can show: streams, graphs, synchronisation, memory, order of sums. Run by `make gpu`."""

import emulated
import lines
import pytest
import raw
import torch
from samples import CASES, OPS, make_sample, relative_error
from torch import nn

import fastspec as fs

pytestmark = pytest.mark.gpu
SIZES = {1: (500,), 2: (60, 45), 3: (20, 17, 24)}


@pytest.fixture(autouse=True)
def cuda():
    assert torch.cuda.is_available()
    torch.cuda.synchronize()


@pytest.fixture
def no_waiting():
    """Fails where the host waits for the device."""

    def begin():
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error")

    yield begin
    torch.cuda.set_sync_debug_mode("default")


def network(dim):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(dim, 64), nn.Tanh(), nn.Linear(64, 2)).cuda()


def problem(modes, count=5000, dtype=torch.float32):
    gen = torch.Generator("cuda").manual_seed(1)
    x = torch.rand(count, len(modes), generator=gen, device="cuda", dtype=dtype)
    return x, torch.randn(count, 2, generator=gen, device="cuda", dtype=dtype)


# --- right ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("complex", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("dtype", raw.ROUNDING, ids=["float32", "float64"])
@pytest.mark.parametrize(("cells", "tile"), raw.GRIDS, ids=str)
def test_kernels_agree_with_the_cpu(cells, tile, dtype, complex, gen):
    ops = torch.ops.fastspec
    for width in raw.widths(cells, tile, dtype):
        args, polynomials, strengths, grid = raw.raw_inputs(cells, tile, width, dtype, complex, gen)
        points = ops.sort(*args)
        held, there = (*points, polynomials), [t.cuda() for t in (*points, polynomials)]
        for got, want in zip(ops.sort(args[0].cuda(), *args[1:]), points, strict=True):
            # the CPU may fuse a product with a sum, which moves a point by its last digit
            assert (got.cpu() - want).abs().max() <= (2**12 if want.dtype == torch.int64 else 1)
        want = ops.spread(*held, strengths, cells, tile)
        for name in ("spread", "spread_ordered"):
            raw.close(getattr(ops, name)(*there, strengths.cuda(), cells, tile).cpu(), want)
        raw.close(ops.interpolate(*there, grid.cuda(), tile).cpu(), ops.interpolate(*held, grid, tile))
        calls = [(ops.interpolate_slopes, (), ())]
        calls += [(ops.interpolate_gradient, (strengths,), (wanted,)) for wanted in (True, False)]
        for op, more, flags in calls:
            want = op(*held, grid, *more, tile, *flags)
            got = op(*there, grid.cuda(), *[t.cuda() for t in more], tile, *flags)
            for a, b in zip(got, want, strict=True):
                raw.close(a.cpu(), b)


@pytest.mark.parametrize("dtype", lines.FLOATS + lines.INTEGERS, ids=str)
def test_hadamard_agrees_with_the_cpu(dtype, gen):
    longest = (1, 2**26, 1) if dtype == torch.float32 else (1, 2**21, 1)
    for shape in (*raw.LINES, (500, 2**10, 1), (70, 2**15, 1), (1, 2**17, 40), longest):
        x = lines.draw(shape, dtype, gen)
        got, want = fs.walsh.fwht(x.cuda(), dim=1), fs.walsh.fwht(x, dim=1)
        assert got.is_cuda and got.dtype == want.dtype
        if dtype in lines.INTEGERS:
            assert torch.equal(got.cpu(), want), shape
        else:
            assert relative_error(got.cpu(), want) <= lines.ROUNDING[dtype], shape


def test_hadamard_is_differentiable_and_captured():
    x = torch.randn(3, 2**14, device="cuda", dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(fs.walsh.fwht(x, normalized=True).square().sum(), x)
    assert relative_error(gradient, 2 * x.detach()) <= 1e-13
    held, graph = x.detach().clone(), torch.cuda.CUDAGraph()
    fs.walsh.fwht(held)
    torch.cuda.synchronize()
    with torch.cuda.graph(graph):
        out = fs.walsh.fwht(held)
    held.copy_(2 * x.detach())
    graph.replay()
    assert torch.equal(out, fs.walsh.fwht(2 * x.detach()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("op", OPS)
def test_transforms_match_direct_sums_in_any_order(op, dtype):
    """As test_nufft.py has them, where sums are ordered for the sake of poisoned memory."""
    for case in CASES:
        sample = make_sample(op, case, dtype, real=op == "rnufft1").on("cuda")
        eps = 1e-6 if dtype == torch.float32 else 1e-12
        assert relative_error(sample(fs), sample.exact) <= 5 * eps, case.id


@pytest.mark.parametrize("modes", [(100_000,), (512, 512), (64, 64, 64)], ids=str)
def test_a_million_points_have_the_cpus_spectrum(modes):
    """Enough for every block size, chunk and tile of the large problems."""
    x, c = problem(modes, 1_000_000)
    plan, here = fs.Plan(x, modes, period=1.0), fs.Plan(x.cpu(), modes, period=1.0)
    spectrum = plan.rnufft1(c.T.contiguous())
    assert relative_error(spectrum.cpu(), here.rnufft1(c.T.contiguous().cpu())) <= 1e-5
    assert relative_error(plan.rnufft2(spectrum).cpu(), here.rnufft2(spectrum.cpu())) <= 1e-5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("modes", SIZES.values(), ids=str)
def test_direct_sums_and_gridding_agree(modes, dtype):
    """Of all types, in several rows, with their gradients in points and numbers."""
    x, c = problem(modes, 300, dtype)
    rows, found = c.T.contiguous(), {}
    for algorithm in ("direct", "gridding"):
        points, data = x.clone().requires_grad_(), rows.clone().requires_grad_()
        plan = fs.Plan(points, modes, period=1.0, algorithm=algorithm)
        half, whole = plan.rnufft1(data), plan.nufft1(torch.complex(data, data.flip(0)))
        values, complex_values = plan.rnufft2(half), plan.nufft2(whole)
        loss = (values * rows.roll(1, 0)).sum() + (complex_values * rows.flip(1)).abs().square().sum().sqrt()
        found[algorithm] = half, whole, values, complex_values, *torch.autograd.grad(loss, (points, data))
    largest = {torch.float32: 1e-5, torch.float64: 1e-11}[dtype]
    for got, want in zip(found["direct"], found["gridding"], strict=True):
        assert relative_error(got, want) <= largest


@pytest.mark.parametrize("modes", SIZES.values(), ids=str)
def test_a_plan_that_moves_is_one_made_there(modes):
    x, c = problem(modes)
    moved, made = fs.Plan(x.cpu(), modes, period=1.0).to("cuda"), fs.Plan(x, modes, period=1.0)
    assert moved.layout == made.layout
    for a, b in zip(moved.planned.points, made.planned.points, strict=True):
        assert torch.equal(a, b)
    back = moved.to("cpu")
    assert relative_error(back.rnufft1(c[:, 0].cpu()), made.rnufft1(c[:, 0]).cpu()) <= 1e-5


def test_points_that_are_not_finite_are_refused():
    x, _ = problem((60, 45))
    x[17, 1] = torch.nan
    with pytest.raises(ValueError, match="x: had non-finite points"):
        fs.Plan(x, (60, 45))


# --- without the host -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("modes", SIZES.values(), ids=str)
def test_transforms_losses_and_gradients_of_a_held_plan_never_wait(modes, no_waiting):
    x, c = problem(modes)
    period = tuple(1.0 + 0.1 * axis for axis in range(len(modes)))
    plan = fs.Plan(x.requires_grad_(), modes, period=period)
    loss = fs.SpectralLoss(modes, x=x.detach(), period=period, weight=fs.weights.sobolev(1.0))
    pred = c.clone().requires_grad_()
    for step in range(2):  # the first makes FFT plans and what the loss keeps
        if step:
            no_waiting()
        spectrum = plan.nufft1(c.T)
        spectrum.abs().square().sum().backward()
        plan.nufft2(spectrum.detach()).abs().square().sum().backward()
        plan.rnufft2(plan.rnufft1(c.T).detach()).square().sum().backward()
        loss(pred, c).backward()


@pytest.mark.parametrize("modes", SIZES.values(), ids=str)
def test_a_training_step_is_captured_and_replayed(modes):
    x, target = problem(modes)
    loss = fs.SpectralLoss(modes, x=x, period=1.0, weight=fs.weights.sobolev(1.0))
    losses = {}
    for captured in (False, True):
        model = network(len(modes))
        optimizer = torch.optim.Adam(model.parameters(), 1e-3, capturable=True)

        def step(model=model, optimizer=optimizer):
            optimizer.zero_grad(set_to_none=True)
            value = loss(model(x), target)
            value.backward()
            optimizer.step()
            return value

        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                value = step()
        torch.cuda.current_stream().wait_stream(side)
        if captured:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                value = step()
            for _ in range(5):
                graph.replay()
        else:
            for _ in range(5):
                value = step()
        losses[captured] = value.item()
    assert losses[True] == pytest.approx(losses[False], rel=1e-4)


def test_work_follows_torchs_stream_and_device():
    modes = (60, 45)
    for device in range(torch.cuda.device_count()):
        x, c = (t.to(f"cuda:{device}") for t in problem(modes, 200_000))
        want = fs.Plan(x, modes, period=1.0).rnufft1(c[:, 0])
        side = torch.cuda.Stream(device)
        with torch.cuda.stream(side):
            torch.cuda._sleep(50_000_000)  # whoever does not queue behind it reads points not yet there
            late = x.flip(0)
            got = fs.Plan(late, modes, period=1.0).rnufft1(c[:, 0].flip(0))
        torch.cuda.current_stream(device).wait_stream(side)
        assert got.device == x.device
        assert relative_error(got, want) <= 1e-5


@pytest.mark.parametrize("modes", SIZES.values(), ids=str)
def test_deterministic_algorithms_repeat_every_digit(modes):
    x, c = problem(modes, 50_000)
    x = x**2  # crowded in a corner
    plan = fs.Plan(x, modes, period=1.0)
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        once, again = plan.rnufft1(c.T.contiguous()), plan.rnufft1(c.T.contiguous())
    finally:
        torch.use_deterministic_algorithms(before)
    assert torch.equal(once, again)
    assert relative_error(once, plan.rnufft1(c.T.contiguous())) <= 1e-5


def test_a_held_plan_keeps_no_memory():
    modes = (128, 128)
    x, c = problem(modes, 100_000)
    plan = fs.Plan(x, modes, period=1.0)
    plan.rnufft2(plan.rnufft1(c.T.contiguous()))
    before = torch.cuda.memory_allocated()
    for _ in range(3):
        plan.rnufft2(plan.rnufft1(c.T.contiguous()))
    assert torch.cuda.memory_allocated() == before


def test_the_loss_compiles():
    modes = (60, 45)
    x, target = problem(modes)
    loss = fs.SpectralLoss(modes, x=x, period=1.0)
    pred = torch.zeros_like(target, requires_grad=True)
    want = torch.autograd.grad(loss(pred, target), pred)[0]
    compiled = torch.compile(loss, fullgraph=True)
    assert relative_error(torch.autograd.grad(compiled(pred, target), pred)[0], want) <= 1e-5


def test_the_emulation_is_off():
    assert not emulated.available()
