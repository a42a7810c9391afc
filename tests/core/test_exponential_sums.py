"""Type 3 against direct sums in float64, its derivatives, and the loss on frequencies."""

import itertools
import math
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from samples import double, relative_error, to_complex
from torch.autograd import gradcheck, gradgradcheck

import fastspec as fs
from fastspec._core import fallback, ops
from fastspec._core.exponential_sums import exponential_sums

FLOAT32_ERROR, FLOAT64_ERROR = 3e-6, 1e-13
ROUNDING = {torch.float32: FLOAT32_ERROR, torch.float64: FLOAT64_ERROR}


@dataclass(frozen=True)
class Case:
    """Sizes that leave remainders of lanes, of the four inputs met together, of blocks, and of chunks."""

    m: int
    k: int
    d: int
    rows: int = 1


CASES = (
    Case(1, 1, 1),
    Case(37, 18, 1),
    Case(131, 33, 2, 3),
    Case(259, 70, 3, 2),
    Case(64, 5, 8),
    Case(30, 40, 20, 5),
    Case(5000, 7, 2),  # in chunks
    Case(7, 1100, 3),  # tiles in groups
    Case(0, 4, 2, 2),
    Case(4, 0, 2),
)


def sample(case: Case, dtype=torch.float64, complex=False, span=3.0):
    gen = torch.Generator().manual_seed(case.m + 10 * case.k + case.d)
    x, s = (span * torch.randn(n, case.d, generator=gen, dtype=torch.float64).to(dtype) for n in (case.m, case.k))
    c = torch.randn(case.rows, case.m, generator=gen, dtype=torch.complex128 if complex else torch.float64)
    return x, c.to(to_complex(dtype) if complex else dtype), s


def exact(x, c, s, sign=-1):
    return fs.reference.nufft3(x.double(), c.to(double(c.dtype)), s.double(), sign=sign)


@pytest.mark.parametrize("complex", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_matches_direct_sums(case, dtype, complex, instruction_set, poisoned):
    x, c, s = sample(case, dtype, complex)
    for sign in (-1, 1):
        got, want = fs.nufft3(x, c, s, sign=sign), exact(x, c, s, sign)
        assert got.shape == want.shape and got.dtype == to_complex(dtype)
        assert relative_error(got, want) <= ROUNDING[dtype]
        real = exponential_sums(x, c, s, sign, real=True)
        assert real.dtype == dtype
        assert relative_error(real, want.real) <= ROUNDING[dtype]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_phases_of_thousands_of_radians(dtype, instruction_set):
    """The exact sum in extended precision: at 10^4 radians float64 itself is off by 10^-12."""
    gen = torch.Generator().manual_seed(0)
    x = 100 * torch.rand(300, 2, generator=gen, dtype=torch.float64).to(dtype)
    s = 140 * torch.rand(40, 2, generator=gen, dtype=torch.float64).to(dtype) - 70
    c = torch.randn(2, 300, generator=gen, dtype=torch.float64).to(dtype)
    wide_x, wide_s, wide_c = (t.double().numpy().astype(np.longdouble) for t in (x, s, c))
    phase = wide_s @ wide_x.T
    assert np.abs(phase).max() > 1e4
    want = wide_c @ np.cos(phase).T - 1j * (wide_c @ np.sin(phase).T)
    got = fs.nufft3(x, c, s).numpy()
    error = float(np.linalg.norm(got - want) / np.linalg.norm(want))
    assert error <= (5e-7 if dtype == torch.float32 else 2e-15)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_sine_and_cosine_are_within_seven_ulps_of_one(dtype, instruction_set):
    """One point, one strength of 1: the exponential alone."""
    x = torch.ones(1, 1, dtype=dtype)
    s = torch.cat([torch.linspace(-20, 20, 100_001, dtype=torch.float64), torch.arange(-40, 41) * math.pi / 4]).to(
        dtype
    )
    got = fs.nufft3(x, torch.ones(1, dtype=dtype), s, sign=1)
    wide = s.double().numpy().astype(np.longdouble)
    for part, want in ((got.real, np.cos(wide)), (got.imag, np.sin(wide))):
        assert np.abs(part.numpy() - want).max() <= 7 * torch.finfo(dtype).eps


def test_long_sums_in_float32_keep_their_digits():
    """A million equal terms: a running sum in float32 would be off by 10^-3."""
    x = torch.full((1_000_000, 1), 0.3)
    got = fs.nufft3(x, torch.full((1_000_000,), 0.1), torch.tensor([1.0, 2.0]))
    want = 1e6 * torch.tensor(0.1).double() * torch.exp(-1j * torch.tensor(0.3).double() * torch.tensor([1.0, 2.0]))
    assert relative_error(got, want) <= 2e-6


def test_result_does_not_depend_on_the_number_of_threads(threads):
    x, c, s = sample(Case(9000, 50, 3, 2), torch.float32)
    found = []
    for count in (1, 2, 3):
        threads(count)
        found.append(fs.nufft3(x, c, s))
    assert all(torch.equal(f, found[0]) for f in found)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)], ids=str)
