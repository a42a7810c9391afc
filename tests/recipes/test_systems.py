"""Each recipe of several seeds at a size that tests its working, and at its quick size, marked slow, its claim."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import fastspec as fs
from fastspec.recipes import (
    RECIPES,
    beyond_gd,
    broad_learning,
    complexity,
    dff,
    dnn_jacobi,
    f_principle,
    f_principle_exceptions,
    f_principle_images,
    f_principle_parity,
    f_principle_photograph,
    grokking,
    lfp,
    lfp_evolution,
    limit,
    mauna_loa,
    momentum,
    multi_stage,
    pinn_operator,
    plug_in,
    poisson,
    polynomial,
    precondition,
    precondition_equations,
    run_recipe,
    upper_limit,
    walsh,
)
from fastspec.recipes.trials import in_order

TINY = {
    "limit": replace(limit.QUICK, sides=(8, 3), grids=((9, 17), (5, 9)), theory=(65, 9), width=8, steps=3),
    "pinn-operator": replace(pinn_operator.QUICK, points=16, hidden=(4,), half_waves=(1, 3), sizes=(1.0, 0.1), steps=6),
    "precondition-equations": replace(
        precondition_equations.QUICK, points=20, phase_width=4, scale_width=3, scales=2, steps=3
    ),
    "multi-stage": replace(multi_stage.QUICK, width=4, points=30, iterations=40, stages=2),
    "momentum": replace(momentum.QUICK, width=20, points=8, steps=20),
    "polynomial": replace(polynomial.QUICK, parameters=60, points=32, wavenumbers=(2, 4), steps=10, even_modes=(2, 4)),
    "broad-learning": replace(
        broad_learning.QUICK, points=50, nodes=40, intervals=32, poisson_nodes=(12, 30), sweeps=50
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
    "f-principle-photograph": replace(f_principle_photograph.QUICK, hidden=(4,), steps=20, every=10),
    "f-principle-parity": replace(f_principle_parity.QUICK, hidden=(4,), steps=5),
    "lfp": replace(lfp.QUICK, neurons=20, most_steps=10, modes=(257, 17)),
    "lfp-evolution": replace(lfp_evolution.QUICK, neurons=20, points=20, steps=40, modes=65),
    "f-principle": replace(f_principle.QUICK, points=40, hidden=(4,), steps=5, modes=20),
    "plug-in": replace(plug_in.QUICK, points=60, hidden=(4,), steps=3, inducing=20),
    "mauna-loa": replace(mauna_loa.QUICK, hidden=(4,), envelope_width=2, steps=5, soon=2),
    "upper-limit": replace(upper_limit.QUICK, line=(7, 11, 15), plane=(5, 7, 9)),
    "walsh": replace(walsh.QUICK, spectrum_steps=5, tasks=(replace(walsh.QUICK.tasks[0], steps=50),)),
    "precondition": replace(precondition.QUICK, points=60, width=4, steps=6, modes=32, sigmas=(2.0,)),
}
SKLEARN = ("f-principle-images", "f-principle-photograph", "complexity", "dff")
NEEDS = {**dict.fromkeys(SKLEARN, "sklearn"), "beyond-gd": "scipy"}

LONG = {"precondition", "upper-limit", "mauna-loa", "walsh"}  # take half a second a seed

# What came out at the quick size, a finding either way; two were too near their thresholds to be held to it.
HELD = (
    *("f-principle", "f-principle-images", "f-principle-photograph", "f-principle-parity", "plug-in", "mauna-loa"),
    *("upper-limit", "walsh", "lfp", "polynomial", "grokking", "beyond-gd", "dff"),
)
FAILED = ("precondition", "dnn-jacobi", "momentum", "f-principle-exceptions", "multi-stage")
FOUND = {**dict.fromkeys(HELD, True), **dict.fromkeys(FAILED, False)}


@pytest.mark.parametrize("name", TINY)
def test_tiny_runs_write_what_they_say(name, tmp_path):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    recipe = replace(RECIPES[name], quick=replace(TINY[name], seeds=1 if name in LONG else 2))
    result = run_recipe(recipe, tmp_path, quick=True)
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


def test_every_recipe_is_tested():
    """Here, or in a file of its own beside this one."""
    others = "".join(
        path.read_text() for path in Path(__file__).parent.glob("test_*.py") if path.name != Path(__file__).name
    )
    assert set(TINY) <= set(RECIPES)
    assert [name for name in RECIPES if name not in TINY and f'"{name}"' not in others] == []


def test_an_order_ends_in_what_is_never_reached():
    inf = float("inf")
    assert in_order([1, 2, 5]) and in_order([1, 2, None]) and in_order([1, inf, inf])
    assert not any(map(in_order, ([1, 1, 2], [2, 1, None], [1, None, 2], [None, None], [inf, 3])))


def test_the_photograph_is_seen_by_every_other_column():
    x, y = f_principle_photograph.load_photograph(torch.device("cpu"))
    side = f_principle_photograph.SIDE
    assert x.shape == (side**2, 2) and y.mean().abs() < 1e-5 and y.std() == pytest.approx(1, abs=1e-4)
    assert torch.equal(x[:side, 0], x[0, 0].expand(side)) and torch.all(x[:side, 1].diff() > 0)
    across = y.reshape(side, side)
    assert (across[: side // 8].mean() - across.mean()).abs() > 0.3  # the sky is above


def test_each_band_of_the_solution_has_something_in_it():
    """It is odd: a band about an odd number of quarters would hold rounding alone."""
    x = torch.linspace(-1, 1, 513, dtype=torch.float64)
    trace = dnn_jacobi.Trace(x, poisson.solution(x))
    trace.note(0, 0.0, torch.zeros_like(x))
    trace.note(1, 0.0, poisson.solution(x) * 0.5)
    assert torch.allclose(trace.monitor.errors, torch.tensor([[1.0] * 3, [0.5] * 3]).double())
    sizes = poisson.solution(x).square().mean()
    u = torch.zeros_like(x)
    for lo, hi in dnn_jacobi.BANDS:
        k = torch.arange(1, 100) / 4
        for f in k[(k >= lo) & (k < hi)].tolist():
            wave = (2 * torch.pi * f * (x + 1)).sin()
            u += wave * (poisson.solution(x) * wave)[1:].mean() * 2
    assert (u - poisson.solution(x)).square().mean() < 0.01 * sizes


def test_clones_are_held_against_a_repetition_of_the_real():
    """As far apart as two trainings on the same images: together."""
    settings = replace(complexity.QUICK, young=0.7)
    trial = {complexity.REAL: [0.3, 0.6, 0.9], complexity.AGAIN: [0.2, 0.6, 0.9]}
    clones = {complexity.MEANS: [0.4, 0.6, 0.8], complexity.COVARIANCES: [0.3, 0.52, 0.9]}
    assert complexity.early_gap(trial | clones, settings) == pytest.approx(0.1)
    assert complexity.early_gap(trial | clones, settings, (complexity.AGAIN,)) == pytest.approx(0.1)


def test_a_mode_without_a_rate_has_no_ratio():
    assert momentum.fastest_over_slowest([4.0, 1.0]) == 4
    assert momentum.fastest_over_slowest([4.0, float("nan")]) == float("inf")


def test_stages_are_trained_one_after_the_other():
    settings = replace(precondition.QUICK, points=40, width=4, steps=6, stages=3)
    x = torch.linspace(-3, 3, 40)[:, None]
    data = precondition.Data(x, x.sin(), settings)
    monitor = fs.SpectralMonitor(x, data.y, None, peaks=torch.tensor([1.0]))
    model, loss = precondition.WAYS[precondition.STAGES](data)
    precondition.in_stages("stages", model, loss, data, monitor)
    assert len(model.stages) == 3 and monitor.steps == [0, 1, 2, 2, 3, 4, 4, 5, 6]
    scaled = precondition.of_size(loss, model.stages[-1].size)
    assert torch.allclose(scaled(model(x), data.y), model.loss(x, data.y), rtol=1e-4)


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
