"""Minimum-norm interpolants against dense solves and the paper's three regimes; rates and evolution against nets."""

import math
import sys

import pytest
import torch
from samples import relative_error
from torch import nn

import fastspec as fs
from fastspec.theory import dense, gram, lfp

TAU = 2 * math.pi


def dense_coefficients(x, y, weight, modes, period, ridge=0.0):
    """(A W^-1 A^H + ridge)^-1 by a dense solve in double precision."""
    x = x.double().reshape(len(x), -1)
    k = torch.stack(torch.meshgrid(*[fs.reference.wavenumbers(n) for n in modes], indexing="ij"), -1).double()
    phase = TAU * (x / torch.tensor(period, dtype=torch.float64)) @ k.flatten(0, -2).mT
    a = torch.polar(torch.ones_like(phase), phase)
    matrix = (a / weight.flatten()) @ a.mH + ridge * torch.eye(len(x), dtype=torch.float64)
    mu = torch.linalg.solve(matrix, y.reshape(-1, len(x)).mT.to(matrix.dtype))
    return ((a.mH @ mu).mT / weight.flatten()).reshape(*y.shape[:-1], *modes)


def sobolev_weight(modes, period, alpha):
    axes = [fs.reference.wavenumbers(n).double() / period for n in modes]
    xi = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)
    return (1 + xi.square().sum(-1)) ** (alpha / 2)


# More points than modes go by the Toeplitz matrix over modes; the last two have fewer unknowns that way.
@pytest.mark.parametrize(
    ("points", "modes", "alpha", "ridge"),
    [
        (30, (201,), 0.5, 0.0),
        (30, (200,), 2.0, 0.0),
        (25, (301,), 3.0, 1e-2),
        (60, (31, 34), 3.0, 0.0),
        (50, (7, 9, 11), 2.0, 0.0),
        (60, (31,), 2.0, 1e-2),
        (200, (8, 9), 3.0, 0.1),
    ],
)
def test_interpolants_are_the_dense_solves(points, modes, alpha, ridge, gen, poisoned):
    d, period = len(modes), 1.7
    x = torch.rand(points, d, generator=gen, dtype=torch.float64) * 1.3 - 5
    y = torch.randn(2, points, generator=gen, dtype=torch.float64)
    sol = fs.theory.min_norm_interpolant(x, y, alpha, modes, period=period, ridge=ridge)
    want = dense_coefficients(x, y, sobolev_weight(modes, period, alpha), modes, (period,) * d, ridge)
    assert relative_error(sol.coefficients, want) <= 1e-8
    assert sol.residual <= 1e-10 and sol.iterations >= 1
    if ridge == 0 and all(n % 2 for n in modes):
        assert relative_error(sol(x), y) <= 1e-8
    new = torch.rand(40, d, generator=gen, dtype=torch.float64)
    assert relative_error(sol(new), fs.reference.nufft2(new, want, period=period).real) <= 1e-8


def test_the_neighbours_preconditioner_solves_the_same(gen, monkeypatch):
    x = torch.rand(250, 2, generator=gen, dtype=torch.float64)
    y = torch.sin(9 * x.sum(1)) + 0.1 * torch.randn(250, generator=gen)
    whole = fs.theory.min_norm_interpolant(x, y, 3.0, (45, 45))
    monkeypatch.setattr(gram, "_WHOLE", 100)
    nearest = fs.theory.min_norm_interpolant(x, y, 3.0, (45, 45))
    assert relative_error(nearest.coefficients, whole.coefficients) <= 1e-8
    assert nearest.iterations <= 30
    monkeypatch.setattr(gram, "_nearest", lambda *_: lambda r: r)
    monkeypatch.setattr(dense, "affordable", lambda *_: False)
    with pytest.warns(RuntimeWarning):
        fs.theory.min_norm_interpolant(x, y, 3.0, (45, 45), max_iterations=2 * nearest.iterations)


