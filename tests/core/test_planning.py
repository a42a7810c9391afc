"""The planning objects of the extension module: the window and the planner's choice."""

import numpy as np
import pytest
import torch
from samples import CASE, OPS, make_sample, planners_algorithm, relative_error

import fastspec as fs
from fastspec import _C
from fastspec._core import ops

MODES = [(1,), (2,), (97,), (1000,), (64, 3), (37, 200), (512, 512), (5, 6, 7), (64, 64, 64), (128, 20, 1)]


def window_values(window, x):
    return np.array([window(v) for v in x])


@pytest.mark.parametrize(("width", "sigma"), [(4, 2.0), (7, 1.25), (8, 1.6), (16, 2.0)])
def test_polynomials_are_the_window(width, sigma):
    window = _C.Window(width, sigma)
    polynomials = np.array(window.polynomials())
    for t in np.linspace(-0.99, 0.99, 7):
        taps = window_values(window, np.arange(width) - width / 2 + (t + 1) / 2)
        assert np.abs(np.apply_along_axis(np.polyval, 0, polynomials, t) - taps).max() <= 10 ** (-0.9 * width)


@pytest.mark.parametrize(("width", "sigma"), [(4, 2.0), (7, 1.25), (14, 2.0)])
def test_deconvolution_is_the_inverse_of_the_windows_transform(width, sigma):
    window, cells = _C.Window(width, sigma), 100
    factors = np.frombuffer(window.deconvolution(40, cells))
    nodes, weights = np.polynomial.legendre.leggauss(120)
    values = window_values(window, nodes * width / 2)
    for k in (0, 1, 17, 40):
        transform = width / 2 * (weights * values * np.cos(np.pi * k * width * nodes / cells)).sum()
        assert factors[k] == pytest.approx(1 / transform, rel=1e-10)


