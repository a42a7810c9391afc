"""What the monitor and measure report of any data is what their formulas say, in float64."""

import math

import torch
from drawn import log_integers, problems
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import fastspec as fs

ROUNDING = {torch.float32: 2e-5, torch.float64: 1e-10}


def spectrum(x: Tensor, y: Tensor, k: Tensor, period: tuple[float, ...]) -> Tensor:
    """Mean over the points of y exp(-2 pi i k.x / period): (M, d), (M, C), (K, d) -> (K, C)."""
    turns = (k.double() / torch.tensor(period, dtype=torch.float64)) @ x.double().mT
    phase = -2 * math.pi * (turns - turns.round())
    wide = y.to(torch.complex128)
    return torch.polar(torch.ones_like(phase), phase) @ wide / len(x)


@given(
    problems(points=log_integers(2, 1500), sets=None, rows=(), place="uniform"),
    st.integers(1, 6),
    st.integers(1, 3),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["nufft", "frequencies"]),
)
def test_the_monitor_records_relative_errors(problem, count, channels, complex, magnitudes, method):
    x, k = problem.x(), torch.randint(-30, 30, (count, len(problem.modes)), generator=problem.generator)
    target, pred = (problem.data((problem.points, channels), complex, seed=seed) for seed in (1, 2))
    options = {"period": problem.period, "magnitudes": magnitudes, "method": method}
    how = {"peaks": k} if method == "nufft" else {"modes": k.double()}
    monitor = fs.SpectralMonitor(x, target, **how, **options)
    monitor.update(3, pred)
    h, f = (spectrum(x, y, monitor.wavenumbers, problem.period) for y in (pred, target))
    off = h.abs() - f.abs() if magnitudes else h - f
    want = torch.linalg.vector_norm(off, dim=1) / torch.linalg.vector_norm(f, dim=1)
    usual = (
        (pred.double() if not complex else pred.to(torch.complex128)).abs().square().sum() ** 0.5 / problem.points
    ) / torch.linalg.vector_norm(f, dim=1)
    assert monitor.errors.shape == (1, len(monitor.frequencies))
    precision = ROUNDING[problem.dtype]
    assert ((monitor.errors[0] - want).abs() <= precision * (want + usual)).all()


@given(
    st.integers(1, 120), st.integers(1, 5), st.integers(1, 3), st.integers(1, 4), st.booleans(), st.integers(0, 2**31)
)
def test_filters_are_the_formula(n, d, channels, widths, single, seed):
    gen, dtype = torch.Generator().manual_seed(seed), torch.float32 if single else torch.float64
    x, y, pred = (torch.randn(n, c, generator=gen, dtype=dtype) for c in (d, channels, channels))
    deltas = 10 ** (3 * torch.rand(widths, generator=gen, dtype=torch.float64) - 2)
    squares = (x.double()[:, None] - x.double()[None]).square().sum(-1)
    kernel = torch.exp(-squares / (2 * deltas[:, None, None]))
    kernel = kernel / kernel.sum(-1, keepdim=True)
    low = kernel @ y.double()
    assert (fs.measure.gaussian_filter(x, y, deltas) - low).norm() <= ROUNDING[dtype] * y.norm()
    off = kernel @ (y - pred).double(), (y - pred).double() - kernel @ (y - pred).double()
    for got, error, whole in zip(
        fs.measure.filter_error(x, pred, y, deltas), off, (low, y.double() - low), strict=True
    ):
        size = torch.linalg.vector_norm(whole, dim=(1, 2))
        want = torch.linalg.vector_norm(error, dim=(1, 2))
        usual = (y.double().norm() + pred.double().norm()) * (1 + want / size)
        some = size > 1e-5 * y.double().norm()  # of next to nothing no error is known
        assert ((got * size - want).abs() <= ROUNDING[dtype] * usual)[some].all()


@given(problems(rows=(), sets=None), st.integers(1, 40), st.integers(1, 3), st.booleans())
def test_spectra_along_directions_and_aliases_are_the_formula(problem, count, channels, complex):
    x, y = problem.x(), problem.data((problem.points, channels), complex)
    d, precision = len(problem.modes), ROUNDING[problem.dtype] * y.abs().double().mean().item()
    k = torch.randn(count, generator=problem.generator, dtype=torch.float64)
    direction = torch.randn(d, generator=problem.generator, dtype=torch.float64)
    along = x.double() @ (direction / direction.norm())[:, None]
    got = fs.measure.projection(x, y, k, direction)
    scale = 1 + 1e-5 * along.abs().max().item()  # digits that a phase loses
    assert (got - spectrum(along, y, k[:, None], (1.0,))).abs().max() <= precision * channels**0.5 * scale + 1e-9
    half = max(problem.points // 2, 1)
    report = fs.measure.alias_report(x[:half], y[:half], x, y, k, period=problem.period)
    train, full = (spectrum(x[:n], y[:n], report.k, problem.period) for n in (half, problem.points))
    excess = (train - full).norm(dim=1) / full.norm(dim=1).max()
    assert ((report.excess - excess).abs() <= ROUNDING[problem.dtype] * (1 + excess) * 10).all() or problem.points < 4


@given(
    st.integers(0, 300),
    st.integers(0, 90),
    st.integers(1, 6),
    st.lists(st.integers(1, 3), max_size=2),
    st.integers(0, 2**31),
    st.booleans(),
    st.booleans(),
)
def test_exponential_sums_are_direct(m, count, d, rows, seed, complex, single):
    gen, dtype = torch.Generator().manual_seed(seed), torch.float32 if single else torch.float64
    x, s = (10 * torch.randn(n, d, generator=gen, dtype=dtype) for n in (m, count))
    c = torch.randn(*rows, m, generator=gen, dtype=torch.promote_types(dtype, torch.complex32) if complex else dtype)
    want = fs.reference.nufft3(x.double(), c.to(torch.complex128), s.double())
    got = fs.nufft3(x, c, s)
    assert got.shape == want.shape
    assert (got - want).norm() <= {torch.float32: 1e-6, torch.float64: 1e-12}[dtype] * max(
        want.norm(), c.norm() * count**0.5
    )


@given(
    st.integers(0, 12),
    st.integers(0, 4),
    st.integers(0, 5),
    st.booleans(),
    st.sampled_from([torch.float32, torch.complex128, torch.int32]),
)
def test_walsh_transforms_are_their_matrix(bits, before, after, normalized, dtype):
    shape, gen = (before, 2**bits, after), torch.Generator().manual_seed(bits)
    x = (
        torch.randint(-9, 9, shape, generator=gen)
        if dtype == torch.int32
        else torch.randn(shape, generator=gen, dtype=dtype)
    )
    x, normalized = x.to(dtype), normalized and dtype != torch.int32
    wide = torch.complex128 if x.is_complex() else torch.float64
    got = fs.walsh.fwht(x, 1, normalized)
    assert got.shape == x.shape and got.dtype == dtype
    if bits <= 8:
        want = fs.reference.fwht(x.to(wide), 1, normalized)
        assert (got.to(wide) - want).norm() <= 1e-6 * want.norm()
    again = fs.walsh.fwht(got, 1, normalized).to(wide)
    assert (again - x.to(wide) * (1 if normalized else 2**bits)).norm() <= 1e-6 * again.norm()
