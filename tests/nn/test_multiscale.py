"""Networks of several scales or shifts, by their equations, and how they start from data."""

import math

import pytest
import torch
from torch import nn

import fastspec.nn as fsnn
from fastspec.nn.grouped import GroupedMLP


def test_activations_follow_their_formulas():
    x = torch.linspace(-1, 4, 501, dtype=torch.float64)
    inside = (x > 0) & (x < 1)
    torch.testing.assert_close(fsnn.srelu(x), torch.where(inside, x * (1 - x), torch.zeros_like(x)))
    spline = torch.where(x < 1, x**2, torch.where(x < 2, -2 * x**2 + 6 * x - 3, (3 - x) ** 2))
    torch.testing.assert_close(fsnn.phi(x), torch.where((x > 0) & (x < 3), spline, torch.zeros_like(x)))


def test_grouped_networks_equal_separate_ones():
    grouped = GroupedMLP(3, 2, 4, 8, 2, "tanh")
    x = torch.randn(3, 5, 2)
    for g in range(3):
        h = x[g]
        for i, (weight, bias) in enumerate(zip(grouped.weights, grouped.biases, strict=True)):
            h = (h.tanh() if i else h) @ weight[g] + bias[g]
        torch.testing.assert_close(grouped(x)[g], h)


def test_fourier_features_are_cosines_and_sines_of_their_projections():
    features = fsnn.FourierFeatures(2, 16, sigma=3.0)
    x = torch.randn(7, 5, 2)
    phase = 2 * math.pi * x @ features.B.mT
    torch.testing.assert_close(features(x), torch.cat([phase.cos(), phase.sin()], -1))
    assert features.out_features == 32 and features(x.double()).dtype == torch.float64
    assert not list(features.parameters()) and "B" in features.state_dict()


def test_sigma_sets_the_spread_of_frequencies():
    torch.manual_seed(0)
    spread = fsnn.FourierFeatures(2, 20000, sigma=(3.0, 0.5)).B.std(0)
    torch.testing.assert_close(spread, torch.tensor([3.0, 0.5]), rtol=0.03, atol=0)


@pytest.mark.parametrize(
    ("scales", "expected"), [("linear", [1, 2, 3]), ("exponential", [1, 2, 4]), ([1.5, 7.0], [1.5, 7.0])]
)
def test_mscale_sums_subnetworks_of_scaled_inputs(scales, expected):
    model = fsnn.MscaleMLP(2, 3, n_scales=3, scales=scales, width=8, depth=1, activation="phi")
    x = torch.rand(4, 5, 2)
    total = 0
    for i, a in enumerate(expected):
        first, second = model.subnetworks.weights
        b1, b2 = model.subnetworks.biases
        total = total + fsnn.phi(a * x @ first[i] + b1[i]) @ second[i] + b2[i]
    torch.testing.assert_close(model(x), total)


def test_phase_mlp_is_its_equation():
    shifts = torch.tensor([[1.0, 2.0], [-3.0, 0.5]])
    mean, scale = torch.tensor([5.0, 6.0]), torch.tensor([2.0, 4.0])
    model = fsnn.PhaseMLP(shifts, 3, width=8, x_mean=mean, x_scale=scale, y_mean=7.0, y_scale=0.5)
    x = 10 * torch.rand(6, 4, 2)
    flat = x.reshape(-1, 2)
    standard = ((flat - mean) / scale)[None]
    total = model.constant(standard)[0]
    for m, shift in enumerate(shifts):
        a, b = model.envelopes(standard)[m].split(3, -1)
        phase = ((flat - mean) @ shift)[:, None]
        total = total + a * phase.cos() + b * phase.sin()
    torch.testing.assert_close(model(x), (7 + 0.5 * total).reshape(6, 4, 3))
    torch.testing.assert_close(model.frequencies, shifts / (2 * math.pi))


@pytest.mark.parametrize(
    "model",
    [fsnn.FourierFeatures(1, 4), fsnn.MscaleMLP(1, 2, width=4), fsnn.PhaseMLP([1.0, 2.0], 2), fsnn.PhaseMLP([], 2)],
)
def test_a_vector_of_points_is_a_column(model):
    x = torch.rand(9)
    torch.testing.assert_close(model(x), model(x[:, None]))
    assert model(x).shape[0] == 9 and model(x).ndim == 2


