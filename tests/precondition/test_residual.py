"""The energy norm of residuals: against its definition on grids, at scattered points, and what it does to training."""

import math
import warnings

import pytest
import torch
from samples import planners_algorithm
from torch import nn

import fastspec as fs
from fastspec.precondition import RandomPointsWarning, quadrature
from fastspec.precondition import residual as energy_norm

PI = math.pi


def cells(n, d=1):
    axis = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    return torch.cartesian_prod(*[axis] * d).reshape(-1, d)


def jittered(n, d, gen):
    return cells(n, d) + (torch.rand(n**d, d, generator=gen, dtype=torch.float64) - 0.5) / n


def sobol(n, d, gen):
    return torch.quasirandom.SobolEngine(d, scramble=True, seed=1).draw(n**d).double()


def at_random(n, d, gen):
    return torch.rand(n**d, d, generator=gen, dtype=torch.float64)


# --- its value --------------------------------------------------------------------------------------------------------

SIDES = {
    "dirichlet": (lambda x: 3 * (2 * PI * x).sin() + (5 * PI * x).sin(), 9 / 2 / (2 * PI) ** 2 + 1 / 2 / (5 * PI) ** 2),
    "neumann": (lambda x: 3 * (2 * PI * x).cos() + (5 * PI * x).cos(), 9 / 2 / (2 * PI) ** 2 + 1 / 2 / (5 * PI) ** 2),
    "periodic": (lambda x: 3 * (2 * PI * x).cos() + (4 * PI * x).sin(), 9 / 2 / (2 * PI) ** 2 + 1 / 2 / (4 * PI) ** 2),
}


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("n", [48, 900])  # by a matrix, by transforms
@pytest.mark.parametrize("points", ["grid", "jittered"])
def test_modes_of_each_kind_of_side_are_weighed_by_their_wavenumber(sides, n, points, gen):
    function, want = SIDES[sides]
    x = cells(n) if points == "grid" else jittered(n, 1, gen)
    norm = energy_norm(3 + 2 * x, (3.0, 5.0), boundary=sides, strength=1)  # twice as long: wavenumbers half as large
    assert norm(function(x)).item() == pytest.approx(4 * want, rel=1e-6 if points == "grid" else 0.02)
    assert norm(function(x)[:, 0]).item() == pytest.approx(norm(function(x)).item())
    both = torch.cat([function(x), 0 * x], 1)
    assert norm(both).item() == pytest.approx(norm(function(x)).item() / 2)


def test_all_modes_of_a_grid_are_seen_and_weigh_the_more_the_lower():
    """The quadratic form is diagonal in sines: |ξ|^-order each, and order 0 is the mean of squares."""
    n = 24
    x = cells(n)
    norm = energy_norm(x, (0.0, 1.0), order=4, strength=0.5)
    k = torch.arange(1, n)
    waves = math.sqrt(2) * (PI * k * x).sin()
    values = torch.stack([norm(w) for w in waves.unbind(1)])
    torch.testing.assert_close(values, (PI * k.double()) ** -2, rtol=1e-6, atol=0)
    r = torch.randn(n, dtype=torch.float64)
    torch.testing.assert_close(energy_norm(x, (0.0, 1.0), order=0)(r), r.square().mean())


@pytest.mark.parametrize(("d", "n"), [(2, 12), (2, 40), (3, 6), (3, 10)])
def test_more_dimensions_with_sides_of_their_own(d, n):
    sides, high = ("dirichlet", "neumann", "periodic")[:d], (1.0, 2.0, 3.0)[:d]
    unit = cells(n, d)
    x = unit * torch.tensor(high, dtype=torch.float64)
    wave = (2 * PI * unit[:, 0]).sin() * (PI * unit[:, 1]).cos() * ((2 * PI * unit[:, 2]).sin() if d == 3 else 1)
    size = (2 * PI) ** 2 + (PI / 2) ** 2 + ((2 * PI / 3) ** 2 if d == 3 else 0)
    norm = energy_norm(x, ((0.0,) * d, high), boundary=sides, strength=1)
    assert norm(wave).item() == pytest.approx(2.0**-d / size, rel=1e-6)