@pytest.mark.parametrize("cuda", [False, True], ids=["cpu", "cuda"])
@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("modes", MODES, ids=str)
def test_choice_meets_eps_and_fits_the_kernels(modes, single, cuda):
    for eps in (1e-2, 1e-4, 1e-6) if single else (1e-3, 1e-6, 1e-9, 1e-12):
        choice = _C.choose_plan(modes, 10_000, eps, single=single, complex=True, cuda=cuda)
        assert choice.error <= eps
        assert choice.sigma >= 1.2
        assert all(cells >= 1.2 * n and cells % 2 == 0 for cells, n in zip(choice.cells, modes, strict=True))
        strips = -(-choice.cells[0] // choice.tile[0])
        last = choice.cells[0] - (strips - 1) * choice.tile[0]
        assert strips == 1 or (strips % 2 == 0 and min(last, choice.tile[0]) >= choice.width)


@pytest.mark.parametrize(
    ("modes", "eps", "complex", "tile"),
    [
        ((256, 256, 256), 1e-6, False, [8, 16, 16]),
        ((256, 256, 256), 1e-6, True, [8, 8, 16]),
        ((256, 256, 256), 1e-2, True, [8, 16, 16]),
        ((1024, 1024), 1e-6, True, [16, 32]),
        ((10**5,), 1e-6, True, [256]),
    ],
)
def test_tiles_on_cuda_are_those_of_the_sweep(modes, eps, complex, tile):
    """On an H100, ten million points, float32; heights as near as an even number of strips allows."""
    choice = _C.choose_plan(modes, 10**7, eps, single=True, complex=complex, cuda=True)
    assert all(abs(mine - best) <= 2 for mine, best in zip(choice.tile, tile, strict=True)), choice.tile


def test_out_of_reach_eps_gets_the_most_accurate_choice():
    out_of_reach, within = (_C.choose_plan((100,), 1000, eps, single=True, complex=True) for eps in (1e-15, 1e-6))
    assert 1e-15 < out_of_reach.error < within.error / 2


@pytest.mark.parametrize("single", [True, False])
def test_rounding_is_expected_to_grow_with_the_ffts_stages(single):
    few, many = (_C.choose_plan((n,), 1000, 1e-18, single=single, complex=True) for n in (10**3, 10**7))
    assert few.rounding < many.rounding < 1.5 * few.rounding
    assert 0.5 * few.error < few.rounding < few.error


@pytest.mark.parametrize("modes", [(1000,), (512, 512), (128, 128, 128)], ids=str)
def test_devices_have_costs_of_their_own(modes):
    cpu, cuda = (_C.choose_plan(modes, 10**6, 1e-6, single=True, complex=False, cuda=cuda) for cuda in (False, True))
    assert cuda.gridding.step < cpu.gridding.step / 20


def test_many_points_per_mode_get_a_narrower_window_than_few():
    """The planner weighs the points' work against the FFT's."""
    few, many = (_C.choose_plan((64, 64, 64), m, 1e-4, single=True, complex=False) for m in (1_000, 10_000_000))
    assert few.width > many.width
    assert few.cells[0] < many.cells[0]


def test_plan_explains_itself():
    plan = fs.Plan(torch.rand(1000, 2), (40, 50), eps=1e-4)
    text = plan.explain()
    for part in (
        "1,000 points",
        "40 x 50 modes",
        "float32",
        "eps 1e-04",
        f"{plan.choice.gridding.width} cells wide",
        f"{plan.choice.gridding.cells[0]} x {plan.choice.gridding.cells[1]} cells",
        f"{_C.instruction_set()} kernels",
    ):
        assert part in text


def test_direct_sums_are_for_few_pairs():
    def choice(modes, points, **more):
        return _C.choose_plan(modes, points, 1e-6, single=True, complex=True, **more)

    for modes, few, many in (((16,), 100, 10**5), ((16, 16), 100, 10**5), ((16, 16, 16), 100, 10**5)):
        assert choice(modes, few).direct.complex < choice(modes, few).gridding.complex
        assert choice(modes, many).direct.complex > choice(modes, many).gridding.complex
    small = choice((16, 16), 200)
    assert small.direct.real < small.direct.complex < choice((16, 16), 200, sets=3).direct.complex


@planners_algorithm
def test_direct_sums_on_cuda_are_for_few_points_on_large_grids():
    """Where both hardly take the device's time, gridding's call takes less of the host's."""
    for points, modes, direct in (
        (100, (16, 16), False),
        (1000, (16, 16, 16), False),
        (10**6, (256, 256, 256), False),
        (10, (256, 256, 256), True),
        (1, (1024, 1024), False),
    ):
        for single in (True, False):
            choice = _C.choose_plan(modes, points, 1e-6, single=single, complex=True, cuda=True)
            assert (choice.direct.complex < choice.gridding.complex) == direct, (points, modes)
            assert choice.direct.step == np.inf  # no op
    with fs.override(device="cuda"):
        plan = fs.Plan(torch.rand(10, 3), (256, 256, 256))
        assert [way.name for way in plan.choice[1:]] == ["direct", "direct", "gridding"]
        assert "by direct sums not available" in plan.explain()


def test_sets_of_points_take_their_time_each():
    for cuda in (False, True):
        one, ten, hundred = (
            _C.choose_plan((64, 64), 10**5, 1e-4, single=True, complex=False, cuda=cuda, sets=sets).gridding.real
            for sets in (1, 10, 100)
        )
        assert hundred - ten == pytest.approx(10 * (ten - one), rel=1e-6)


@pytest.mark.parametrize("cuda", [False, True], ids=["cpu", "cuda"])
def test_the_losss_step_is_direct_for_few_pairs_in_more_than_one_dimension(cuda):
    for modes, points, direct in (
        ((64,), 300, False),
        ((8, 8), 300, True),
        ((8, 8, 8), 300, True),
        ((64, 64), 10**4, False),
    ):
        choice = _C.choose_plan(modes, points, 1e-6, single=True, complex=False, cuda=cuda)
        assert (choice.direct.step < choice.gridding.step) == (direct and not cuda)


@planners_algorithm
@pytest.mark.parametrize("name", ["2d-even-odd", "2d-large"])
@pytest.mark.parametrize("op", OPS)
def test_the_planners_choice_is_the_one_made(op, name, monkeypatch):
    """By functions, which need not sort the points of direct sums, and by plans, which sort them for other uses."""
    sample = make_sample(op, CASE[name], real=op == "rnufft1")
    direct, sums, sorts = name == "2d-even-odd", [], []
    kept, sort = getattr(ops, f"direct_type{op[-1]}"), ops.sort
    monkeypatch.setattr(ops, f"direct_type{op[-1]}", lambda *args: sums.append(1) or kept(*args))
    monkeypatch.setattr(ops, "sort", lambda *args: sorts.append(1) or sort(*args))
    assert relative_error(sample(fs), sample.exact) <= (1e-14 if direct else 5e-12)
    assert (len(sums), len(sorts)) == ((1, 0) if direct else (0, 1))
    plan = fs.Plan(sample.x, sample.modes)
    assert relative_error(getattr(plan, op)(sample.data), sample.exact) <= (1e-14 if direct else 5e-12)
    assert (len(sums), len(sorts)) == ((2, 1) if direct else (0, 2))


@pytest.mark.parametrize("asked", ["direct", "gridding"])
def test_the_algorithm_asked_for_is_taken(asked):
    sample = make_sample("nufft1", CASE["2d-even-odd"])
    plan = fs.Plan(sample.x, sample.modes, eps=1e-3, algorithm=asked)
    error = relative_error(plan.nufft1(sample.data), sample.exact)
    assert error <= 1e-14 if asked == "direct" else 1e-6 < error <= 5e-3
    assert plan.algorithm == asked


@planners_algorithm
def test_a_plan_explains_both_ways():
    lines = fs.Plan(torch.rand(100, 2), (8, 8)).explain().splitlines()
    assert lines[1].startswith("algorithm  direct sums for real strengths, ") and "; by gridding " in lines[1]
    assert lines[2].strip().startswith("direct sums for complex strengths, ")
    assert lines[3].strip().startswith("direct sums for the loss, ")
    lines = fs.Plan(torch.rand(100_000, 2), (64, 64)).explain().splitlines()
    assert lines[1].startswith("algorithm  gridding for real strengths, ") and "; by direct sums " in lines[1]


@planners_algorithm
def test_points_that_stand_for_many_sets_are_summed_at_once(monkeypatch):
    x, c = torch.rand(5, 20, 1, dtype=torch.float64), torch.randn(5, 20, dtype=torch.complex128)
    kept, shapes = ops.direct_type1, []
    monkeypatch.setattr(ops, "direct_type1", lambda x, *rest: shapes.append(tuple(x.shape)) or kept(x, *rest))
    want = fs.reference.nufft1(x, c, 8)
    assert relative_error(torch.vmap(lambda x, c: fs.Plan(x, 8).nufft1(c))(x, c), want) <= 1e-14
    assert relative_error(torch.vmap(lambda x, c: fs.nufft1(x, c, 8))(x, c), want) <= 1e-14
    assert shapes == [(5, 20, 1)] * 2


@planners_algorithm
@pytest.mark.parametrize("op", ["nufft1", "nufft2"])
def test_points_that_are_not_finite_are_refused_by_direct_sums_too(op):
    x = torch.tensor([0.0, torch.inf])
    with pytest.raises(ValueError, match=r"x: had (non-finite|products with s of)"):
        fs.nufft1(x, torch.ones(2), 8) if op == "nufft1" else fs.nufft2(x, torch.ones(8))


@pytest.mark.parametrize("algorithm", ["direct", "gridding"], indirect=True)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.filterwarnings("ignore::fastspec.PeriodWarning")
def test_points_too_far_to_have_a_place_in_the_period_are_refused(dtype, algorithm):
    x, c = torch.tensor([[1e14, 0.0], [0.5, 1e14]], dtype=dtype), torch.ones(2, dtype=dtype)
    exact = fs.reference.nufft1(x.double(), c.double(), (8, 6), period=1.0)
    assert (fs.nufft1(x, c, (8, 6), period=1.0) - exact).norm() < 1e-5 * exact.norm()
    for far, period in ((x * 50, 1.0), (x, (1.0, 1e-3)), (x, (1.0, 1e-290)), (x / 0, 1.0)):
        with pytest.raises(ValueError, match="x: had non-finite points, or points 2.52 cells or turns from the origin"):
            fs.nufft1(far, c, (8, 6), period=period)
    with pytest.raises(ValueError, match="x: had non-finite points, or points 2.52"):
        fs.SpectralLoss((8, 6), x=x * 50, period=1.0)(c, 0 * c)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_phases_of_more_turns_than_can_be_told_are_refused(dtype):
    x, c, s = torch.rand(20, 2, dtype=dtype), torch.ones(20, dtype=dtype), torch.rand(7, 2, dtype=dtype)
    far = fs.nufft3(x * 3e4, c, s * 3e4)
    exact = fs.reference.nufft3((x * 3e4).double(), c.double(), (s * 3e4).double())
    assert (far - exact).norm() < 1e-5 * exact.norm()
    with pytest.raises(ValueError, match="x: had products with s of 2.52 turns or more, must be less"):
        fs.nufft3(x * 1e10, c, s * 1e10)


@planners_algorithm
def test_overrides_hold_within_and_nest():
    x = torch.rand(100, 2)

    def way():
        return fs.Plan(x, (8, 8)).choice.complex.name

    with fs.override(algorithm="gridding"):
        assert way() == "gridding"
        with fs.override(algorithm="direct", device="cuda"):
            assert way() == "direct"
        assert way() == "gridding"
    assert way() == "direct"
    with pytest.raises(ValueError, match="algorithm: was 'fft', must be one of"), fs.override(algorithm="fft"):
        pass


def test_unknown_algorithm_is_refused():
    with pytest.raises(ValueError, match="algorithm: was 'fft', must be 'auto', 'direct' or 'gridding'"):
        fs.Plan(torch.zeros(3), 4, algorithm="fft")


def test_explanation_is_of_the_plan_made_for_gradients_too():
    """Slopes alias ten times as much as values: of two plans for one eps, one has a wider window or a finer grid."""
    x = torch.rand(1000, 2)
    plain, sloping = (fs.Plan(points, (40, 50), eps=1e-4) for points in (x, x.clone().requires_grad_()))
    for plan, slopes in ((plain, False), (sloping, True)):
        choice = _C.choose_plan((40, 50), 1000, 1e-4, single=True, complex=False, slopes=slopes)
        assert (plan.choice.gridding.width, plan.choice.gridding.sigma) == (choice.width, choice.sigma)
        assert "eps 1e-04" in plan.explain() and f"{choice.error:.1e} expected" in plan.explain()
        assert f"of it {choice.rounding:.1e} rounding" in plan.explain()
    assert plain.choice.gridding[-2:] != sloping.choice.gridding[-2:]


def test_points_at_any_distance_that_is_not_refused_have_a_tile():
    """Up to 2^52 cells away, where whole periods and what is left meet."""
    x = torch.rand(3000, 2, dtype=torch.float64) * 10 ** torch.linspace(0, 14, 3000, dtype=torch.float64).unsqueeze(-1)
    before = _C.instruction_set()
    try:
        for level in _C.instruction_sets():
            _C.select_instruction_set(level)
            for data in (torch.ones(3000, dtype=torch.complex128), torch.ones(3000)):
                assert fs.Plan(x, (50, 41), algorithm="gridding").nufft1(data).isfinite().all()
    finally:
        _C.select_instruction_set(before)


def test_unknown_instruction_set_is_refused():
    with pytest.raises(ValueError, match=r"name: was sse9, must be generic, v3 or v4"):
        _C.select_instruction_set("sse9")
