"""The Walsh-Hadamard transform against its direct sum, its derivatives, and the regularisers made of it."""

import math
from functools import cache

import pytest
import torch
from lines import FLOATS, INTEGERS, ROUNDING, draw
from samples import double, relative_error
from torch import nn

import fastspec as fs
from fastspec._core import fallback
from fastspec.walsh.regularizers import hashed_inputs
from fastspec.walsh.sparse import Spectrum

# Rows, lengths and widths at which each part is at work: shuffles, tiles, near runs, blocks, panels, odd ends.
SHAPES = (
    *[(rows, 2**k, 1) for rows, k in ((5, 0), (7, 1), (5, 2), (9, 3), (3, 4), (2, 7), (3, 8), (2, 9), (1, 10))],
    *[(2, 2**k, inner) for k, inner in ((0, 5), (1, 2), (1, 3), (3, 2), (4, 3), (6, 7), (3, 17), (1, 700), (7, 33))],
)


@cache
def problem(shape, dtype):
    x = draw(shape, dtype, torch.Generator().manual_seed(0))
    return x, fs.reference.fwht(x if dtype in INTEGERS else x.to(double(dtype)), dim=1)


# --- the transform ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS + INTEGERS, ids=str)
def test_transform_is_its_sum(dtype, poisoned, instruction_set):
    for shape in SHAPES:
        x, want = problem(shape, dtype)
        got = fs.walsh.fwht(x, dim=1)
        assert got.dtype == dtype and got.shape == x.shape
        assert torch.equal(got, want) if dtype in INTEGERS else relative_error(got, want) <= ROUNDING[dtype], shape


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("shape", [(1, 2**13, 1), (1, 2**18, 1), (3, 2**15, 1), (1, 2**12, 48), (1, 2**17, 2)], ids=str)
def test_long_lines(shape, count, gen, poisoned, threads):
    """Blocks and panels, shared among threads; the oracle is the transform of the lines folded to a matrix."""
    threads(count)
    for dtype in (torch.float32, torch.int64):
        check_folded(draw(shape, dtype, gen))


@pytest.mark.parametrize("shape", [(1, 2**20, 1), (1, 2**23, 1), (1, 64, 40000), (1, 128, 10000)], ids=str)
def test_panels(shape, gen, poisoned):
    """Lines of so many blocks that their columns take several passes."""
    check_folded(draw(shape, torch.float32, gen))


def check_folded(x):
    exact = x.double() if x.dtype == torch.float32 else x
    folded = exact.reshape(x.shape[0], 16, -1, x.shape[2])
    want = fs.walsh.fwht(fs.reference.fwht(folded, dim=1), dim=2).reshape(x.shape)
    got = fs.walsh.fwht(x, dim=1)
    assert relative_error(got, want) <= 3e-7 if x.dtype == torch.float32 else torch.equal(got, want)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_halves_are_computed_in_float32(dtype, gen):
    x = draw((3, 256), torch.float32, gen).to(dtype)
    got = fs.walsh.fwht(x, normalized=True)
    assert (
        torch.equal(got, fs.reference.fwht(x.float(), normalized=True).to(dtype))
        or relative_error(got.double(), fs.reference.fwht(x.double(), normalized=True)) <= torch.finfo(dtype).eps
    )


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int8, torch.int16])
def test_short_integers_become_int64(dtype):
    x = torch.tensor([[1, 0, 1, 1]]).to(dtype)
    assert torch.equal(fs.walsh.fwht(x), torch.tensor([[3, 1, -1, 1]]))


def test_integers_wrap_as_torch_does():
    big = torch.full((4,), 2**30, dtype=torch.int32)
    assert fs.walsh.fwht(big)[0] == 0  # 2^32
    assert fs.walsh.fwht(torch.ones(4, dtype=torch.int32), normalized=True).tolist() == [2.0, 0, 0, 0]


@pytest.mark.parametrize("dim", [0, 1, 2, -1, -2, -3])
def test_any_dimension_of_any_layout(dim, gen):
    x = draw((8, 16, 4), torch.float64, gen)
    want = fs.reference.fwht(x, dim=dim)
    assert relative_error(fs.walsh.fwht(x, dim), want) <= 1e-15
    assert relative_error(fs.walsh.fwht(x.mT.contiguous().mT, dim), want) <= 1e-15
    conjugate = torch.complex(x, x.flip(0)).conj()
    assert relative_error(fs.walsh.fwht(conjugate, dim), fs.reference.fwht(conjugate.resolve_conj(), dim)) <= 1e-15


