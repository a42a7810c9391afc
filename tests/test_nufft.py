"""The transforms against direct sums in float64, and the laws they must obey whatever the sums are."""

import itertools

import pytest
import torch
from samples import (
    CASE,
    OPS,
    SMALL,
    TAU,
    Case,
    ThroughPlan,
    both_algorithms,
    make_sample,
    relative_error,
    samples,
    to_complex,
)

import fastspec as fs
from fastspec._core import ops
from fastspec._core.modes import axis_wavenumbers

FLOAT32_EPS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
FLOAT64_EPS = tuple(10.0**-n for n in range(2, 14))
LADDER = ("1d-large", "1d-large-clustered", "2d-large", "2d-large-rows", "3d-large", "3d-large-clustered")


@both_algorithms
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize(("op", "case", "real", "sign"), samples())
def test_matches_direct_sums_at_default_eps(op, case, real, sign, dtype, device, poisoned):
    sample = make_sample(op, case, dtype, real, sign).on(device)
    eps = {torch.float32: 1e-6, torch.float64: 1e-12}[dtype]
    for module in (fs, ThroughPlan):
        got = sample(module)
        assert got.shape == sample.exact.shape
        assert got.dtype == (dtype if op == "rnufft2" else to_complex(dtype))
        assert relative_error(got, sample.exact) <= 2 * eps


@pytest.mark.parametrize(
    ("dtype", "eps"), [(torch.float32, e) for e in FLOAT32_EPS] + [(torch.float64, e) for e in FLOAT64_EPS]
)
@pytest.mark.parametrize("case", [CASE[name] for name in LADDER], ids=LADDER)
@pytest.mark.parametrize("op", OPS)
def test_error_is_within_two_eps(op, case, dtype, eps, device, poisoned):
    sample = make_sample(op, case, dtype, real=op == "rnufft1").on(device)
    assert relative_error(sample(fs, eps=eps), sample.exact) <= 2 * eps


@both_algorithms
@pytest.mark.parametrize("op", OPS)
def test_points_are_folded_and_scaled_in_float64(op, gen):
    """Scaling in float32 would cost N * 6e-8 of accuracy, and folding there the digits of the shift."""
    case = Case("float32-far", (2000,), m=500)
    sample = make_sample(op, case, torch.float32, real=op == "rnufft1")
    x = sample.x + 1000 * torch.randn(sample.x.shape, generator=gen)
    exact = sample(fs.reference, x.double(), sample.data.to(torch.complex128))
    assert relative_error(sample(fs, x), exact) <= 5e-6


@both_algorithms
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("op", OPS)
def test_points_on_the_seam_of_the_box(op, dtype, device):
    """Where folding by floor may return the period itself, one past the last cell."""
    sample = make_sample(op, Case("seam", (40,), m=9), dtype, real=op == "rnufft1")
    half = torch.tensor(TAU / 2, dtype=dtype)
    x = torch.tensor([0.0, -0.0, -1e-30, -1e-17, 1e-30, 0, 0, 0, 0], dtype=dtype)
    x[5:] = torch.stack([half, -half, 2 * half, torch.nextafter(2 * half, half)])
    exact = sample(fs.reference, x.double(), sample.data.to(torch.complex128))
    assert relative_error(sample(fs, x.to(device), sample.data.to(device)).cpu(), exact) <= (
        5e-6 if dtype == torch.float32 else 5e-12
    )


@pytest.mark.parametrize("eps", [1e-2, 1e-5, 1e-9])
@pytest.mark.parametrize("case", [CASE[name] for name in ("1d-large", "2d-large", "3d-large")], ids=lambda c: c.id)
def test_types_1_and_2_are_adjoint_to_rounding(case, eps, device):
    first, second = (make_sample(op, case).on(device) for op in ("nufft1", "nufft2"))
    strengths, modes = (first.data, second.data[0]) if case.rows else (first.data, second.data)
    plan = fs.Plan(first.x, case.modes, eps=eps)
    left = torch.vdot(modes.flatten(), plan.nufft1(strengths.reshape(-1, case.m)[0]).flatten())
    right = torch.vdot(plan.nufft2(modes), strengths.reshape(-1, case.m)[0])
    assert abs(left - right) <= 1e-12 * abs(left)


