"""Each recipe of several seeds at a size that tests its working, and at its quick size, marked slow, its claim."""

from dataclasses import replace

import pytest
import torch

from fastspec.recipes import (
    RECIPES,
    beyond_gd,
    broad_learning,
    complexity,
    dff,
    dnn_jacobi,
    f_principle_exceptions,
    f_principle_images,
    grokking,
    lfp,
    momentum,
    poisson,
    polynomial,
    run_recipe,
)

TINY = {
    "momentum": replace(momentum.QUICK, width=20, points=8, steps=20),
    "polynomial": replace(polynomial.QUICK, parameters=60, points=32, wavenumbers=(2, 4), steps=10, even_modes=(2, 4)),
    "broad-learning": replace(
        broad_learning.QUICK, points=50, nodes=40, intervals=32, poisson_nodes=(20, 30), sweeps=50
    ),
    "dnn-jacobi": replace(dnn_jacobi.QUICK, intervals=256, hidden=(4,), steps=6, switch=3, every=2),
    "grokking": replace(grokking.QUICK, hidden=(4,), steps=40),
    "beyond-gd": replace(
        beyond_gd.QUICK, points=16, width=3, iterations=3, powell_iterations=1, swarm_iterations=5, particles=5
    ),
    "complexity": replace(complexity.QUICK, clone_size=200, hidden=8, steps=20, every=5),
    "dff": replace(dff.QUICK, channels=2, steps=3, batch=8),
    "f-principle-images": replace(f_principle_images.QUICK, images=100, hidden=(4,), steps=20),
    "f-principle-exceptions": replace(f_principle_exceptions.QUICK, points=40, width=4, steps=5),
    "lfp": replace(lfp.QUICK, neurons=20, most_steps=10, modes=257),
}
NEEDS = {"f-principle-images": "sklearn", "complexity": "sklearn", "dff": "sklearn", "beyond-gd": "scipy"}

# What came out at the quick size, a finding either way.
FOUND = {"beyond-gd": True, "dff": True}


FAST = {"dff", "lfp"}  # the rest take a second or two each


@pytest.mark.parametrize("name", [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in TINY])
def test_tiny_runs_write_what_they_say(name, tmp_path):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    result = run_recipe(replace(RECIPES[name], quick=TINY[name]), tmp_path, quick=True)
    assert result["threshold"] and result["checks"] and result["headline"]
    assert result["holds"] is all(result["checks"].values())
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*result["figures"], "result.json"])
    assert not result["holds"], "untrained networks must not pass"


@pytest.mark.slow
@pytest.mark.parametrize("name", TINY)
def test_quick_runs_find_what_they_found(name, tmp_path):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    result = run_recipe(RECIPES[name], tmp_path, quick=True)
    assert result["holds"] is FOUND.get(name, result["holds"]), result
    assert all((tmp_path / figure).stat().st_size for figure in result["figures"])


def test_jacobi_comes_to_the_solution():
    x = torch.linspace(-1, 1, 65, dtype=torch.float64)
    u = poisson.jacobi(torch.zeros_like(x), poisson.source(x), 20_000)
    exact = poisson.solution(x)
    assert exact[[0, -1]].abs().max() < 1e-12
    assert (u - exact).norm() < 0.1 * exact.norm()  # the differences' own error at k = 24


def test_clones_keep_their_moments():
    torch.manual_seed(0)
    x, y = torch.rand(4000, 3) @ torch.rand(3, 3), torch.arange(4000) % 10
    settings = replace(complexity.QUICK, clone_size=40_000)
    new_x, new_y = complexity.clone(x, y, settings, shared=False)
    for c in range(10):
        assert torch.allclose(new_x[new_y == c].mean(0), x[y == c].mean(0), atol=0.03)
        assert torch.allclose(new_x[new_y == c].mT.cov(), x[y == c].mT.cov(), atol=0.02)


def test_a_rate_is_the_slope_of_the_envelope():
    steps = torch.arange(1000.0)
    assert momentum.rate(torch.exp(-0.01 * steps)) == pytest.approx(0.01, rel=1e-3)
    assert momentum.rate((torch.exp(-0.01 * steps) * (0.3 * steps).cos()).abs()) == pytest.approx(0.01, rel=0.1)
    assert torch.tensor(momentum.rate(torch.ones(10))).isnan()