def test_normalised_it_is_its_own_inverse_and_keeps_the_norm(gen):
    x = draw((3, 2**10), torch.float64, gen)
    once = fs.walsh.fwht(x, normalized=True)
    assert relative_error(fs.walsh.fwht(once, normalized=True), x) <= 1e-14
    torch.testing.assert_close(once.norm(), x.norm())


def test_without_numbers():
    assert fs.walsh.fwht(torch.zeros(0, 8)).shape == (0, 8)
    assert fs.walsh.fwht(torch.zeros(8, 0), dim=0).shape == (8, 0)


def test_devices_without_the_op_compose_it(gen):
    for shape in ((3, 16, 5), (1, 1, 4)):
        x = draw(shape, torch.float64, gen)
        assert relative_error(fallback.hadamard(x, 0.5), 0.5 * fs.reference.fwht(x, dim=1)) <= 1e-15
    assert fallback.hadamard(torch.zeros(1, 8, 0), 1.0).shape == (1, 8, 0)


@pytest.mark.parametrize(
    ("error", "named", "call"),
    [
        (TypeError, "x", lambda: fs.walsh.fwht([1.0, 2.0])),
        (ValueError, "x", lambda: fs.walsh.fwht(torch.tensor(1.0))),
        (ValueError, "x", lambda: fs.walsh.fwht(torch.zeros(12))),
        (ValueError, "x", lambda: fs.walsh.fwht(torch.zeros(3, 0))),
        (IndexError, "dim", lambda: fs.walsh.fwht(torch.zeros(4, 4), 2)),
        (ValueError, "n", lambda: fs.walsh.cube(0)),
        (TypeError, "n", lambda: fs.walsh.degrees(2.0)),
        (TypeError, "f", lambda: fs.walsh.spectrum_by_degree("parity", 3)),
        (ValueError, "f", lambda: fs.walsh.spectrum_by_degree(torch.zeros(7), 3)),
        (ValueError, "b", lambda: fs.walsh.HashedRegularizer(4, 5)),
        (TypeError, "b", lambda: fs.walsh.HashedRegularizer(4, 2.5)),
        (ValueError, "n", lambda: fs.walsh.FullRegularizer(31)),
        (ValueError, "model", lambda: fs.walsh.FullRegularizer(3)(nn.Linear(3, 2))),
        (ValueError, "alpha", lambda: fs.walsh.SparseRegularizer(4, 2, alpha=0.0)),
        (ValueError, "b", lambda: fs.walsh.SparseTransform(4, 5)),
    ],
)
def test_bad_arguments_are_named(error, named, call):
    with pytest.raises(error, match=rf"^{named}: "):
        call()


# --- derivatives ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128], ids=str)
def test_gradients_of_every_order(dtype, gen):
    x = draw((2, 8, 3), dtype, gen).requires_grad_()

    def function(x):
        return fs.walsh.fwht(x, dim=1, normalized=True).abs().square().sin()

    assert torch.autograd.gradcheck(function, x) and torch.autograd.gradgradcheck(function, x)


def test_under_torch_func(gen):
    x, v = draw((4, 8), torch.float64, gen), draw((4, 8), torch.float64, gen)

    def energy(x):
        return (fs.walsh.fwht(x) ** 3).sum()

    want = 3 * fs.reference.fwht(fs.reference.fwht(x) ** 2)
    assert relative_error(torch.func.grad(energy)(x), want) <= 1e-14
    assert relative_error(torch.func.jvp(fs.walsh.fwht, (x,), (v,))[1], fs.reference.fwht(v)) <= 1e-14
    hessian = torch.func.hessian(energy)(x[0])
    signs = fs.reference.fwht(torch.eye(8, dtype=torch.float64))
    assert relative_error(hessian, 6 * signs @ torch.diag(fs.reference.fwht(x[0])) @ signs) <= 1e-14
    twice = torch.func.jvp(lambda t: torch.func.jvp(fs.walsh.fwht, (t,), (t * t,))[1], (x,), (v,))[1]
    assert relative_error(twice, fs.reference.fwht(2 * x * v)) <= 1e-14


