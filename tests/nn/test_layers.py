"""Activations, sine layers, polynomial and broad networks, frequency filters."""

import pytest
import torch
from torch import nn

import fastspec.nn as fsnn

# --- adaptive activations ---


@pytest.mark.parametrize("features", [None, 5])
def test_adaptive_activation_starts_as_the_plain_one(features):
    module = fsnn.AdaptiveActivation("tanh", n=20.0, features=features)
    x = torch.randn(3, 5)
    torch.testing.assert_close(module(x), x.tanh())
    with torch.no_grad():
        module.a.mul_(3)
    torch.testing.assert_close(module(x), (3 * x).tanh())
    assert module.a.shape == (() if features is None else (5,))


def test_adaptive_slope_moves_with_the_square_of_n():
    """A step in a moves the slope n a by n times the gradient, itself n times larger."""
    x = torch.linspace(-1, 1, 50)
    moved = {}
    for n in (1.0, 10.0):
        module = fsnn.AdaptiveActivation("tanh", n=n)
        (module(x) - (2 * x).tanh()).square().mean().backward()
        moved[n] = n * module.a.grad.item()
    assert moved[10.0] == pytest.approx(100 * moved[1.0], rel=1e-4)


def test_rowdy_is_its_sum_and_starts_as_the_plain_one():
    module = fsnn.Rowdy("tanh", terms=3, n=2.0, features=4)
    x = torch.randn(7, 4)
    torch.testing.assert_close(module(x), x.tanh())
    with torch.no_grad():
        module.alpha.normal_()
        module.omega.normal_()
    a, w = module.alpha, module.omega
    want = a[0] * (w[0] * x).tanh() + a[1] * 2 * (2 * w[1] * x).sin() + a[2] * 2 * (4 * w[2] * x).sin()
    torch.testing.assert_close(module(x), want)


# --- SIREN ---


def test_sine_layers_keep_their_distribution_with_depth():
    """Standard normal before each sine and arcsine-distributed after, of variance one half, as SIREN's theorem says."""
    torch.manual_seed(0)
    h = fsnn.SineLayer(1, 512, omega=30.0, first=True)(2 * torch.rand(1000, 1) - 1)
    for _ in range(4):
        layer = fsnn.SineLayer(512, 512, omega=30.0)
        inner = 30 * nn.functional.linear(h, layer.weight)
        assert inner.std().item() == pytest.approx(1, abs=0.1)
        h = layer(h)
        assert h.var().item() == pytest.approx(0.5, abs=0.05)


def test_sine_layer_is_its_equation():
    layer = fsnn.SineLayer(3, 8, omega=7.0, first=True)
    x = torch.randn(2, 5, 3)
    torch.testing.assert_close(layer(x), (7 * (x @ layer.weight.mT + layer.bias)).sin())
    assert layer.weight.abs().max() <= 1 / 3


# --- polynomial networks ---


@pytest.mark.parametrize("degree", [1, 2, 4])
def test_polynet_is_a_polynomial_of_its_degree(degree):
    torch.manual_seed(0)
    model = fsnn.PolyNet(3, 2, width=16, degree=degree).double()
    origin, direction = torch.randn(2, 3, dtype=torch.float64)
    line = model(origin + torch.arange(degree + 2, dtype=torch.float64)[:, None] * direction)
    differences = line
    for _ in range(degree):
        differences = differences.diff(dim=0)
    assert differences.abs().max() > 1e-6
    torch.testing.assert_close(differences.diff(dim=0), torch.zeros(1, 2, dtype=torch.float64), rtol=0, atol=1e-10)


def test_polynet_is_its_recursion():
    model = fsnn.PolyNet(2, width=8, degree=3, activation="relu")
    z = torch.randn(5, 2)
    u = [
        torch.relu(z @ w.mT + b)
        for w, b in zip(model.factors.weight.split(8), model.factors.bias.split(8), strict=True)
    ]
    x = u[0]
    for factor in u[1:]:
        x = factor * x + x
    torch.testing.assert_close(model(z), x @ model.output.weight.mT + model.output.bias)