def test_complex_data_weights_and_half_precision(gen):
    x = torch.rand(20, generator=gen, dtype=torch.float64)
    y = torch.randn(20, generator=gen, dtype=torch.complex128)
    weight = 1 + torch.rand(65, generator=gen, dtype=torch.float64)  # not even in k
    sol = fs.theory.min_norm_interpolant(x, y, None, 65, weight=weight)
    assert relative_error(sol.coefficients, dense_coefficients(x, y, weight, (65,), (1.0,))) <= 1e-8
    assert relative_error(sol(x), y) <= 1e-8
    single = fs.theory.min_norm_interpolant(x.float(), y.real.float(), 2.0, 65)
    assert single(x.float()).dtype == torch.float32 and single.coefficients.dtype == torch.complex64
    assert relative_error(single(x.float()), y.real.float()) <= 1e-5
    shaped = fs.theory.min_norm_interpolant(x, y.real, 2.0, 65)
    same = fs.theory.min_norm_interpolant(x, y.real, None, 65, weight=lambda k: 1 + k.square().sum(-1))
    assert relative_error(same.coefficients, shaped.coefficients) <= 1e-9


@pytest.mark.parametrize("d", [1, 2])
def test_three_regimes(d):
    """Between points the interpolant vanishes like N^{α-d} below d, like 1/log N at d, and not at all above."""
    x = torch.tensor([[0.3, 0.3], [0.7, 0.6]], dtype=torch.float64)[:, :d]
    y = torch.ones(2, dtype=torch.float64)
    sizes = (101, 1001, 10001, 100001) if d == 1 else (25, 75, 225, 675)
    n = torch.tensor(sizes, dtype=torch.float64)

    def between(alpha):
        values = []
        for size in sizes:
            sol = fs.theory.min_norm_interpolant(x, y, alpha, (size,) * d, period=8.0)
            assert relative_error(sol(x), y) <= 1e-8
            values.append(sol(x.mean(0, keepdim=True))[0])
        return torch.stack(values)

    below, at, above = (between(alpha * d) for alpha in (0.5, 1, 2))
    slope = (below[-1] / below[-2]).log() / (n[-1] / n[-2]).log()
    assert slope.item() == pytest.approx(-d / 2, abs=0.12)
    growth = 1 / at  # grows by equal steps with log N: neither a power nor a limit
    steps = growth.diff() / n.log().diff()
    assert at[-1] < 0.85 * at[0] and (steps[-1] / steps[-2]).item() == pytest.approx(1, abs=0.15)
    assert above.min() > 0.3 and (above[-1] / above[-2]).item() == pytest.approx(1, abs=0.01)


X, Y = torch.rand(9, 2), torch.rand(9)


@pytest.mark.parametrize(
    ("error", "named", "change"),
    [
        (TypeError, "x", {"x": None}),
        (ValueError, "x", {"x": torch.rand(9, 4)}),
        (ValueError, "x", {"x": torch.full((9, 2), math.nan)}),
        (ValueError, "y", {"y": Y[1:]}),
        (TypeError, "alpha", {"alpha": None}),
        (ValueError, "modes", {"modes": (2, 3)}),
        (ValueError, "modes", {"modes": (8,)}),
        (ValueError, "period", {"period": 0.0}),
        (ValueError, "ridge", {"ridge": -1.0}),
        (ValueError, "weight", {"weight": torch.ones(3, 3)}),
        (ValueError, "weight", {"weight": torch.zeros(8, 8)}),
        (ValueError, "tol", {"tol": 0.0}),
        (ValueError, "y", {"y": torch.full((9,), math.nan)}),
        *((ValueError, "alpha", {"alpha": a}) for a in (math.nan, math.inf, -math.inf, -400, -1e308, 101, 10**400)),
        (ValueError, "alpha", {"alpha": -99.0, "period": 1e-4}),  # weights whose inverses overflow
        (ValueError, "weight", {"weight": torch.full((8, 8), 1e-320, dtype=torch.float64)}),
        (ValueError, "weight", {"weight": torch.full((8, 8), math.inf)}),
        (ValueError, "weight", {"weight": torch.full((8, 8), math.nan)}),
        (ValueError, "max_iterations", {"max_iterations": math.inf}),
        (ValueError, "max_iterations", {"max_iterations": -1}),
    ],
)
def test_bad_arguments_are_named(error, named, change):
    arguments = {"x": X, "y": Y, "alpha": 2.0, "modes": (8, 8)} | change
    with pytest.raises(error, match=rf"^{named}: "):
        fs.theory.min_norm_interpolant(**arguments)