@pytest.mark.parametrize("in_dim", [0, 1, 2])
def test_under_vmap(in_dim, gen):
    x = draw((4, 8, 16), torch.float64, gen)
    dims = [d for d in range(3) if d != in_dim]
    for dim in (0, 1):
        got = torch.vmap(lambda t, dim=dim: fs.walsh.fwht(t, dim=dim), in_dims=in_dim, out_dims=in_dim)(x)
        assert relative_error(got, fs.reference.fwht(x, dim=dims[dim])) <= 1e-15
    per_row = torch.vmap(torch.func.grad(lambda t: (fs.walsh.fwht(t) ** 2).sum()))(x[0])
    assert relative_error(per_row, 2 * 16 * x[0]) <= 1e-14


def test_compiled_whole(gen):
    x = draw((3, 32), torch.float64, gen).requires_grad_()

    def function(x):
        return (fs.walsh.fwht(x, normalized=True).tanh() * x).sum()

    torch.compiler.reset()
    got = torch.autograd.grad(torch.compile(function, fullgraph=True, backend="aot_eager")(x), x)[0]
    assert relative_error(got, torch.autograd.grad(function(x), x)[0]) <= 1e-14


# --- spectra ----------------------------------------------------------------------------------------------------------


def parity(*bits):
    return lambda x: 1 - 2 * (x[:, list(bits)].sum(1) % 2)


def test_cube_and_degrees_follow_the_order_of_the_transform():
    x = fs.walsh.cube(3)
    assert x.tolist()[:4] == [[0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1]] and x[-1].tolist() == [1, 1, 1]
    assert torch.equal(fs.walsh.cube(3, start=2, end=5), x[2:5])
    assert torch.equal(fs.walsh.degrees(3), x.sum(1).long())
    values = parity(0, 2)(x)
    assert (fs.walsh.fwht(values) / 8).tolist() == [0, 0, 0, 0, 0, 1, 0, 0]  # frequency 101


def test_energy_by_degree():
    def f(x):
        return 2 + 3 * parity(1)(x) - 0.5 * parity(4)(x) + parity(0, 2, 5)(x)

    want = torch.tensor([4, 9.25, 0, 1, 0, 0, 0])
    torch.testing.assert_close(fs.walsh.spectrum_by_degree(f, 6), want)
    torch.testing.assert_close(fs.walsh.spectrum_by_degree(f(fs.walsh.cube(6)), 6), want)
    two = fs.walsh.spectrum_by_degree(lambda x: torch.stack([f(x), 2 * f(x)], 1), 6)
    torch.testing.assert_close(two, torch.stack([want, 4 * want], 1))


def test_energy_adds_up_to_the_mean_square_and_has_a_gradient():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(17, 8), nn.Tanh(), nn.Linear(8, 1)).double()  # 17 bits: in more batches than one
    energy = fs.walsh.spectrum_by_degree(model, 17)
    assert energy.shape == (18,) and energy.dtype == torch.float64
    torch.testing.assert_close(energy.sum(), model(fs.walsh.cube(17, dtype=torch.float64)).square().mean())
    energy[1].backward()
    assert model[0].weight.grad.abs().sum() > 0


# --- regularisers -----------------------------------------------------------------------------------------------------


def network(n, width=16):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(n, width), nn.LeakyReLU(), nn.Linear(width, 1)).double()


def test_full_regulariser_is_the_norm_of_the_spectrum():
    model = network(6)
    values = model(fs.walsh.cube(6, dtype=torch.float64))[:, 0]
    dense = fs.reference.fwht(torch.eye(64, dtype=torch.float64), normalized=True)
    got = fs.walsh.FullRegularizer(6, weight=0.3)(model)
    torch.testing.assert_close(got, 0.3 * (dense @ values).abs().mean())
    got.backward()
    assert all(p.grad.abs().sum() > 0 for p in list(model.parameters())[:3])


def test_hashed_inputs_are_products_modulo_two(gen):
    sigma = torch.randint(2, (4, 9), generator=gen).float()
    assert torch.equal(hashed_inputs(sigma), (fs.walsh.cube(4) @ sigma) % 2)


def test_hashed_regulariser_is_the_norm_of_the_hashed_coefficients(gen):
    frequencies = torch.randint(2, (5, 12), generator=gen).double()
    g = Spectrum(frequencies, torch.randn(5, generator=gen, dtype=torch.float64))
    regularizer = fs.walsh.HashedRegularizer(12, 4, weight=2.0, generator=torch.Generator().manual_seed(3))
    again = fs.walsh.HashedRegularizer(12, 4, generator=torch.Generator().manual_seed(3))
    sigma = again.sample().double()
    bins = torch.zeros(16, dtype=torch.float64)
    place = ((frequencies @ sigma.mT) % 2) @ torch.tensor([8.0, 4, 2, 1]).double()
    bins.index_add_(0, place.long(), g.coefficients)
    want = 2.0 * 4 * bins.abs().mean()  # coefficients of u are 1/4 of the orthonormal transform
    torch.testing.assert_close(regularizer(lambda x: g(x.double())), want)
    assert not torch.equal(again.sample().double(), sigma)


