"""Gaussian filters against their definition, written out with the matrix of all pairs."""

import subprocess
import sys

import pytest
import torch
from samples import relative_error
from torch.autograd import gradcheck, gradgradcheck

import fastspec as fs
from fastspec._core import fallback, ops

ROUNDING = {torch.float32: 3e-6, torch.float64: 1e-13}
DELTAS = [0.05, 0.3, 2.0, 50.0]


def sample(n=300, d=3, channels=(2,), dtype=torch.float64):
    gen = torch.Generator().manual_seed(n + d)
    x, y = (torch.randn(n, *rest, generator=gen, dtype=torch.float64) for rest in ((d,), channels))
    return x.to(dtype), y.to(dtype)


def kernels(x, deltas):
    squares = (x[:, None] - x[None]).square().sum(-1)
    return torch.stack([torch.exp(-squares / (2 * delta)) for delta in deltas])


def definition(x, y, deltas):
    k = kernels(x, deltas)
    return torch.einsum("wij,j...->wi...", k / k.sum(-1, keepdim=True), y)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(("n", "d"), [(1, 1), (17, 2), (129, 9), (300, 64)])
@pytest.mark.parametrize("channels", [(), (1,), (3,), (4,), (11,)], ids=str)
def test_is_the_definition(n, d, channels, dtype, instruction_set, poisoned):
    x, y = sample(n, d, channels, dtype)
    got = fs.measure.gaussian_filter(x, y, DELTAS)
    assert got.dtype == dtype and got.shape == (len(DELTAS), *y.shape)
    assert relative_error(got, definition(x.double(), y.double(), DELTAS)) <= ROUNDING[dtype]


def test_far_points_do_not_cancel():
    """|x|^2 - 2 x.y + |y|^2 would lose all digits here."""
    x, y = sample(100, 2, dtype=torch.float32)
    x = x + 1000
    assert relative_error(fs.measure.gaussian_filter(x, y, DELTAS), definition(x.double(), y.double(), DELTAS)) <= 3e-6


def test_widths_from_nothing_to_everything():
    """Below the smallest distance the values themselves, beyond the largest their mean; no division by zero."""
    x, y = sample()
    narrow, wide = fs.measure.gaussian_filter(x.float(), y.float(), [1e-30, 1e12])
    assert torch.equal(narrow, y.float())
    assert relative_error(wide, y.mean(0).expand(wide.shape)) <= 1e-5


def test_points_in_one_dimension_and_a_single_width():
    x, y = sample(50, 1, ())
    got = fs.measure.gaussian_filter(x[:, 0], y, 0.5)
    assert got.shape == (1, 50)
    assert relative_error(got, definition(x, y, [0.5])) <= 1e-13
    assert torch.equal(got, fs.measure.gaussian_filter(x, y, torch.tensor([0.5])))


@pytest.mark.parametrize("channels", [(), (3,)], ids=str)
def test_errors_of_low_and_high_frequencies(channels):
    x, target = sample(channels=channels)
    pred = target + 0.1 * torch.randn_like(target)
    low, high = fs.measure.filter_error(x, pred, target, DELTAS)
    want_low = definition(x, target, DELTAS)
    got_low = definition(x, pred, DELTAS)
    norms = [torch.linalg.vector_norm(t.flatten(1), dim=1) for t in (want_low - got_low, want_low)]
    assert relative_error(low, norms[0] / norms[1]) <= 1e-12
    want_high, got_high = target - want_low, pred - got_low
    norms = [torch.linalg.vector_norm(t.flatten(1), dim=1) for t in (want_high - got_high, want_high)]
    assert relative_error(high, norms[0] / norms[1]) <= 1e-12


def test_a_smooth_fit_has_its_error_in_the_high_frequencies():
    x = torch.linspace(0, 6.28, 400)[:, None]
    low, high = fs.measure.filter_error(x, x.sin(), x.sin() + 0.3 * (20 * x).sin(), [0.05])
    assert low.item() < 0.02 and high.item() > 0.9


# --- derivatives ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [(), (2,)], ids=str)
def test_gradcheck(channels):
    x, y = (t.requires_grad_() for t in sample(5, 2, channels))
    assert gradcheck(lambda x, y: fs.measure.gaussian_filter(x, y, [0.5, 3.0]), (x, y))
    assert gradgradcheck(lambda x, y: fs.measure.gaussian_filter(x, y, [0.5, 3.0]), (x, y))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("channels", [(), (5,)], ids=str)