@pytest.mark.filterwarnings("ignore:min_norm_interpolant")
@pytest.mark.parametrize("ridge", [0.0, 1e-3])
@pytest.mark.parametrize("period", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("alpha", [-100, -99.5, -30.0, 0, 30.0, 99.5, 100])
def test_every_exponent_comes_to_an_end(alpha, period, ridge):
    """With an interpolant, whose residual says whether it is one, or with an error."""
    try:
        sol = fs.theory.min_norm_interpolant(X * period, Y, alpha, (8, 9), period=period, ridge=ridge)
    except ValueError as error:
        assert str(error).startswith("alpha: ")
    else:
        assert 0 <= sol.residual < 10 and sol.iterations <= 2000


@pytest.mark.parametrize("entry", [math.nan, math.inf])
def test_a_matrix_that_nothing_makes_definite_is_an_error(entry):
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[1, 2] = matrix[2, 1] = entry
    with pytest.raises(RuntimeError, match="could not be factored"):
        gram._cholesky(matrix)


@pytest.mark.parametrize("size", [1e-290, 1e-200, 1e-3, 1e200])
@pytest.mark.parametrize(("count", "ridge"), [(20, 0.0), (60, 1e-2)])
def test_interpolants_are_linear_in_the_data_whatever_their_size(count, ridge, size, gen):
    x = torch.rand(count, generator=gen, dtype=torch.float64)
    y = torch.randn(3, count, generator=gen, dtype=torch.float64) * torch.tensor([[1.0], [0.0], [1e-3]])
    whole = fs.theory.min_norm_interpolant(x, y, 2.0, 41, ridge=ridge).coefficients
    scaled = fs.theory.min_norm_interpolant(x, y * size, 2.0, 41, ridge=ridge).coefficients
    for row, other in zip(whole, scaled, strict=True):
        assert (other / size - row).norm() <= 1e-9 * row.norm()


def test_no_rows_have_no_coefficients():
    sol = fs.theory.min_norm_interpolant(X, torch.zeros(0, 9), 2.0, (8, 9))
    assert sol.coefficients.shape == (0, 8, 9) and sol.residual == 0


def test_a_missing_scipy_is_explained(monkeypatch):
    monkeypatch.setattr(gram, "_WHOLE", 4)
    monkeypatch.setitem(sys.modules, "scipy.spatial", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'fastspec-torch\[theory\]'"):
        fs.theory.min_norm_interpolant(X, Y, 2.0, (8, 9))


@pytest.mark.parametrize(("modes", "ridge"), [((2001,), 0.0), ((2000,), 0.0), ((41, 41), 0.0), ((2001,), 1e-14)])
def test_points_that_nearly_coincide_are_solved_densely(modes, ridge, gen, monkeypatch):
    x = torch.rand(50, len(modes), generator=gen, dtype=torch.float64)
    x[1], x[3] = x[0] + 1e-6, x[2] - 2e-5
    y = torch.randn(2, 50, generator=gen, dtype=torch.float64)
    sol = fs.theory.min_norm_interpolant(x, y, 4.0, modes, ridge=ridge, tol=1e-9)
    assert sol.residual <= 1e-9
    if not ridge:
        values = fs.reference.nufft2(x, sol.coefficients, period=1.0)
        assert relative_error(values, y.to(values.dtype)) <= 1e-9
    monkeypatch.setattr(dense, "affordable", lambda *_: False)
    with pytest.warns(RuntimeWarning, match="residual"):
        assert fs.theory.min_norm_interpolant(x, y, 4.0, modes, ridge=ridge, tol=1e-9).residual > 1e-8


def test_what_cannot_be_met_warns():
    x = torch.tensor([0.5, 0.5, 0.2])
    with pytest.warns(RuntimeWarning, match="residual"):
        sol = fs.theory.min_norm_interpolant(x, torch.tensor([0.0, 1.0, 0.0]), 2.0, 65)
    assert sol.residual > 0.1


# --- the linear frequency principle -----------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_moments_and_weights_agree(activation, d, gen):
    xi = torch.rand(6, d, generator=gen, dtype=torch.float64) + 0.3
    w = 3 * torch.randn(200_000, d, generator=gen, dtype=torch.float64)
    a = 0.7 * torch.randn(200_000, generator=gen, dtype=torch.float64)
    options = {"d": d, "activation": activation, "sigma_b": 2.0}
    from_weights, from_moments = (
        fs.theory.lfp_rate(xi, a=a, w=w, **options),
        fs.theory.lfp_rate(xi, a=0.7, w=3.0, **options),
    )
    torch.testing.assert_close(from_weights, from_moments, rtol=0.03, atol=0)
    assert torch.equal(from_moments, fs.theory.lfp_rate(xi.norm(dim=1), a=0.7, w=3.0, **options))


def test_relu_rates_are_the_papers_formula():
    w, a, xi = torch.tensor([[3.0, 4.0], [0.6, 0.8]]), torch.tensor([2.0, 1.0]), torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    c = math.gamma(1.0) / (2 * math.sqrt(2) * math.pi**1.5 * 3.0)
    want = [
        c * sum(r**3 / (16 * math.pi**4 * s**5) + b**2 * r / (4 * math.pi**2 * s**3) for r, b in ((5, 2), (1, 1))) / 2
        for s in (1, 2)
    ]
    got = fs.theory.lfp_rate(xi, d=2, a=a, w=w, sigma_b=3.0)
    torch.testing.assert_close(got.square(), torch.tensor(want), rtol=1e-5, atol=0)


def test_initialisation_decides_which_power_rules():
    xi = torch.logspace(-1, 0, 20, dtype=torch.float64)
    slope = lambda **init: fs.measure.decay_exponent(fs.theory.lfp_rate(xi, d=1, **init) ** 2, xi)  # noqa: E731
    assert slope(a=0.1, w=3.0) == pytest.approx(4, abs=0.1)
    assert slope(a=1.0, w=0.2) == pytest.approx(2, abs=0.1)


def test_lfp_rates_predict_the_tangent_kernels_dynamics():
    """A wide tanh net on scattered points: its exact kernel dynamics against those of the formula alone."""
    torch.manual_seed(0)
    x, m, box = torch.rand(60, dtype=torch.float64) * 2 - 1, 8000, 8.0
    w, a, b = 6 * torch.randn(m).double(), torch.randn(m).double(), 10 * torch.randn(m).double()
    inside = torch.tanh(x[:, None] * w + b)
    slope = a * (1 - inside**2)
    kernel = (inside @ inside.mT + slope @ slope.mT * (1 + x[:, None] * x)) / m
    k, wavenumbers = torch.arange(-2000, 2001) / box, torch.tensor([1.0, 3.0, 6.0, 10.0])
    y = sum(torch.sin(math.pi * n * x + n) for n in wavenumbers)
    rates = (
        2
        * len(x)
        / box
        * fs.theory.lfp_rate(k.double().abs().clamp_min(0.5 / box), d=1, activation="tanh", w=6.0, sigma_b=10.0) ** 2
    )
    times = torch.tensor([0.0, 3.0, 10.0, 30.0, 60.0])
    predicted = fs.theory.lfp_evolution(x, 0 * y, y, rates, times, period=box, wavenumbers=wavenumbers * box / 2)
    values, vectors = torch.linalg.eigh(kernel)
    residual = torch.exp(-times[:, None] * values) * (vectors.mT @ -y) @ vectors.mT
    waves = torch.exp(-1j * math.pi * wavenumbers[:, None] * x)
    measured = (residual.to(waves.dtype) @ waves.mT).abs() / (y.to(waves.dtype) @ waves.mT).abs()
    shown = measured > 0.15
    assert shown[:, 1:].sum() >= 11
    torch.testing.assert_close(predicted[shown], measured[shown], rtol=0.1, atol=0)


class Circle(nn.Module):
    """A wide ReLU net on the circle, its directions evenly spread: modes are the tangent kernel's eigenvectors."""

    def __init__(self, directions=256, thresholds=(-0.5, 0.0, 0.5)):
        super().__init__()
        phi = torch.arange(directions) * (TAU / directions)
        self.w = nn.Parameter(torch.stack([phi.cos(), phi.sin()], 1).repeat(len(thresholds), 1))
        self.b = nn.Parameter(torch.tensor(thresholds).repeat_interleave(directions))
        self.a = nn.Parameter(1.0 - 2 * (torch.arange(len(self.b)) % 2))

    def forward(self, t):
        x = torch.stack([t.cos(), t.sin()], -1)
        return (x @ self.w.mT + self.b).relu() @ self.a / len(self.a) ** 0.5


def test_predicted_errors_are_those_of_gradient_descent():
    n, tracked = 64, torch.tensor([2.0, 3.0, 4.0])
    t = torch.arange(n) * (TAU / n)
    net = Circle()
    initial = net(t).detach()
    change = 0.05 * sum(torch.sin(k * t + k) for k in tracked.tolist())
    rates = fs.measure.ntk_rates(net, t, 33)
    lr = 0.5 / rates.max().item() * n / 2
    optimizer = torch.optim.SGD(net.parameters(), lr)
    monitor = fs.SpectralMonitor(t, change, None, peaks=tracked)
    for step in range(501):
        h = net(t)
        if step % 25 == 0:
            monitor.update(step, h - initial)
        optimizer.zero_grad()
        (h - initial - change).square().mean().backward()
        optimizer.step()
    times = torch.tensor(monitor.steps) * (2 * lr / n)
    predicted = fs.theory.lfp_evolution(t, torch.zeros(n), change, rates, times, wavenumbers=tracked).float()
    assert predicted[-1, 0] < 1e-3 < 0.02 < predicted[-1, 2]  # from low to high
    shown = predicted > 0.05
    assert shown.sum() > 20
    torch.testing.assert_close(monitor.errors[shown], predicted[shown], rtol=0.1, atol=0)


@pytest.mark.parametrize("divergence", [False, True])
def test_krylov_evolution_is_the_dense_one(divergence, gen, monkeypatch):
    x, y = torch.rand(60, 2, generator=gen), torch.randn(60, 2, generator=gen)
    rates = torch.rand(5, 6, generator=gen)
    calls = [(x, 0 * y, y, rates, torch.tensor([0.0, 0.5, 3.0]))]
    options = {"period": 1.0, "divergence": rates / 2 if divergence else None}
    dense = fs.theory.lfp_evolution(*calls[0], **options)
    monkeypatch.setattr(lfp, "_WHOLE", 0)
    assert relative_error(fs.theory.lfp_evolution(*calls[0], **options), dense) <= 1e-9
    assert dense.shape == (3, 5, 6) and dense[0].flatten().tolist() == pytest.approx([1] * 30)


def test_uniform_points_decay_mode_by_mode():
    n = 32
    x = torch.arange(n) * (TAU / n)
    y, rates = torch.sin(3 * x) + torch.cos(5 * x), 1 / (1 + fs.reference.wavenumbers(n).abs()).double()
    got = fs.theory.lfp_evolution(x, 0 * y, y, rates, torch.tensor([0.0, 1.0, 4.0]), wavenumbers=torch.tensor([3, 5]))
    want = torch.exp(-torch.tensor([0.0, 1.0, 4.0])[:, None] * torch.tensor([1 / 4, 1 / 6]))
    torch.testing.assert_close(got.float(), want, rtol=1e-4, atol=0)


# --- momentum ---------------------------------------------------------------------------------------------------------


def test_momentum_rates_are_the_roots():
    kappa = torch.logspace(-3, 3, 13, dtype=torch.float64)
    got = fs.theory.momentum_rates(kappa, mass=0.7, friction=1.1)
    root = (1.1**2 - 4 * 0.7 * kappa + 0j).sqrt()
    want = -torch.maximum(((-1.1 + root) / 1.4).real, ((-1.1 - root) / 1.4).real)
    torch.testing.assert_close(got, want, rtol=1e-6, atol=0)
    assert torch.equal(got[kappa > 1], torch.full((6,), 1.1 / 1.4, dtype=torch.float64))


def test_heavy_ball_rates_are_those_of_sgd():
    kappa, lr, momentum = torch.tensor([0.01, 0.1, 1.0, 10.0], dtype=torch.float64), 0.05, 0.9
    q = torch.ones(4, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([q], lr, momentum=momentum)
    sizes = []
    for _ in range(601):
        optimizer.zero_grad()
        (kappa * q.square()).sum().mul(0.5).backward()
        sizes.append(q.detach().clone())
        optimizer.step()
    # oscillating modes: the envelope, by the largest of many steps
    early, late = (torch.stack(sizes[i : i + 60]).abs().amax(0) for i in (200, 500))
    measured = (early / late).log() / 300
    torch.testing.assert_close(fs.theory.heavy_ball_rates(kappa, lr=lr, momentum=momentum), measured, rtol=0.06, atol=0)
    torch.testing.assert_close(fs.theory.heavy_ball_rates(kappa, lr=lr), -(1 - lr * kappa).abs().log())


@pytest.mark.parametrize(
    ("error", "named", "call"),
    [
        (ValueError, "activation", lambda: fs.theory.lfp_rate(Y, d=1, activation="sine")),
        (ValueError, "sigma_b", lambda: fs.theory.lfp_rate(Y, d=1, sigma_b=0)),
        (ValueError, "xi", lambda: fs.theory.lfp_rate(X, d=3)),
        (ValueError, "w", lambda: fs.theory.lfp_rate(Y, d=3, w=X)),
        (ValueError, "a", lambda: fs.theory.lfp_rate(Y, d=2, w=X, a=Y[1:])),
        (ValueError, "rates", lambda: fs.theory.lfp_evolution(X, Y, Y, torch.ones(4), Y)),
        (ValueError, "times", lambda: fs.theory.lfp_evolution(X, Y, Y, torch.ones(4, 4), -Y)),
        (ValueError, "target", lambda: fs.theory.lfp_evolution(X, Y, X, torch.ones(4, 4), Y)),
        (TypeError, "rates", lambda: fs.theory.lfp_evolution(X, Y, Y, torch.ones(4, 4) + 0j, Y)),
        (ValueError, "rates", lambda: fs.theory.lfp_evolution(X, Y, Y, torch.ones(4, 4) / 0, Y)),
        (TypeError, "times", lambda: fs.theory.lfp_evolution(X, Y, Y, torch.ones(4, 4), Y + 0j)),
        (ValueError, "times", lambda: fs.theory.lfp_evolution(X, Y, Y, torch.ones(4, 4), Y / 0)),
        (TypeError, "wavenumbers", lambda: fs.theory.lfp_evolution(X, Y, Y, torch.ones(4, 4), Y, wavenumbers=X + 0j)),
        (ValueError, "divergence", lambda: fs.theory.lfp_evolution(X, Y, Y, torch.ones(4, 4), Y, divergence=X / 0)),
        (ValueError, "rates", lambda: fs.theory.momentum_rates(-Y - 1, mass=1, friction=1)),
        (ValueError, "mass", lambda: fs.theory.momentum_rates(Y, mass=0, friction=1)),
        (ValueError, "friction", lambda: fs.theory.momentum_rates(Y, mass=1, friction=math.inf)),
        (ValueError, "lr", lambda: fs.theory.heavy_ball_rates(Y, lr=math.nan)),
        (ValueError, "momentum", lambda: fs.theory.heavy_ball_rates(Y, lr=0.1, momentum=1.0)),
    ],
)
def test_bad_settings_are_named(error, named, call):
    with pytest.raises(error, match=rf"^{named}: "):
        call()