def test_hashing_at_sixteen_bits_takes_memory_for_its_inputs_only():
    """The dense transform would hold 17 GB."""
    regularizer, held = fs.walsh.HashedRegularizer(20, 16), []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            held.extend(t.numel() for t in (out if isinstance(out, tuple) else (out,)) if isinstance(t, torch.Tensor))
            return out

    with Watch():
        regularizer(nn.Linear(20, 1)).backward()
    assert max(held) <= 20 * 2**16


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_sparse_transform_finds_what_is_there(noise, gen):
    n, count = 40, 20
    g = Spectrum(
        torch.randint(2, (count, n), generator=gen).double(),
        1 + torch.rand(count, generator=gen, dtype=torch.float64),
    )
    transform = fs.walsh.SparseTransform(n, 6, generator=gen)
    values = g(transform.points.flatten(0, 2).double())
    found = transform(values + noise * torch.randn(values.shape, generator=gen, dtype=torch.float64), threshold=noise)
    assert transform.points.numel() // n < 1e-6 * 2**n
    order = torch.cat([found.frequencies, g.frequencies]).unique(dim=0)
    assert len(found.coefficients) == len(order) == count
    x = torch.randint(2, (200, n), generator=gen).double()
    assert relative_error(found(x), g(x)) <= max(1e-12, noise)


def test_admm_drives_a_network_to_few_coefficients(threads):
    """EN-S: trained on a quarter of a cube's values of a sparse function, a network errs less on the rest."""
    threads(1)
    torch.manual_seed(0)
    n = 8
    x = fs.walsh.cube(n)
    y = parity(0, 1)(x) + 0.5 * parity(2, 3, 4)(x)
    train = torch.randperm(len(x))[:60]
    errors = {}
    for name in ("plain", "EN-S"):
        torch.manual_seed(1)
        model = nn.Sequential(nn.Linear(n, 64), nn.LeakyReLU(), nn.Linear(64, 64), nn.LeakyReLU(), nn.Linear(64, 1))
        regularizer = fs.walsh.SparseRegularizer(n, 4, alpha=0.02, rho=0.3) if name == "EN-S" else None
        optimizer = torch.optim.Adam(model.parameters(), 0.01)
        for _ in range(20):
            for _ in range(15):
                loss = nn.functional.mse_loss(model(x[train])[:, 0], y[train])
                if regularizer is not None:
                    loss = loss + regularizer(model, batch=256)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            if regularizer is not None:
                regularizer.update(model)
        errors[name] = nn.functional.mse_loss(model(x)[:, 0], y).item()
    assert errors["EN-S"] < 0.1 * errors["plain"], errors


def test_admm_steps_are_their_equations(gen):
    g = Spectrum(torch.eye(6)[:2], torch.tensor([1.0, -0.5]))
    regularizer = fs.walsh.SparseRegularizer(6, 3, alpha=0.1, rho=2.0, generator=gen)
    points = regularizer.transform.points.flatten(0, 2).float()
    torch.testing.assert_close(regularizer(g), g(points).square().mean())  # S = u = 0, rho / 2 = 1
    regularizer.update(g)
    shrunk = regularizer.spectrum.coefficients.sort().values
    torch.testing.assert_close(shrunk, torch.tensor([-0.45, 0.95]))  # by alpha / rho = 0.05
    dual = g(points) - regularizer.spectrum(points)
    torch.testing.assert_close(regularizer.dual, dual)
    torch.testing.assert_close(regularizer(g), (g(points) - regularizer.spectrum(points) + dual).square().mean())


def test_regularisers_take_a_state_and_a_batch():
    regularizer = fs.walsh.SparseRegularizer(6, 3)
    other = fs.walsh.SparseRegularizer(6, 3)
    other.load_state_dict(regularizer.state_dict())
    model = network(6)
    torch.testing.assert_close(other(model), regularizer(model))
    assert math.isfinite(regularizer(model, batch=10).item())