@both_algorithms
@pytest.mark.parametrize("eps", [1e-2, 1e-9])
@pytest.mark.parametrize("case", [CASE[name] for name in ("1d-odd", "2d-even-odd", "3d-large")], ids=lambda c: c.id)
def test_real_types_are_adjoint_to_rounding(case, eps, device):
    """<rnufft1(c), m f> = <c, rnufft2(f)> over the half grid as a real space, with rnufft2's weights m."""
    first, second = make_sample("rnufft1", case, real=True).on(device), make_sample("rnufft2", case).on(device)
    plan = fs.Plan(first.x, case.modes, eps=eps)
    weight = torch.full((second.data.shape[-1],), 2.0, dtype=torch.float64, device=device)
    weight[0] = 1
    if case.modes[-1] % 2 == 0:
        weight[-1] = 1
    left = (plan.rnufft1(first.data).conj() * weight * second.data).real.sum()
    right = first.data @ plan.rnufft2(second.data)
    assert abs(left - right) <= 1e-12 * abs(left)


@pytest.mark.parametrize("case", [CASE["1d-even"], CASE["2d-odd-even"], CASE["3d-even-odd"]], ids=lambda c: c.id)
def test_half_spectrum_is_half_of_the_spectrum(case):
    sample = make_sample("rnufft1", case, real=True)
    half = fs.rnufft1(sample.x, sample.data, case.modes, order="fft", eps=1e-12)
    full = fs.nufft1(sample.x, sample.data, case.modes, order="fft", eps=1e-12)
    kept = (case.modes[-1] + 1) // 2
    assert relative_error(half[..., :kept], full[..., :kept]) <= 1e-11


@pytest.mark.parametrize("order", ["centered", "fft"])
@pytest.mark.parametrize("modes", [5, (6,), (4, 3), (2, 3, 4)], ids=str)
def test_plan_knows_its_wavenumbers(modes, order):
    shape = (modes,) if isinstance(modes, int) else modes
    k = fs.Plan(torch.zeros(1, len(shape)), modes, order=order).k
    axes = [fs.reference.wavenumbers(n, order) for n in shape]
    assert torch.equal(k.round().long(), torch.stack(torch.meshgrid(*axes, indexing="ij"), -1))


@pytest.mark.parametrize("op", OPS)
def test_a_plan_is_used_many_times(op):
    """Held state must not leak from one call into the next."""
    sample = make_sample(op, CASE["2d-large"], real=op == "rnufft1")
    plan = fs.Plan(sample.x, sample.modes)
    call = getattr(plan, op)
    once = call(sample.data)
    call(2 * sample.data)
    assert torch.equal(call(sample.data), once)


@both_algorithms
def test_a_plan_survives_pickling_and_copying(tmp_path):
    sample = make_sample("nufft1", CASE["2d-even-odd"])
    plan = fs.Plan(sample.x, sample.modes)
    torch.save(plan, tmp_path / "plan.pt")
    loaded = torch.load(tmp_path / "plan.pt", weights_only=False)
    assert torch.equal(loaded.nufft1(sample.data), plan.nufft1(sample.data))


def _replaced(plan):
    plan.x.data = plan.x.data * 0.5


@pytest.mark.parametrize("parameter", [False, True], ids=["buffer", "parameter"])
@pytest.mark.parametrize(
    "change",
    [lambda plan: plan.float(), lambda plan: plan._apply(lambda t: 0.5 * t), _replaced],
    ids=["float", "apply", "data"],
)
def test_a_plan_whose_points_are_replaced_sorts_them_anew(change, parameter, gen):
    """A parameter whose data are replaced stays the same object, of the same version."""
    x = torch.rand(100, generator=gen, dtype=torch.float64)
    c = torch.randn(100, generator=gen)
    plan = fs.Plan(torch.nn.Parameter(x) if parameter else x, 20_000, eps=1e-5, algorithm="gridding")
    plan.rnufft1(c)
    change(plan)
    k = torch.arange(9000, 9010)
    want = torch.exp(-1j * k * plan.x.detach().double()[:, None]).T @ c.to(torch.complex128)
    assert relative_error(plan.rnufft1(c)[k], want) <= 2e-5


@pytest.mark.parametrize(("dtype", "eps"), [(torch.float32, 1e-4), (torch.float64, 1e-6), (torch.float64, 1e-12)])
def test_points_that_come_to_require_a_gradient_get_a_window_for_slopes(dtype, eps, gen):
    x, f = torch.rand(300, generator=gen, dtype=dtype) * 6, torch.randn(200, generator=gen, dtype=torch.complex128)
    plan = fs.Plan(x, 200, eps=eps, algorithm="gridding")
    plan.x.requires_grad_()
    exact = x.detach().double().requires_grad_()
    (got,) = torch.autograd.grad(plan.nufft2(f.to(dtype.to_complex())).abs().square().sum(), plan.x)
    (want,) = torch.autograd.grad(fs.reference.nufft2(exact, f).abs().square().sum(), exact)
    assert relative_error(got, want) <= 2 * eps