def test_shapes(shape):
    x, _, s = sample(Case(20, 9, 4))
    c = torch.randn(*shape, 20, dtype=torch.complex128)
    assert relative_error(fs.nufft3(x, c, s), exact(x, c, s)) <= FLOAT64_ERROR
    assert fs.nufft3(x, c, s).shape == (*shape, 9)


def test_one_dimension_needs_no_axis_for_it():
    x, c, s = sample(Case(20, 9, 1))
    want = fs.nufft3(x, c, s)
    for points, frequencies in itertools.product((x, x[:, 0]), (s, s[:, 0])):
        assert torch.equal(fs.nufft3(points, c, frequencies), want)


def test_point_sets_go_with_rows_of_the_batch():
    x = torch.randn(3, 20, 5, dtype=torch.float64)
    s, c = torch.randn(9, 5, dtype=torch.float64), torch.randn(3, 2, 20, dtype=torch.float64)
    want = torch.stack([exact(points, rows, s) for points, rows in zip(x, c, strict=True)])
    assert relative_error(fs.nufft3(x, c, s), want) <= FLOAT64_ERROR


@pytest.mark.parametrize(
    ("data", "out"),
    [(torch.float16, torch.complex32), (torch.bfloat16, torch.complex64), (torch.complex64, torch.complex64)],
    ids=str,
)
def test_dtypes(data, out):
    x, c, s = sample(Case(20, 9, 2), torch.float32, complex=data.is_complex)
    assert fs.nufft3(x, c.to(data), s).dtype == out


def test_wider_frequencies_widen_the_result():
    x, c, s = sample(Case(20, 9, 2), torch.float32)
    assert fs.nufft3(x, c, s.double()).dtype == torch.complex128


# --- derivatives ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("complex", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("d", [1, 2, 5])
def test_gradcheck(d, complex):
    inputs = [t.requires_grad_() for t in sample(Case(4, 3, d, 2), complex=complex, span=1.0)]
    assert gradcheck(fs.nufft3, inputs)
    assert gradgradcheck(fs.nufft3, inputs)


def project(out):
    weights = torch.arange(1, out.numel() + 1, dtype=torch.float64).reshape(out.shape).cos()
    return (out.real.double() * weights).sum() + (out.imag.double() * weights.flip(-1)).sum()


