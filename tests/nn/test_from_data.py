"""Networks from data: the origin and unit of x do not matter, and lines are counted where nobody tells how many."""

import math

import pytest
import torch
from torch import nn

import fastspec as fs

TAU = 2 * math.pi

MAKERS = {
    "MscaleMLP": lambda x, y: fs.nn.MscaleMLP.from_data(x, y, width=8),
    "PhaseMLP": lambda x, y: fs.nn.PhaseMLP.from_data(x, y, width=8),
    "SineLayer": lambda x, y: headed(fs.nn.SineLayer.from_data(x, y, 16)),
    "FourierFeatures": lambda x, y: headed(fs.nn.FourierFeatures.from_data(x, y, 8)),
}


def headed(first):
    return nn.Sequential(first, nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1)).to(torch.float64)


def lines(count=200, noise=0.05):
    gen = torch.Generator().manual_seed(1)
    x = torch.rand(count, 1, generator=gen, dtype=torch.float64)
    y = (TAU * 3 * x).sin() + 0.6 * (TAU * 11.3 * x).cos() + noise * torch.randn(count, 1, generator=gen)
    return x, y.double()


def trained(make, x, y, steps):
    torch.manual_seed(0)
    model = make(x, y)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        ((model(x) - y).square().mean() / y.var()).backward()  # or the ε of Adam has a unit
        optimizer.step()
    return model(x).detach()


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize(("unit", "origin"), [(20.0, 2000.0), (1e-3, -5.0)])
def test_training_does_not_depend_on_the_origin_and_unit_of_x(name, unit, origin):
    x, y = lines()
    want = trained(MAKERS[name], x, y, 20)
    got = trained(MAKERS[name], unit * x + origin, y, 20)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-5)


WHOLE = {name: MAKERS[name] for name in ("MscaleMLP", "PhaseMLP")}


@pytest.mark.parametrize("name", WHOLE)
def test_training_does_not_depend_on_the_origin_and_unit_of_y(name):
    x, y = lines()
    want = trained(WHOLE[name], x, y, 20)
    got = trained(WHOLE[name], x, 300 * y - 4000, 20)
    torch.testing.assert_close((got + 4000) / 300, want, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in MAKERS if name not in WHOLE])
def test_first_layers_do_not_depend_on_the_origin_and_unit_of_y(name):
    x, y = lines()
    made = []
    for values in (y, 300 * y - 4000):
        torch.manual_seed(0)
        made.append(MAKERS[name](x, values)(x))
    torch.testing.assert_close(made[1], made[0], rtol=0, atol=1e-6)


def staged(x, y):
    torch.manual_seed(0)
    model = fs.nn.MultiStage(1, width=8, depth=2).double()
    for _ in range(2):
        optimizer = torch.optim.Adam(model.add_stage(x, y), 1e-2)
        for _ in range(10):
            optimizer.zero_grad()
            model.loss(x, y).backward()
            optimizer.step()
    return model(x).detach()


def grown(x, y):
    torch.manual_seed(0)
    return fs.nn.BroadLearning(1, feature_nodes=20, enhancement_nodes=20, scale=8.0).double().fit(x, y)(x)


@pytest.mark.parametrize("make", [staged, grown])
def test_fits_do_not_depend_on_the_origins_and_units_of_data(make):
    x, y = lines()
    got = make(20 * x + 2000, 300 * y - 4000)
    torch.testing.assert_close((got + 4000) / 300, make(x, y), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_standardised_is_saved(name, tmp_path):
    x, y = lines()
    model, other = MAKERS[name](20 * x + 2000, y), MAKERS[name](x, y)
    torch.save(model.state_dict(), tmp_path / "state.pt")
    other.load_state_dict(torch.load(tmp_path / "state.pt"))
    if name != "SineLayer":  # whose ω0 is no part of the state
        torch.testing.assert_close(other(20 * x + 2000), model(20 * x + 2000))
    assert model(20 * x + 2000).dtype == torch.float64


def test_phase_networks_find_how_many_lines_there_are():
    x, y = lines()
    model = fs.nn.PhaseMLP.from_data(x, y)
    assert sorted(model.frequencies.flatten().tolist()) == pytest.approx([3, 11.3], abs=0.02)
    assert len(fs.nn.PhaseMLP.from_data(x, y, 1).frequencies) == 1
    noise = torch.randn(len(x), generator=torch.Generator().manual_seed(3))
    assert len(fs.nn.PhaseMLP.from_data(x, noise).frequencies) == 0


def test_five_sines_are_learnt_by_a_phase_network_told_nothing():
    torch.manual_seed(0)
    x = (torch.rand(400, 1) * 2 - 1) * math.pi
    k = torch.tensor([1.0, 5.0, 15.0, 30.0, 40.0])
    y = (x * k).sin().sum(1, keepdim=True) / 2 + 0.02 * torch.randn(400, 1)
    left = trained(lambda x, y: fs.nn.PhaseMLP.from_data(x, y), x, y, 60) - y
    assert left.norm() < 0.1 * y.norm()


@pytest.mark.parametrize("activation", ["srelu", "phi"])
def test_compact_supports_lie_all_over_the_data(activation):
    """At the finest scale about as many units of the first layer are active in all parts of the data."""
    torch.manual_seed(0)
    model = fs.nn.MscaleMLP(1, n_scales=6, width=400, depth=1, activation=activation)
    x = torch.linspace(-0.95, 0.95, 100)[:, None]
    first, bias = model.subnetworks.weights[0], model.subnetworks.biases[0]
    h = model.subnetworks.activation(torch.baddbmm(bias, model.scales[:, None, None] * x, first))[-1]
    active = (h > 0).sum(1).reshape(5, 20).double().mean(1)
    assert active.min() > 0.5 * active.max()