@pytest.mark.parametrize("model", [fsnn.MscaleMLP(1, width=4), fsnn.PhaseMLP([1.0, 2.0], width=4)])
def test_every_parameter_learns(model):
    model(torch.rand(50, 1)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def seasons(dtype=torch.float32):
    """A slow rise and two seasonal cycles, with a gap, decades from zero."""
    x = torch.linspace(1990, 2000, 700, dtype=torch.float64)
    x = torch.cat([x[:200], x[260:]])
    late = (x - 1990) / 10
    y = 350 + 20 * late**2 + 3 * torch.sin(2 * math.pi * x) + 0.8 * torch.sin(4 * math.pi * x + 1)
    return x.to(dtype), y.to(dtype)


def test_from_data_finds_shifts_and_standardisation():
    x, y = seasons(torch.float64)
    model = fsnn.PhaseMLP.from_data(x, y, 2)
    assert model.frequencies.flatten().tolist() == pytest.approx([1, 2], abs=3e-3)
    assert model.shifts.flatten().tolist() == pytest.approx([2 * math.pi, 4 * math.pi], abs=2e-2)
    assert next(model.parameters()).dtype == torch.float64
    assert model.x_mean.item() == pytest.approx(x.mean().item(), rel=1e-6)
    assert model.y_scale.item() == pytest.approx(y.std().item(), rel=1e-6)
    assert fsnn.PhaseMLP.from_data(x, y, 0)(x).shape == (len(x), 1)


def test_state_dict_carries_everything():
    x, y = seasons()
    model = fsnn.PhaseMLP.from_data(x, y, 2)
    other = fsnn.PhaseMLP([0.0, 0.0])
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other(x), model(x))


def test_from_data_learns_raw_data_soon():
    torch.manual_seed(0)
    x, y = seasons()
    model = fsnn.PhaseMLP.from_data(x, y, n_frequencies=2)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(150):
        loss = nn.functional.mse_loss(model(x), y[:, None]) / y.var()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    # The seasons are 3 ppm in amplitude: a network without them cannot go below 2.
    assert (model(x)[:, 0] - y).square().mean().sqrt() < 0.6


def test_from_data_takes_planes_and_channels():
    torch.manual_seed(0)
    x = 4 * torch.rand(1500, 2)
    y = torch.stack([(2 * math.pi * (1.5 * x[:, 0] - 2 * x[:, 1])).sin(), x[:, 0]], 1)
    model = fsnn.PhaseMLP.from_data(x, y, 1, max_frequency=4.0)
    assert model.frequencies[0].tolist() == pytest.approx([1.5, -2.0], abs=1e-3)
    assert model(x).shape == (1500, 2)


# --- scales from data ---


def two_lines(d=1):
    gen = torch.Generator().manual_seed(0)
    x = 4 * torch.rand(1500, d, generator=gen)
    k = torch.tensor([[1.0, 6.0]] if d == 1 else [[1.0, 0.0], [2.0, 5.0]]).reshape(d, -1)
    return x, (2 * math.pi * x @ k).sin().sum(1) + 0.01 * torch.randn(1500, generator=gen)


def test_scales_come_from_the_frequencies_of_the_data():
    torch.manual_seed(0)
    x, y = two_lines()
    # Lines of 1 and 6 cycles per unit, of which x, from 0 to 4, spans four: half its extent is the layers' unit.
    assert fsnn.SineLayer.from_data(x, y, 16).omega == pytest.approx(2 * math.pi * 6 * 2, rel=2e-3)
    assert fsnn.FourierFeatures.from_data(x, y, 20000).B.std().item() == pytest.approx(math.sqrt(18.5), rel=0.02)
    scales = fsnn.MscaleMLP.from_data(x, y, width=4).scales
    assert scales[0].item() == 1 and scales[-2] < 6 * 4 <= scales[-1]
    torch.testing.assert_close(scales[1:], 2 * scales[:-1])


def test_bandwidth_is_found_for_each_axis():
    torch.manual_seed(0)
    x, y = two_lines(2)  # the lines (1, 2) and (0, 5)
    spread = fsnn.FourierFeatures.from_data(x, y, 20000, n_lines=2, max_frequency=8.0).B.std(0)
    torch.testing.assert_close(spread, torch.tensor([math.sqrt(0.5), math.sqrt(14.5)]), rtol=0.03, atol=0)