# Enough points that sorting is shared among threads too, and few enough modes that torch's FFT sums a single 1-D line
# in one order: MKL does not above a thousand cells.
MANY = (
    Case("1d-many", (500,), m=60_000),
    Case("2d-many-clustered", (200, 151), m=60_000, points="clustered"),
    Case("3d-many-rows", (40, 31, 24), m=30_000, rows=(2,)),
    Case("2d-many-sets", (90, 64), m=10_000, sets=3),
)


@pytest.mark.parametrize("case", MANY, ids=lambda case: case.id)
@pytest.mark.parametrize("op", OPS)
def test_result_is_the_same_for_any_number_of_threads(op, case, threads):
    sample = make_sample(op, case, torch.float32, real=op == "rnufft1")
    results = []
    for count in (1, 2, 3):
        threads(count)
        x = sample.x.clone().requires_grad_()
        out = sample(fs, x)
        results.append((out.detach(), *torch.autograd.grad(out.abs().square().sum(), x)))
    for got in results[1:]:
        assert all(torch.equal(g, w) for g, w in zip(got, results[0], strict=True))


# Lines of as many cells as MKL sums in other orders on several threads.
LINES = Case("1d-line", (12_000,), m=300), Case("1d-short-line", (5_500,), m=300), Case("3d", (20, 18, 16), m=300)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", LINES, ids=lambda case: case.id)
def test_deterministic_algorithms_give_the_same_bits_for_any_number_of_threads(case, dtype, threads, monkeypatch):
    # the switch itself imports torch's compiler, for seconds
    monkeypatch.setattr(torch, "are_deterministic_algorithms_enabled", lambda: True)
    results = []
    for count in (1, 2, 3, 4, 8):
        threads(count)
        found = []
        for op in OPS:
            sample = make_sample(op, case, dtype, real=op == "rnufft1")
            found.append(sample(fs))
        pred = sample.x[..., 0].clone().requires_grad_() if sample.x.ndim == 2 else sample.x.clone().requires_grad_()
        loss = fs.SpectralLoss(case.modes, x=sample.x)(pred, torch.zeros_like(pred))
        results.append((*found, loss.detach(), *torch.autograd.grad(loss, pred)))
    assert torch.get_num_threads() == 8
    for got in results[1:]:
        assert all(torch.equal(g, w) for g, w in zip(got, results[0], strict=True))


@pytest.mark.parametrize(("dtype", "eps"), [(torch.float32, 1e-4), (torch.float32, 1e-6), (torch.float64, 1e-12)])
@pytest.mark.parametrize("op", OPS)
def test_every_instruction_set_of_this_processor(op, dtype, eps, instruction_set, poisoned):
    for name in LADDER:
        sample = make_sample(op, CASE[name], dtype, real=op == "rnufft1")
        assert relative_error(sample(fs, eps=eps), sample.exact) <= 2 * eps


@both_algorithms
@pytest.mark.parametrize("case", [CASE["2d-rows"], CASE["3d-even-odd"], CASE["2d-sets-of-rows"]], ids=lambda c: c.id)
@pytest.mark.parametrize("op", OPS)
def test_strides_do_not_matter(op, case):
    sample = make_sample(op, case, real=op == "rnufft1")
    x, data = (_transposed_in_memory(t) for t in (sample.x, sample.data))
    assert torch.equal(sample(fs, x, data), sample(fs))
    wide = torch.stack([sample.data, torch.full_like(sample.data, torch.nan)], -1)
    assert torch.equal(sample(fs, data=wide[..., 0]), sample(fs))


def _transposed_in_memory(t: torch.Tensor) -> torch.Tensor:
    axes = list(reversed(range(t.ndim)))
    return t.permute(axes).contiguous().permute(axes)


@both_algorithms
@pytest.mark.parametrize("op", ["nufft1", "nufft2"])
def test_lazily_conjugated_input_is_resolved(op):
    sample = make_sample(op, CASE["2d-odd-even"])
    assert torch.equal(sample(fs, data=sample.data.conj()), sample(fs, data=sample.data.conj().resolve_conj()))


@pytest.mark.parametrize("op", OPS)
def test_inputs_are_left_as_they_were(op):
    sample = make_sample(op, CASE["1d-far"], real=op == "rnufft1")
    x, data = sample.x.clone(), sample.data.clone()
    sample(fs)
    assert torch.equal(x, sample.x)
    assert torch.equal(data, sample.data)


@pytest.mark.parametrize("case", [c for c in SMALL if c.rows or c.sets], ids=lambda c: c.id)
@pytest.mark.parametrize("op", OPS)
def test_rows_are_transformed_one_by_one(op, case):
    sample = make_sample(op, case, real=op == "rnufft1")
    together = sample(fs)
    for i in range(sample.data.shape[0]):
        alone = sample(fs, sample.x[i] if case.sets else sample.x, sample.data[i])
        assert relative_error(together[i], alone) <= 1e-14