def test_matrix_and_transforms_are_one_number_and_gradient(gen):
    x = jittered(20, 2, gen)
    few = energy_norm(x, (0.0, 1.0))
    many = energy_norm(x, (0.0, 1.0))
    many.matrix = None
    assert few.matrix is not None
    found = []
    for norm in (few, many):
        r = torch.randn(400, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
        (slope,) = torch.autograd.grad(norm(r), r)
        found.append((norm(r), slope))
    torch.testing.assert_close(found[0], found[1], rtol=1e-9, atol=1e-12)


def test_nothing_is_left_unseen_at_scattered_points(gen):
    """Any residual has a norm, at least that of the highest mode."""
    norm = energy_norm(jittered(40, 1, gen), (0.0, 1.0))
    smallest = torch.linalg.eigvalsh((norm.matrix + norm.matrix.mT) / 2)[0].item()
    assert smallest * 40 >= 0.99 * norm.rest > 0


def test_it_is_in_the_points_precision_and_takes_half(gen):
    x = jittered(30, 1, gen)
    r = torch.randn(30, 1, generator=gen)
    norm = energy_norm(x.float(), (0.0, 1.0))
    assert norm(r).dtype == torch.float32
    assert norm(r).item() == pytest.approx(energy_norm(x, (0.0, 1.0))(r.double()).item(), rel=1e-4)
    assert norm(r.bfloat16()).item() == pytest.approx(norm(r).item(), rel=0.05)


def test_it_moves_and_is_printed(gen):
    norm = energy_norm(cells(16), (0.0, 1.0))
    assert "modes=(31,)" in repr(norm) and norm.period == (2.0,)
    norm.load_state_dict(norm.state_dict())
    assert not list(norm.parameters())


# --- points -----------------------------------------------------------------------------------------------------------


@planners_algorithm
@pytest.mark.parametrize(("n", "d"), [(32, 1), (200, 1), (16, 2), (8, 3)])
@pytest.mark.parametrize("draw", [jittered, sobol, at_random])
def test_random_points_are_told_from_jittered_and_quasi_random_ones(draw, n, d, gen):
    for _ in range(4 - d):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            norm = energy_norm(draw(n, d, gen), (0.0, 1.0))
        assert bool(caught) == (draw is at_random), (norm.residual, norm.amplification)
    if caught:
        assert issubclass(caught[0].category, RandomPointsWarning) and "jittered" in str(caught[0].message)
        assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("points", "modes"),
    [(cells(64), 127), (torch.linspace(0, 1, 64)[:, None], 65), ((1 - (PI * cells(64)).cos()) / 2, 65)],
)
def test_grids_use_as_many_modes_as_they_can(points, modes):
    """Cells' centres tell apart all; grids with their ends, or of Chebyshev's points, half as many."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert energy_norm(points, (0.0, 1.0)).modes == (modes,)


def test_modes_may_be_told(gen):
    assert energy_norm(jittered(40, 1, gen), (0.0, 1.0), modes=21).modes == (21,)
    assert energy_norm(jittered(8, 2, gen), (0.0, 1.0), modes=(5, 7)).modes == (5, 7)


@pytest.mark.parametrize(
    ("named", "change", "error"),
    [
        ("points", {"points": torch.rand(9, 4)}, ValueError),
        ("points", {"points": torch.rand(9, 1) + 1}, ValueError),
        ("points", {"points": torch.rand(9, 1) - 0.5}, ValueError),
        ("x", {"points": [0.1, 0.2]}, TypeError),
        ("domain", {"domain": 1.0}, ValueError),
        ("domain", {"domain": (1.0, 0.0)}, ValueError),
        ("domain", {"domain": ((0.0, 0.0), (1.0, 1.0))}, ValueError),
        ("order", {"order": -1.0}, ValueError),
        ("order", {"order": "two"}, ValueError),
        ("strength", {"strength": -1.0}, ValueError),
        ("boundary", {"boundary": "robin"}, ValueError),
        ("boundary", {"boundary": ("dirichlet", "neumann")}, ValueError),
        ("modes", {"modes": 0}, ValueError),
        ("modes", {"modes": (3, 3)}, ValueError),
    ],
)
def test_bad_arguments_are_named(named, change, error):
    arguments = {"points": cells(9), "domain": (0.0, 1.0)} | change
    with pytest.raises(error, match=rf"^{named}: "):
        energy_norm(**arguments)


@pytest.mark.parametrize(
    ("residual", "error"),
    [
        (torch.rand(8).double(), ValueError),
        (torch.rand(9, 1, 1).double(), ValueError),
        (torch.rand(9), TypeError),
        (1.0, TypeError),
    ],
)
def test_bad_residuals_are_named(residual, error):
    with pytest.raises(error, match="^residual: "):
        energy_norm(cells(9), (0.0, 1.0))(residual)


def test_quadrature_says_its_residual(gen):
    """√M times the root mean square of what is left of the conditions."""
    for x, modes in ((jittered(60, 1, gen), 15), (at_random(60, 1, gen), 41)):
        found = quadrature(x, modes, period=1.0, report=True)
        torch.testing.assert_close(found.weights, quadrature(x, modes, period=1.0))
        left = fs.reference.nufft1(2 * PI * x, found.weights, (2 * modes - 1,))
        left[modes - 1] -= 1
        assert found.residual == pytest.approx(math.sqrt(60) * left.abs().square().mean().sqrt().item(), rel=1e-3)
        assert found.amplification == pytest.approx(60 * found.weights.square().sum().item())
        assert (found.residual < 0.01) == (modes == 15)


# --- training ---------------------------------------------------------------------------------------------------------


@planners_algorithm
def test_a_plain_network_solves_a_multiscale_equation_sooner():
    """-u″ = g with modes 1, 4, 8 and 24, at jittered points: a fifth of the error that mean squares leave, or less."""
    gen = torch.Generator().manual_seed(0)
    x = (2 * jittered(192, 1, gen) - 1).float()
    rates = torch.tensor([1.0, 4.0, 8.0, 24.0]) * PI / 2
    sizes = torch.tensor([1.0, 0.25, 0.125, 0.04])

    def solution(x):
        return ((rates * (x + 1)).sin() * sizes).sum(1, keepdim=True)

    source = ((rates * (x + 1)).sin() * sizes * rates**2).sum(1, keepdim=True)
    errors = []
    for loss in (lambda r: r.square().mean(), energy_norm(x, (-1.0, 1.0))):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(1, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 1))
        optimizer, scale = torch.optim.Adam(net.parameters(), 1e-2), loss(source)
        for _ in range(300):
            z = x.clone().requires_grad_()
            (slope,) = torch.autograd.grad(((1 - z**2) * net(z)).sum(), z, create_graph=True)
            (second,) = torch.autograd.grad(slope.sum(), z, create_graph=True)
            optimizer.zero_grad()
            (loss(-second - source) / scale).backward()
            optimizer.step()
        t = torch.linspace(-1, 1, 301)[:, None]
        with torch.no_grad():
            errors.append((((1 - t**2) * net(t) - solution(t)).norm() / solution(t).norm()).item())
    assert errors[1] < 0.2 * errors[0] and errors[1] < 0.03
