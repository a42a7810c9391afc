"""What a diagnosis says before training, beside what training does."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

import fastspec as fs

TAU = 2 * math.pi


def data(count=300):
    gen = torch.Generator().manual_seed(0)
    x = 2 * torch.rand(count, 1, generator=gen) - 1
    y = (TAU * 0.75 * x).sin() + 0.5 * (TAU * 9 * x).sin() + 0.05 * torch.randn(count, 1, generator=gen)
    return x, y


def network(width=32):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(1, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1))


@pytest.fixture(scope="module")
def diagnosed():
    x, y = data()
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    before, drawn = copy.deepcopy(model.state_dict()), torch.random.get_rng_state()
    found = fs.diagnose(model, x, y, optimizer)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not optimizer.state and all(p.grad is None for p in model.parameters())
    assert torch.equal(torch.random.get_rng_state(), drawn)
    return found


def test_the_lines_are_those_of_the_data_in_the_order_of_learning(diagnosed):
    assert diagnosed.frequency.flatten().tolist() == pytest.approx([0.75, 9], abs=0.02)
    assert diagnosed.amplitude.tolist() == pytest.approx([1, 0.5], abs=0.1)
    assert diagnosed.rate[0] > 10 * diagnosed.rate[1]
    assert diagnosed.learnt == [True, False] and diagnosed.steps[0] < 200 < 1000 < diagnosed.steps[1]
    assert [row["frequency"] for row in diagnosed.table] == diagnosed.frequency.flatten().tolist()


def test_training_does_as_was_said(diagnosed):
    x, y = data()
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    monitor = fs.SpectralMonitor(x, y, period=1.0, peaks=diagnosed.frequency)
    for step in range(501):
        h = model(x)
        monitor.update(step, h)
        optimizer.zero_grad()
        (h - y).square().mean().backward()
        optimizer.step()
    counted, late = monitor.steps_to(0.1).values()
    assert counted == pytest.approx(diagnosed.steps[0].item(), rel=0.2) and late is None
    assert monitor.errors[200].tolist() == pytest.approx(diagnosed.error.tolist(), abs=0.1)


def test_a_diagnosis_prints_draws_and_has_code_that_runs(diagnosed, tmp_path):
    assert str(diagnosed.recommendation) in repr(diagnosed) and "9" in repr(diagnosed)
    diagnosed.plot(tmp_path / "diagnosis.png")
    assert (tmp_path / "diagnosis.png").stat().st_size > 1000
    x, y = data()
    space = {"fs": fs, "model": network(), "x": x, "y": y}
    exec(diagnosed.code, space)
    assert "1 of 2 lines" in diagnosed.reason and "retune" in diagnosed.code
    assert (
        fs.diagnose(space["model"], x, y, torch.optim.Adam(space["model"].parameters(), 3e-3)).recommendation == "train"
    )


def test_gradient_descent_has_the_rate_of_the_tangent_kernel():
    x, y = data(100)
    model = network(8)
    frequencies = torch.tensor([0.75, 9.0])
    found = fs.diagnose(model, x, y, torch.optim.SGD(model.parameters(), 1e-9), frequencies=frequencies)
    rates = fs.measure.ntk_rates(model, x, frequencies, period=1.0).sort(descending=True).values
    torch.testing.assert_close(found.rate.float(), rates * 1e-9 * 2 / 100, rtol=0.2, atol=0)


def test_frequencies_that_are_given_are_fitted_and_not_searched_for():
    x, y = data()
    found = fs.diagnose(network(8), x, y, frequencies=np.array([9.0, 0.75]))
    by_frequency = dict(zip(found.frequency.flatten().tolist(), found.amplitude.tolist(), strict=True))
    assert by_frequency[0.75] == pytest.approx(1, abs=0.05) and by_frequency[9.0] == pytest.approx(0.5, abs=0.05)
    assert found.false_alarm.max() < 1e-20
    wide = 3 * torch.randn(200, 5, generator=torch.Generator().manual_seed(0))  # of which none could be searched for
    away = torch.tensor([[0.05, 0, 0, 0, 0.1]])
    net = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1))
    assert len(fs.diagnose(net, wide, (TAU * wide @ away.mT).sin(), frequencies=away).steps) == 1


def test_what_weekly_samples_cannot_tell_is_named():
    x = torch.arange(400, dtype=torch.float64)[:, None] / 52
    y = (TAU * x).sin() + 0.05 * torch.randn(400, 1, generator=torch.Generator().manual_seed(0)).double()
    found = fs.diagnose(network(8).double(), x, y)
    assert found.alias[0] == pytest.approx(51, abs=0.1)
    assert fs.diagnose(network(8), *data(100), frequencies=torch.tensor([3.0])).alias == [None]


def test_an_equation_is_diagnosed_by_its_residual():
    x = torch.linspace(-1, 1, 100)[:, None]
    rates = math.pi * torch.tensor([1.0, 8.0])
    source = ((x * rates).sin() * rates**2 * torch.tensor([1.0, 0.1])).sum(1, keepdim=True)

    def operator(model, x):
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(((1 - x**2) * model(x)).sum(), x, create_graph=True)
        return -torch.autograd.grad(slope.sum(), x, create_graph=True)[0]

    found = fs.diagnose(network(8), x, source, operator=operator, frequencies=torch.tensor([0.5, 4.0]), horizon=9000)
    assert found.recommendation == "energy norm" and found.rate.isfinite().all()
    late = fs.diagnose(network(8), x, source, operator=operator, frequencies=torch.tensor([0.5, 4.0]), horizon=250)
    assert late.recommendation == "retune" and "order=2" in late.code
    space = {"fs": fs, "model": network(8), "x": x, "y": source, "operator": operator}
    exec(late.code, space)
    assert len(space["model"][0].B) and space["loss"].isfinite()


@pytest.mark.parametrize(
    ("error", "named", "call"),
    [
        (TypeError, "model", lambda: fs.diagnose(torch.sin, *data(50))),
        (ValueError, "horizon", lambda: fs.diagnose(network(), *data(50), horizon=0)),
        (ValueError, "y", lambda: fs.diagnose(network(), data(50)[0], torch.ones(50, 1))),
        (ValueError, "frequencies", lambda: fs.diagnose(network(), *data(50), frequencies=torch.ones(2, 3))),
    ],
)
def test_what_cannot_be_diagnosed_is_named(error, named, call):
    with pytest.raises(error, match=named):
        call()