def test_gradients(channels, dtype, instruction_set, poisoned):
    """In one sweep, and composed where they are to be differentiated again."""
    inputs = sample(150, 4, channels, dtype)
    factor = torch.randn(len(DELTAS), 150, *channels, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    wide = [t.double().requires_grad_() for t in inputs]
    want = torch.autograd.grad((definition(*wide, DELTAS) * factor).sum(), wide)
    for again in (False, True):
        leaves = [t.clone().requires_grad_() for t in inputs]
        got = fs.measure.gaussian_filter(*leaves, DELTAS)
        got = torch.autograd.grad((got * factor).sum(), leaves, create_graph=again)
        assert all(relative_error(g.detach(), w) <= 10 * ROUNDING[dtype] for g, w in zip(got, want, strict=True))


def test_vmap_and_func():
    x, y = sample(20, 2)
    rows = torch.stack([y, 2 * y])
    got = torch.vmap(lambda y: fs.measure.gaussian_filter(x, y, DELTAS))(rows)
    assert relative_error(got, torch.stack([definition(x, row, DELTAS) for row in rows])) <= 1e-13
    got, want = (
        torch.func.grad(lambda x, f=f: f(x, y, DELTAS).sin().sum())(x) for f in (fs.measure.gaussian_filter, definition)
    )
    assert relative_error(got, want) <= 1e-12


def test_compiles_whole():
    torch.compiler.reset()
    x, y = sample(20, 2)
    compiled = torch.compile(
        lambda x, y: fs.measure.gaussian_filter(x, y, DELTAS).sin(), fullgraph=True, backend="aot_eager"
    )
    assert relative_error(compiled(x, y), definition(x, y, DELTAS).sin()) <= 1e-13


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_plain_torch_is_the_kernel(dtype, monkeypatch):
    monkeypatch.setattr(fallback, "CHUNK", 1000)
    x, y = sample(40, 3, (2,), dtype)
    deltas, g = torch.tensor(DELTAS, dtype=torch.float64), torch.randn(len(DELTAS), 40, 2, dtype=dtype)
    got, want = (m.gaussian_filter(x, y[None], deltas) for m in (fallback, ops))
    assert all(relative_error(a, b) <= ROUNDING[dtype] for a, b in zip(got, want, strict=True))
    got, want = (m.gaussian_filter_gradient(x, y[None], deltas, g) for m in (fallback, ops))
    assert relative_error(got, want) <= ROUNDING[dtype]


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_a_cpu_has_nothing_to_round(precision):
    x, y = sample(60, 3, (2,), torch.float32)
    x.requires_grad_(), y.requires_grad_()
    exact, rounded = (fs.measure.gaussian_filter(x, y, DELTAS, precision=p) for p in ("exact", precision))
    assert torch.equal(rounded, exact)
    for got, want in zip(*(torch.autograd.grad(t.square().sum(), (x, y)) for t in (rounded, exact)), strict=True):
        assert torch.equal(got, want)
    errors = (fs.measure.filter_error(x, y, y + 1, DELTAS, precision=p) for p in ("exact", precision))
    for got, want in zip(*errors, strict=True):
        assert torch.equal(got, want)


def test_an_unknown_precision_is_refused():
    for call in (fs.measure.gaussian_filter, lambda *args, **more: fs.measure.filter_error(X, Y, Y, 1.0, **more)):
        with pytest.raises(ValueError, match="precision: was 'half', must be 'exact', 'tf32' or 'bf16'"):
            call(X, Y, 1.0, precision="half")


# --- bad input --------------------------------------------------------------------------------------------------------

X, Y = torch.zeros(8, 3), torch.zeros(8)
BAD = {
    "x is nothing": ((None, Y, 1.0), TypeError, "x"),
    "x of sets": ((X[None], Y, 1.0), ValueError, "y"),
    "x not finite": ((X + float("nan"), Y, 1.0), ValueError, "x"),
    "y too short": ((X, Y[:7], 1.0), ValueError, "y"),
    "y complex": ((X, Y.cfloat(), 1.0), TypeError, "y"),
    "no width": ((X, Y, 0.0), ValueError, "deltas"),
    "a negative width": ((X, Y, [1.0, -1.0]), ValueError, "deltas"),
    "a width not finite": ((X, Y, torch.tensor([float("nan")])), ValueError, "deltas"),
}


@pytest.mark.parametrize(("args", "error", "name"), BAD.values(), ids=BAD)
def test_bad_input(args, error, name):
    with pytest.raises(error, match=rf"^{name}: "):
        fs.measure.gaussian_filter(*args)


def test_bad_pairs():
    with pytest.raises(ValueError, match="target"):
        fs.measure.filter_error(X, Y, Y[:, None], 1.0)


MEMORY = """
import resource, torch, fastspec as fs
x, y = torch.rand(8_000, 4), torch.rand(8_000)
fs.measure.gaussian_filter(x[:100], y[:100], [0.1, 1.0])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
fs.measure.gaussian_filter(x, y, [0.1, 1.0])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_no_matrix_of_all_pairs_is_made():
    """It would be 256 MB in float32."""
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, timeout=120, check=True)
    assert int(done.stdout) < 20_000  # kilobytes
