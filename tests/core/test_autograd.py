"""Derivatives of the transforms in strengths and points: to second order, accurate at every eps, under torch.func."""

from functools import cache, partial

import pytest
import torch
from samples import CASE, OPS, Case, ThroughPlan, both_algorithms, double, make_sample, relative_error
from torch.autograd import gradcheck, gradgradcheck

import fastspec as fs

TINY = (
    Case("tiny-1d-even", (6,), m=4, flat=True),
    Case("tiny-1d-odd-fft", (5,), m=3, options={"order": "fft", "period": 0.8}),
    Case("tiny-2d", (4, 3), m=3, rows=(2,), options={"period": (2.0, 0.5)}),
    Case("tiny-2d-sets", (3, 4), m=3, sets=2),
    Case("tiny-3d", (2, 3, 4), m=3),
)
# gradgradcheck on complex inputs makes four numerical passes a number, so it gets the smallest of each kind.
SMALLEST = (
    Case("smallest-1d", (4,), m=3),
    Case("smallest-2d-sets", (3, 2), m=2, sets=2, options={"period": 3.0}),
    Case("smallest-3d", (2, 1, 3), m=2),
)
POINT_CASES = (
    CASE["1d-large"],
    CASE["1d-large-clustered"],
    CASE["2d-large"],
    CASE["2d-periods"],
    CASE["3d-large"],
    CASE["2d-sets-of-rows"],
)

VARIES = {"cpu": 0.0, "cuda": 1e-12}  # atomic sums come in any order

by_id = partial(pytest.mark.parametrize, ids=lambda case: case.id)


def leaves(sample):
    return sample.x.clone().requires_grad_(), sample.data.clone().requires_grad_()


@both_algorithms
@pytest.mark.parametrize("op", OPS)
@by_id("case", TINY)
def test_gradcheck(op, case, device):
    sample = make_sample(op, case, real=op == "rnufft1").on(device)
    assert gradcheck(sample.function(fs), leaves(sample), nondet_tol=VARIES[device])
    assert gradcheck(sample.function(ThroughPlan), leaves(sample), nondet_tol=VARIES[device])


@both_algorithms
@pytest.mark.parametrize("op", OPS)
@by_id("case", SMALLEST)
def test_gradgradcheck(op, case, device):
    sample = make_sample(op, case, real=op == "rnufft1").on(device)
    options = {"gen_non_contig_grad_outputs": True, "nondet_tol": VARIES[device]}
    assert gradgradcheck(sample.function(fs), leaves(sample), **options)


@both_algorithms
@pytest.mark.parametrize("op", ["nufft1", "nufft2"])
def test_real_strengths_have_real_gradients(op):
    sample = make_sample(op, TINY[0], real=True)
    assert gradcheck(sample.function(fs), leaves(sample))
    assert gradgradcheck(sample.function(fs), leaves(sample))


@both_algorithms
@pytest.mark.parametrize(("dtype", "eps"), [(torch.float32, 1e-3), (torch.float32, 1e-6), (torch.float64, 1e-9)])
@pytest.mark.parametrize("op", OPS)
@by_id("case", POINT_CASES)
def test_gradients_keep_the_accuracy_of_the_transform(op, case, dtype, eps, device):
    sample = make_sample(op, case, dtype, real=op == "rnufft1").on(device)
    got_x, got_data = first_derivatives(sample.function(fs, eps=eps), sample.x, sample.data)
    want_x, want_data = exact_derivatives(op, case, dtype)
    assert relative_error(got_data.cpu(), want_data) <= 5 * eps
    assert relative_error(got_x.cpu(), want_x) <= 5 * eps


@cache
def exact_derivatives(op, case, dtype):
    sample = make_sample(op, case, dtype, real=op == "rnufft1")
    return first_derivatives(
        sample.function(fs.reference), sample.x.double(), sample.data.to(double(sample.data.dtype))
    )


def first_derivatives(function, x, data):
    """Gradients of a linear functional of the output."""
    x, data = x.clone().requires_grad_(), data.clone().requires_grad_()
    return torch.autograd.grad(project(function(x, data)), (x, data))


def project(out):
    """A fixed linear functional; its weights are as good as random, so that no sum cancels to a small number."""
    probe = (1.7 * torch.arange(out.numel(), dtype=torch.float64) ** 2).sin().reshape(out.shape).to(out.real)
    return (out.real * probe).sum() + (out.imag * probe.flip(-1)).sum() if out.is_complex() else (out * probe).sum()


