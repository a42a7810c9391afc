"""Direct sums between points and a grid of modes: what tests of the transforms leave out of their kernels."""

import math

import pytest
import torch
from samples import relative_error, to_complex

import fastspec as fs
from fastspec._core import fallback, ops

TAU = 2 * math.pi
TOLERANCE = {torch.float32: 3e-6, torch.float64: 1e-14}
# more points than a block, than a chunk; more channels than a task; tables of all parities, and too long for a block
SHAPES = [
    ((1,), 3, 1, 1),
    ((2,), 40, 2, 1),
    ((21,), 700, 1, 1),
    ((1500,), 300, 1, 1),
    ((5, 12), 300, 2, 9),
    ((8, 1), 33, 1, 2),
    ((16, 16), 5000, 1, 1),
    ((3, 4, 5), 257, 3, 2),
    ((1, 6, 1), 20, 1, 1),
    ((6, 5, 4), 2100, 1, 5),
]


def numbers(modes, points, sets, channels, dtype, real):
    gen = torch.Generator().manual_seed(points)
    x = (torch.rand(sets, points, len(modes), generator=gen, dtype=torch.float64) - 0.5) * TAU
    kept = (*modes[:-1], modes[-1] // 2 + 1) if real else modes
    f = torch.randn(sets, channels, *kept, generator=gen, dtype=torch.complex128)
    c = torch.randn(sets, channels, points, generator=gen, dtype=torch.float64 if real else torch.complex128)
    return x.to(dtype), c.to(dtype if real else to_complex(dtype)), f.to(to_complex(dtype))


def exact(x, c, f, modes, real):
    """Type 1, type 2 and the gradient of Re sum conj(c) type2(f), in float64."""
    x, c = x.double().requires_grad_(), c.to(torch.promote_types(c.dtype, torch.float64))
    f = f.to(torch.complex128)
    if real:
        first, second = fs.reference.rnufft1(x, c, modes), fs.reference.rnufft2(x, f, modes)
    else:
        first, second = fs.reference.nufft1(x, c, modes), fs.reference.nufft2(x, f)
    (gradient,) = torch.autograd.grad((c.conj() * second).real.sum(), x)
    return first.detach(), second.detach(), gradient


def results(ops, x, c, f, modes, real):
    given = modes, [TAU] * len(modes), True
    first = ops.direct_type1(x, c, *given, -1)
    second = ops.direct_type2(x, f, *given, 1, real)
    values, gradient = ops.direct_type2_gradient(x, f, c, *given, 1, True)
    assert torch.equal(values, second)
    nothing, alone = ops.direct_type2_gradient(x, f, c, *given, 1, False)
    assert nothing.numel() == 0 and torch.equal(alone, gradient)
    return first, second, gradient


@pytest.mark.parametrize("real", [False, True], ids=["complex", "real"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_is_the_sum(shape, dtype, real, instruction_set, poisoned):
    modes = shape[0]
    x, c, f = numbers(*shape, dtype, real)
    wanted = exact(x, c, f, modes, real)
    largest = TOLERANCE[dtype] * max(1, max(modes) / 50)  # the reference's own phases have as many digits less
    for got, want in zip(results(ops, x, c, f, modes, real), wanted, strict=True):
        assert got.shape == want.shape
        assert relative_error(got, want) <= largest


@pytest.mark.parametrize("real", [False, True], ids=["complex", "real"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_plain_torch_gives_the_same(shape, dtype, real, monkeypatch):
    monkeypatch.setattr(fallback, "CHUNK", 1000)
    modes = shape[0]
    x, c, f = numbers(*shape, dtype, real)
    largest = TOLERANCE[dtype] * max(1, max(modes) / 50)  # as above
    for order in (True, False):
        given = modes, [1.7] * len(modes), order
        for op, args in (("direct_type1", (c, *given, -1)), ("direct_type2", (f, *given, 1, real))):
            assert relative_error(getattr(fallback, op)(x, *args), getattr(ops, op)(x, *args)) <= largest
        got, want = (module.direct_type2_gradient(x, f, c, *given, 1, True) for module in (fallback, ops))
        assert all(relative_error(g, w) <= largest for g, w in zip(got, want, strict=True))


@pytest.mark.parametrize("real", [False, True], ids=["complex", "real"])
def test_result_does_not_depend_on_the_number_of_threads(real, threads):
    x, c, f = numbers((12, 13), 9000, 2, 6, torch.float32, real)
    outcomes = []
    for count in (1, 2, 3):
        threads(count)
        outcomes.append(results(ops, x, c, f, (12, 13), real))
    for other in outcomes[1:]:
        assert all(torch.equal(g, w) for g, w in zip(other, outcomes[0], strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("period", [TAU, 0.3])
def test_points_many_periods_away_keep_their_digits(period, dtype, instruction_set):
    """Phases of 10,000 turns, for points whose distance in whole periods is exact."""
    gen = torch.Generator().manual_seed(0)
    near = torch.randint(-512, 512, (1, 200, 2), generator=gen).double() * (period / 1024)
    away = torch.randint(-300, 300, near.shape, generator=gen) * period
    x, c = (near + away).to(dtype), torch.randn(1, 1, 200, generator=gen, dtype=to_complex(dtype))
    got = ops.direct_type1(x, c, (64, 65), [period] * 2, True, -1)
    want = fs.reference.nufft1(x.double(), c.to(torch.complex128), (64, 65), period=period)
    assert relative_error(got, want) <= {torch.float32: 3e-6, torch.float64: 3e-12}[dtype]


def test_empty_calls():
    modes, periods = (4, 3), [TAU] * 2
    for sets, channels, points in ((0, 1, 5), (1, 0, 5), (2, 1, 0)):
        x, c, f = numbers(modes, points, sets, channels, torch.float64, False)
        first = ops.direct_type1(x, c, modes, periods, True, -1)
        assert first.shape == (sets, channels, *modes) and not first.any()
        assert ops.direct_type2(x, f, modes, periods, True, 1, False).shape == (sets, channels, points)
        gradient = ops.direct_type2_gradient(x, f, c, modes, periods, True, 1, False)[1]
        assert gradient.shape == (sets, points, 2) and (points == 0 or not gradient.any())


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"modes": (4,), "period": [TAU]}, "x: size 2 at axis 2"),
        ({"modes": (4, 0)}, "modes: was 0, must be at least 1"),
        ({"period": [TAU]}, "modes and period"),
        ({"sign": 2}, "sign: must be"),
        ({"x": torch.zeros(1, 5, 2)}, "x: must be of the data's precision, or float64"),
        ({"x": torch.zeros(2, 5, 2, dtype=torch.float64)}, "strengths: size 1 at axis 0"),
        ({"strengths": torch.zeros(1, 1, 4, dtype=torch.float64)}, "strengths: size 4 at axis 2"),
    ],
)
def test_wrong_calls_touch_no_memory(change, complaint):
    good = dict(
        x=torch.zeros(1, 5, 2, dtype=torch.float64),
        strengths=torch.zeros(1, 1, 5, dtype=torch.float64),
        modes=(4, 4),
        period=[TAU] * 2,
        centered=True,
        sign=-1,
    )
    assert ops.direct_type1(**good).shape == (1, 1, 4, 3)
    with pytest.raises((RuntimeError, ValueError), match=complaint):
        ops.direct_type1(**(good | change))


def test_float64_points_with_float32_data_are_summed_in_float32(gen):
    """From positions in float64, also far from the origin: transforms, gradients, the loss and its step."""
    x = (torch.rand(50, 2, generator=gen, dtype=torch.float64) * TAU + 1e5 * TAU).requires_grad_()
    near = (x.detach() - 1e5 * TAU).float()
    wide, pred, target = (torch.randn(50, generator=gen, dtype=torch.float64) for _ in range(3))
    plan = fs.Plan(x, (8, 9), algorithm="direct")
    held = plan.planned_for(torch.float32).points
    assert held.x.dtype == torch.float32 and held.exact.dtype == torch.float64
    single = plan.nufft1(wide.float())
    assert single.dtype == torch.complex64
    assert relative_error(single, plan.nufft1(wide)) <= 2e-6
    slopes = [torch.autograd.grad(plan.nufft1(c).abs().square().sum(), x)[0] for c in (wide.float(), wide)]
    assert slopes[0].dtype == torch.float64 and relative_error(*slopes) <= 5e-6
    for step in (None, "composed"):
        with fs.override(algorithm="direct", step=step):
            losses = []
            for kind in (torch.float32, torch.float64):
                given = pred.to(kind, copy=True).requires_grad_()
                value = fs.SpectralLoss((8, 9), x=x.detach())(given, target.to(kind))
                losses.append((value, *torch.autograd.grad(value, given)))
            assert losses[0][0].dtype == torch.float32
            for got, want in zip(*losses, strict=True):
                assert relative_error(got, want) <= 2e-6
    rounded = fs.nufft1(near, wide.float(), (8, 9))  # in float32 the points themselves lose nothing near the origin
    assert relative_error(single, rounded) <= 1e-4