@pytest.mark.parametrize("complex", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("case", CASES[:-2], ids=str)
def test_gradients(case, dtype, complex, instruction_set):
    """In one sweep, and composed where they are to be differentiated again."""
    inputs = sample(case, dtype, complex)
    wide = [t.to(double(t.dtype)).requires_grad_() for t in inputs]
    want = torch.autograd.grad(project(exact(*wide)), wide)
    for again in (False, True):
        leaves = [t.clone().requires_grad_() for t in inputs]
        got = torch.autograd.grad(project(fs.nufft3(*leaves)), leaves, create_graph=again)
        for g, w, leaf in zip(got, want, leaves, strict=True):
            assert g.dtype == leaf.dtype
            assert relative_error(g.detach(), w) <= ROUNDING[dtype]


def test_hessian_vector_product():
    inputs = sample(Case(150, 40, 3, 2), complex=True, span=1.0)
    found = []
    for transform in (fs.nufft3, fs.reference.nufft3):
        leaves = [t.clone().requires_grad_() for t in inputs]
        first = torch.autograd.grad(project(transform(*leaves)), leaves, create_graph=True)
        found.append(torch.autograd.grad(sum(project(g + 0j) for g in first), leaves))
    assert all(relative_error(g, w) <= 1e-12 for g, w in zip(*found, strict=True))


@pytest.mark.parametrize("place", [0, 1, 2])
def test_forward_mode(place):
    inputs = sample(Case(20, 9, 3, 2), complex=True)
    tangent = torch.cos(inputs[place])

    def along(transform):
        def function(moved):
            return transform(*(moved if i == place else t for i, t in enumerate(inputs)))

        return torch.func.jvp(function, (inputs[place],), (tangent,))[1]

    assert relative_error(along(fs.nufft3), along(fs.reference.nufft3)) <= 1e-12


def test_forward_over_reverse_is_the_hessian():
    x, c, s = sample(Case(3, 4, 2), span=1.0)
    got, want = (torch.func.hessian(lambda x, m=m: project(m.nufft3(x, c, s)))(x) for m in (fs, fs.reference))
    assert relative_error(got, want) <= 1e-12


@pytest.mark.parametrize("dims", [(None, 0, None), (0, None, None), (0, 1, 0), (None, None, 0)], ids=str)
def test_vmap(dims):
    calls = [sample(Case(20, 9, 3, 2), complex=True, span=1.0 + i) for i in range(3)]
    held = [stack[0] if dim is None else None for stack, dim in zip(zip(*calls, strict=True), dims, strict=True)]
    each = [[c if h is None else h for c, h in zip(call, held, strict=True)] for call in calls]
    want = torch.stack([exact(*call) for call in each])
    stacked = [
        h if dim is None else torch.stack(parts, dim)
        for h, dim, parts in zip(held, dims, zip(*calls, strict=True), strict=True)
    ]
    assert relative_error(torch.vmap(fs.nufft3, in_dims=dims)(*stacked), want) <= 1e-12
    got = torch.vmap(torch.func.grad(lambda *a: project(fs.nufft3(*a)), 2), in_dims=dims)(*stacked)
    want = torch.stack([torch.func.grad(lambda *a: project(exact(*a)), 2)(*call) for call in each])
    assert relative_error(got, want) <= 1e-12


def test_compiles_whole():
    torch.compiler.reset()
    inputs = sample(Case(20, 9, 3, 2), complex=True)

    def function(x, c, s):
        return (fs.nufft3(x, c, s).abs() ** 2 * torch.arange(9)).mean()

    found = []
    for call in (function, torch.compile(function, fullgraph=True, backend="aot_eager")):
        leaves = [t.clone().requires_grad_() for t in inputs]
        value = call(*leaves)
        found.append((value, *torch.autograd.grad(value, leaves)))
    assert all(relative_error(g, w) <= 1e-12 for g, w in zip(*found, strict=True))


# --- what serves other devices ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("complex", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_plain_torch_is_the_kernel(dtype, complex, monkeypatch):
    monkeypatch.setattr(fallback, "CHUNK", 100)
    x, c, s = sample(Case(40, 11, 3, 2), dtype, complex)
    g = torch.randn(2, 11, dtype=to_complex(dtype))
    for op, args in (("exponential_sums", ()), ("exponential_sums_real", ()), ("exponential_sums_gradient", (g,))):
        got, want = (getattr(module, op)(x, c, s, *args, -1) for module in (fallback, ops))
        assert got.dtype == want.dtype and got.shape == want.shape
        assert relative_error(got, want) <= (1e-6 if dtype == torch.float32 else 1e-13)


# --- bad input --------------------------------------------------------------------------------------------------------

X, C, S = torch.zeros(8, 4), torch.ones(8), torch.zeros(5, 4)
NAN = torch.full((8, 4), float("nan"))
BAD = {
    "x is a list": (([0.0], C, S), TypeError, "x"),
    "x integer": ((X.long(), C, S), TypeError, "x"),
    "x without dimensions": ((torch.zeros(8, 0), C, S), ValueError, "x"),
    "x not finite": ((NAN, C, S), ValueError, "x"),
    "c too short": ((X, C[:7], S), ValueError, "c"),
    "c integer": ((X, C.long(), S), TypeError, "c"),
    "s of another dimension": ((X, C, S[:, :3]), ValueError, "s"),
    "s flat": ((X, C, S[:, 0]), ValueError, "s"),
    "s of other sets": ((X.expand(2, *X.shape), C, S.expand(3, *S.shape)), ValueError, "s"),
    "s complex": ((X, C, S.cfloat()), TypeError, "s"),
    "s elsewhere": ((X, C, S.to("meta")), ValueError, "s"),
    "s not finite": ((X, C, S + float("inf")), ValueError, "s"),
    "x times s not finite": ((X.double() + 1e200, C, S.double() + 1e200), ValueError, "x"),
    "other sets of rows": ((X.expand(2, *X.shape), C.expand(3, *C.shape), S), ValueError, "c"),
}


@pytest.mark.parametrize(("args", "error", "name"), BAD.values(), ids=BAD)
def test_bad_input(args, error, name):
    with pytest.raises(error, match=rf"^{name}: "):
        fs.nufft3(*args)


def test_bad_options():
    with pytest.raises(ValueError, match="sign"):
        fs.nufft3(X, C, S, sign=2)
    with pytest.raises(ValueError, match="eps"):
        fs.nufft3(X, C, S, eps=0.0)


MEMORY = """
import resource, torch, fastspec as fs
x, s, c = torch.rand(20_000, 3), torch.rand(5_000, 3), torch.rand(20_000, requires_grad=True)
fs.nufft3(x[:100], c[:100], s[:100]).abs().sum().backward()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
fs.nufft3(x, c, s).abs().sum().backward()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_no_matrix_of_all_pairs_is_made():
    """It would be 400 MB even in float32."""
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, timeout=120, check=True)
    assert int(done.stdout) < 40_000  # kilobytes


def test_no_point_sets():
    assert fs.nufft3(torch.zeros(0, 5, 2), torch.zeros(0, 5), torch.zeros(3, 2)).shape == (0, 3)
    assert fs.nufft3(torch.zeros(0, 5, 2), torch.zeros(0, 4, 5), torch.zeros(3, 2)).shape == (0, 4, 3)