# --- broad learning ---


@pytest.mark.parametrize("batch", [7, 1000])
def test_broad_learning_solves_the_ridge_problem(batch):
    torch.manual_seed(0)
    model = fsnn.BroadLearning(2, 3, feature_nodes=8, enhancement_nodes=12, ridge=1e-3).double()
    x, y = torch.randn(60, 2, dtype=torch.float64), torch.randn(60, 3, dtype=torch.float64)
    model.fit(x, y, batch=batch)
    a, unit_y = model.features(x), (y - y.mean(0)) / y.std(0)
    dense = torch.linalg.solve(a.mT @ a + 1e-3 * torch.eye(20, dtype=torch.float64), a.mT @ unit_y)
    torch.testing.assert_close(model.weight, dense, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(model(x), y.mean(0) + y.std(0) * (a @ dense))


def test_broad_learning_improves_as_it_grows_from_low_frequencies_to_high():
    torch.manual_seed(0)
    x = torch.linspace(-1, 1, 400, dtype=torch.float64)
    waves = torch.stack([(2 * x).sin(), (12 * x).sin()], 1)
    model = fsnn.BroadLearning(1, feature_nodes=10, enhancement_nodes=0, scale=4.0).double()
    errors = []
    for nodes in (0, 30, 200):
        old = model.enhancement_weight
        model.grow(nodes).fit(x, waves.sum(1))
        assert torch.equal(model.enhancement_weight[:, : old.shape[1]], old)
        rest = waves.sum(1) - model(x)[:, 0]
        errors.append((waves * rest[:, None]).mean(0).abs() / waves.square().mean(0))
    assert errors[0][0] < 0.01 < 0.1 < errors[0][1]
    assert errors[2][1] < 0.05 * errors[0][1]


# --- deep frequency filter ---


def set_mask(module, value):
    """The mask at that number for every frequency."""
    with torch.no_grad():
        module.attention.weight.zero_()
        module.attention.bias.fill_(value)


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (1, 5)])
def test_a_mask_of_ones_is_the_identity(size):
    x = torch.randn(2, 3, *size)
    module = fsnn.DeepFrequencyFilter(3, embed=False)
    set_mask(module, 50.0)
    torch.testing.assert_close(module(x), x)
    set_mask(module, 0.0)
    torch.testing.assert_close(module(x), x / 2)


def test_frequency_filter_is_its_equation():
    torch.manual_seed(0)
    module = fsnn.DeepFrequencyFilter(3).eval()
    x = torch.randn(2, 3, 8, 9)
    f = torch.fft.rfft2(x, norm="ortho")
    conv, norm, _ = module.embedding
    e = torch.relu(norm(torch.einsum("oc,bchw->bohw", conv.weight[:, :, 0, 0], torch.cat([f.real, f.imag], 1))))
    pooled = torch.stack([e.mean(1), e.max(1).values], 1)
    mask = torch.sigmoid(nn.functional.conv2d(pooled, module.attention.weight, module.attention.bias, padding=3))
    want = torch.fft.irfft2(mask * (e[:, :3] + 1j * e[:, 3:]), s=(8, 9), norm="ortho")
    torch.testing.assert_close(module(x), want)
    assert fsnn.DeepFrequencyFilter(3)(x.bfloat16()).dtype == torch.bfloat16


def test_the_mask_is_of_the_instance():
    torch.manual_seed(0)
    module = fsnn.DeepFrequencyFilter(3, embed=False).eval()
    x = torch.randn(2, 3, 8, 8)
    ratio = torch.fft.rfft2(module(x)).abs() / torch.fft.rfft2(x).abs()
    torch.testing.assert_close(ratio[:, 0], ratio[:, 1], rtol=1e-3, atol=1e-4)  # one mask for all channels
    assert (ratio[0] - ratio[1]).abs().max() > 1e-3 and ratio.max() < 1