HALF_OUTPUTS = [
    ("nufft1", torch.float16, torch.complex32),
    ("nufft1", torch.bfloat16, torch.complex64),
    ("nufft2", torch.float16, torch.complex32),
    ("rnufft1", torch.float16, torch.complex32),
    ("rnufft1", torch.bfloat16, torch.complex64),
    ("rnufft2", torch.complex32, torch.float16),
]


@both_algorithms
@pytest.mark.parametrize(("op", "given", "returned"), HALF_OUTPUTS, ids=str)
@pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental")
def test_half_precision_is_computed_in_float32(op, given, returned):
    """bfloat16, which has no complex type, has complex64 for one."""
    sample = make_sample(op, CASE["1d-odd"], torch.float32, real=not given.is_complex)
    x = sample.x.to(given.to_real())
    got = sample(fs, x, sample.data.to(given))
    in_float32 = sample(fs, x.float(), sample.data.to(given).to(sample.data.dtype))
    assert got.dtype == returned
    assert torch.equal(got.to(in_float32.dtype), in_float32.to(returned).to(in_float32.dtype))


def to_single(dtype):
    return torch.complex64 if dtype.is_complex else torch.float32


@both_algorithms
@pytest.mark.parametrize(("op", "real"), [("nufft1", True), ("nufft2", False), ("rnufft1", True), ("rnufft2", False)])
def test_precision_is_that_of_the_data(op, real):
    """Coordinates in float64 keep their digits beside float32 strengths, also far from the origin."""
    sample = make_sample(op, CASE["2d-odd-even"], torch.float64, real=real)
    narrow = sample.data.to(torch.float32 if real else torch.complex64)
    wide = sample(fs, data=narrow.to(sample.data.dtype))
    for module in (fs, ThroughPlan):
        single = sample(module, sample.x + 1e4 * TAU, narrow)
        assert single.dtype == to_single(wide.dtype)
        assert relative_error(single, wide) <= 2e-6
    mixed = sample(fs, sample.x.float(), sample.data)
    assert mixed.dtype == wide.dtype
    assert relative_error(mixed, sample(fs.reference, sample.x.float().double())) <= 5e-12


def test_period_default_is_two_pi():
    sample = make_sample("nufft1", CASE["1d-odd"])
    assert torch.equal(sample(fs), sample(fs, period=TAU))


# square, oblong, prime and power-of-two lengths, short ones for torch's FFT and long ones that go in blocks
PRIME = 262_147
LINES = (6, 211, 97 * 89, 2**12, 2**4 * 3**3 * 5**4, 97 * 89 * 31, PRIME, 2**18)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128], ids=str)
@pytest.mark.parametrize("n", LINES)
def test_fft_and_deconvolution_of_lines(n, dtype, instruction_set):
    """All, most and few of their wavenumbers, in both orders; of a long prime, which takes its time, half of them."""
    wide, eps = torch.complex128, 1e-6 if dtype == torch.complex64 else 1e-14
    grid = torch.randn(2, n, dtype=dtype)
    spectrum = torch.fft.fft(grid.to(wide))
    counts = (n // 2,) if n == PRIME else (1, 3, n // 2, n // 2 + 1, n - 1, n)
    for count, centered in itertools.product(counts, (True, False)):
        factors, band = torch.rand(count, dtype=dtype.to_real()) + 0.5, ([count // 2], centered)
        k = axis_wavenumbers(count, centered)
        got = ops.grid_to_modes(grid, factors, [count], *band, -1)
        assert relative_error(got, spectrum[:, k] * factors) <= eps
        modes = torch.randn(2, count, dtype=dtype)
        padded = torch.zeros(2, n, dtype=wide)
        padded[:, k] = modes * factors.double()
        want = torch.fft.ifft(padded, norm="forward")
        assert relative_error(ops.modes_to_grid(modes, factors, [n], *band, 1), want) <= eps


def test_a_transform_with_a_long_line():
    """The grid is long enough for the FFT in blocks, and few wavenumbers are compared."""
    x, c = torch.rand(500, dtype=torch.float64), torch.randn(500, dtype=torch.complex128)
    modes, k = 300_000, torch.tensor([-150_000, -77_777, 0, 1, 31_415, 149_999])
    exact = (c * torch.exp(-1j * k[:, None] * x)).sum(-1)
    f = torch.zeros(modes, dtype=torch.complex128)
    f[k + modes // 2] = 1.0
    assert relative_error(fs.nufft1(x, c, modes)[k + modes // 2], exact) <= 1e-10
    assert relative_error(fs.nufft2(x, f), torch.exp(1j * k[:, None] * x).sum(0)) <= 1e-10
