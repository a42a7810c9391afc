"""Networks trained below the critical rate, and the weight of a residual's norm: their parts, and what they found."""

import pytest
import torch
from samples import planners_algorithm

import fastspec as fs
from fastspec.recipes import RECIPES, limit, pinn_operator, run_recipe

pytestmark = planners_algorithm


@pytest.mark.slow
@pytest.mark.parametrize("name", ["limit", "pinn-operator"])
def test_quick_runs_find_what_they_found(name, tmp_path):
    checks = run_recipe(RECIPES[name], tmp_path, quick=True)["checks"]
    held = {
        "limit": ["1-D: the error has turned up at 0.5", "2-D: the error has turned up at 1"],
        "pinn-operator": ["the tilt grows with the weight", "a weight between errs least"],
    }
    assert all(checks[part] for part in held[name]), checks


def test_the_filter_gives_the_network_the_rates_asked_for():
    task = limit.problem(torch.nn.ReLU(), 1, 0, 20, 0.3, 64)
    rates, k = limit.own_rates(task, 33)
    wanted = (1 + k.square()) ** -0.4
    model = fs.nn.Filtered(task.make(), 0.0, 33, multiplier=limit.multiplier(rates, k, 0.8))
    found = fs.measure.ntk_rates(model, limit.torus_grid(33, 1), 33)
    assert torch.allclose(found / found.sum(), wanted / wanted.sum(), rtol=1e-6)
    assert found.sum().item() == pytest.approx(rates.sum().item(), rel=1e-6)


def test_networks_begin_at_zero_and_alike():
    task = limit.problem(torch.nn.ReLU(), 2, 3, 4, 0.3, 16)
    first, second = task.make(), task.make()
    assert not first(task.x).any() and task.x.shape == (16, 2)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert task.error(limit.clean(task.test)) == 0 and task.error(0 * limit.clean(task.test)) == 1


def test_the_operator_is_minus_the_second_derivative():
    model = pinn_operator.Pinned(pinn_operator.QUICK)
    model.net = torch.nn.Sequential(torch.nn.Linear(1, 1))  # u = (1 - x²)(wx + b), -u'' = 6wx + 2b
    x = torch.linspace(-1, 1, 9)[:, None].requires_grad_()
    weight, bias = (p.detach() for p in model.net[0].parameters())
    assert torch.allclose(model.operator(x), 6 * weight * x + 2 * bias, atol=1e-5)
    assert not model(x)[[0, -1]].any()


def test_a_tilt_is_positive_where_low_modes_lead():
    errors = torch.tensor([[1.0, 1.0], [0.1, 1.0]])
    assert pinn_operator.tilt({"errors": errors}) == pytest.approx(0.5)
    assert pinn_operator.tilt({"errors": errors.flip(1)}) == pytest.approx(-0.5)