@both_algorithms
@pytest.mark.parametrize("op", OPS)
@by_id("case", [CASE["1d-no-points"], CASE["2d-one-point"], CASE["3d-no-points"], CASE["2d-narrow"]])
def test_gradients_of_degenerate_sizes(op, case):
    sample = make_sample(op, case, real=op == "rnufft1")
    pairs = (first_derivatives(sample.function(module), sample.x, sample.data) for module in (fs, fs.reference))
    for got, want in zip(*pairs, strict=True):
        assert got.shape == want.shape
        assert relative_error(got, want) <= 1e-11


@both_algorithms
@pytest.mark.parametrize("op", OPS)
def test_only_the_gradients_asked_for_are_made(op):
    sample = make_sample(op, CASE["2d-odd-even"], real=op == "rnufft1")
    x, data = leaves(sample)
    assert not sample(fs).requires_grad
    (alone,) = torch.autograd.grad(project(sample(fs, data=data)), data)
    _, both = torch.autograd.grad(project(sample(fs, x, data)), (x, data))
    assert relative_error(alone, both) <= 5e-12


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("op", OPS)
@by_id("case", [CASE["1d-odd"], CASE["2d-rows"], CASE["3d-sets"], Case("1d-dense", (20,), m=900)])
def test_point_gradient_on_every_instruction_set(op, case, dtype, instruction_set):
    """In one op, and by way of slopes where it is to be differentiated again."""
    sample = make_sample(op, case, dtype, real=op == "rnufft1")
    exact = first_derivatives(sample.function(fs.reference), sample.folded, sample.data.to(double(sample.data.dtype)))
    eps = 1e-5 if dtype == torch.float32 else 1e-11
    for again in (False, True):
        x, data = sample.x.clone().requires_grad_(), sample.data.clone().requires_grad_()
        got = torch.autograd.grad(project(sample(fs, x, data, eps=eps)), (x, data), create_graph=again)
        assert all(relative_error(g.detach(), w) <= 10 * eps for g, w in zip(got, exact, strict=True))


@both_algorithms
@pytest.mark.parametrize("op", OPS)
def test_gradient_reaches_through_a_plan_to_its_points(op):
    sample = make_sample(op, CASE["2d-periods"], real=op == "rnufft1")
    got = first_derivatives(sample.function(ThroughPlan, eps=1e-12), sample.x, sample.data)
    want = first_derivatives(sample.function(fs.reference), sample.x, sample.data)
    assert all(relative_error(g, w) <= 1e-11 for g, w in zip(got, want, strict=True))


@both_algorithms
@pytest.mark.parametrize("op", OPS)
def test_hessian_vector_product(op):
    """Second derivatives at a size where the grids are real, by differentiating a gradient twice."""
    sample = make_sample(op, CASE["2d-large"], real=op == "rnufft1")
    got, want = (hessian_vector(sample.function(m), sample.x, sample.data) for m in (fs, fs.reference))
    assert all(relative_error(g, w) <= 1e-9 for g, w in zip(got, want, strict=True))


def hessian_vector(function, x, data):
    x, data = x.clone().requires_grad_(), data.clone().requires_grad_()
    first = torch.autograd.grad(project(function(x, data)), (x, data), create_graph=True)
    return torch.autograd.grad(sum(project(g) for g in first), (x, data))


@both_algorithms
@pytest.mark.parametrize("op", OPS)
def test_func_grad(op):
    sample = make_sample(op, CASE["2d-odd-even"], real=op == "rnufft1")
    for argnums in (0, 1):
        got, want = (
            torch.func.grad(lambda *a, m=m: project(sample(m, *a)), argnums)(sample.x, sample.data)
            for m in (fs, fs.reference)
        )
        assert relative_error(got, want) <= 1e-10


@both_algorithms
@pytest.mark.parametrize("op", OPS)
def test_func_jacrev(op):
    sample = make_sample(op, TINY[3], real=True) if op == "rnufft1" else make_sample(op, TINY[0])
    out = [
        torch.func.jacrev(lambda x, m=m: torch.view_as_real(sample(m, x) + 0j))(sample.x) for m in (fs, fs.reference)
    ]
    assert relative_error(out[0], out[1]) <= 1e-10


@both_algorithms
@pytest.mark.parametrize("dims", [(None, 0), (0, None), (0, 0), (1, -1)], ids=str)
@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("module", [fs, ThroughPlan], ids=["function", "plan"])
def test_vmap(op, module, dims):
    one = make_sample(op, CASE["2d-odd-even"], real=op == "rnufft1")
    calls = [(one.x * (1 + i), one.data * (i - 2)) for i in range(3)]
    points, data = (
        tensors[:1] * 3 if dim is None else tensors for tensors, dim in zip(zip(*calls, strict=True), dims, strict=True)
    )
    want = torch.stack([one(fs.reference, *call) for call in zip(points, data, strict=True)])
    stacked = (t[0] if dim is None else torch.stack(t, dim) for t, dim in zip((points, data), dims, strict=True))
    got = torch.vmap(one.function(module), in_dims=dims)(*stacked)
    assert relative_error(got, want) <= 1e-11


@both_algorithms
@pytest.mark.parametrize("op", OPS)
def test_vmap_of_grad_is_per_sample_gradients(op):
    one = make_sample(op, CASE["1d-odd"], real=op == "rnufft1")
    x = torch.stack([one.x, one.x + 0.1])
    got, want = (torch.vmap(torch.func.grad(lambda x, m=m: project(one(m, x))))(x) for m in (fs, fs.reference))
    assert relative_error(got, want) <= 1e-10


@both_algorithms
@pytest.mark.parametrize("op", OPS)
def test_vmap_within_vmap(op):
    one = make_sample(op, CASE["1d-odd"], real=op == "rnufft1")
    x = torch.stack([one.x, 2 * one.x])
    data = torch.stack([one.data, 3 * one.data, -one.data])
    got, want = (torch.vmap(lambda x, m=m: torch.vmap(lambda c: one(m, x, c))(data))(x) for m in (fs, fs.reference))
    assert relative_error(got, want) <= 1e-11


@both_algorithms
@pytest.mark.parametrize("argument", ["points", "strengths"])
@pytest.mark.parametrize("op", OPS)
def test_forward_mode_is_right_or_refused(op, argument):
    sample = make_sample(op, CASE["2d-odd-even"], real=op == "rnufft1")
    place = ("points", "strengths").index(argument)
    inputs = [sample.x, sample.data]
    tangent = torch.cos(inputs[place].flatten()).reshape(inputs[place].shape)

    def along(module):
        def function(moved):
            return sample(module, *(moved if i == place else t for i, t in enumerate(inputs)))

        return torch.func.jvp(function, (inputs[place],), (tangent,))[1]

    try:
        got = along(fs)
    except (NotImplementedError, RuntimeError) as refusal:
        assert "forward" in str(refusal)
    else:
        assert relative_error(got, along(fs.reference)) <= 1e-10


@pytest.mark.parametrize("algorithm", ["gridding", "direct"])
@pytest.mark.parametrize(("dtype", "eps"), [(torch.float32, 1e-3), (torch.float32, 1e-6), (torch.float64, 1e-12)])
@pytest.mark.parametrize("modes", [(200,), (15, 16), (7, 8, 9)], ids=str)
def test_forward_mode_in_points_meets_eps(modes, dtype, eps, algorithm, gen):
    """Slopes are planned for wherever a tangent flows to the points, by a function or by a plan."""
    x, tangent = (torch.randn(200, len(modes), generator=gen, dtype=torch.float64).to(dtype) for _ in range(2))
    for op in OPS:
        paired = dtype.to_complex()
        shape = (*modes[:-1], modes[-1] // 2 + 1) if op == "rnufft2" else modes if op == "nufft2" else (200,)
        data = torch.randn(shape, generator=gen, dtype=dtype if op == "rnufft1" else paired)
        more = () if op == "nufft2" else (modes,)
        with fs.override(algorithm=algorithm):
            by_function = torch.func.jvp(lambda x: getattr(fs, op)(x, data, *more, eps=eps), (x,), (tangent,))[1]  # noqa: B023
            by_plan = torch.func.jvp(lambda x: getattr(fs.Plan(x, modes, eps=eps), op)(data), (x,), (tangent,))[1]  # noqa: B023
        exact = data.to(torch.promote_types(data.dtype, torch.float64))
        want = torch.func.jvp(
            lambda x: getattr(fs.reference, op)(x, exact, *more),  # noqa: B023
            (x.double(),),
            (tangent.double(),),
        )[1]
        assert relative_error(by_function, want) <= 2 * eps
        assert relative_error(by_plan, want) <= 2 * eps
