"""The filter on the model: by its equation, and what it does to the kernel."""

import math

import pytest
import torch
from torch import nn

import fastspec as fs

TAU = 2 * math.pi


class Waves(nn.Module):
    """cos 2x + sin 5x in a box of 2π."""

    def forward(self, x):
        return (2 * x).cos() + (5 * x).sin()


def test_each_mode_is_multiplied():
    filtered = fs.nn.Filtered(Waves(), 2.0, 21)
    x = torch.rand(30, 1, dtype=torch.float64) * 20
    want = math.sqrt(5) * (2 * x).cos() + math.sqrt(26) * (5 * x).sin()
    torch.testing.assert_close(filtered(x), want)
    assert filtered(x.float()).dtype == torch.float32
    flat = fs.nn.Filtered(Waves(), 2.0, 21, flat=True)
    torch.testing.assert_close(flat(x[:, 0]), want[:, 0])


def test_the_box_may_begin_anywhere_and_the_multiplier_be_ones_own():
    shifted = nn.Sequential(Shift(3.0, TAU / 4), Waves())
    band = fs.nn.Filtered(shifted, 0.0, 21, period=4.0, low=3.0, multiplier=lambda k: (k[..., 0].abs() < 4).double())
    x = 3 + 4 * torch.rand(30, 1, dtype=torch.float64)
    torch.testing.assert_close(band(x), (2 * (x - 3) * TAU / 4).cos())


class Shift(nn.Module):
    def __init__(self, low, scale):
        super().__init__()
        self.low, self.scale = low, scale

    def forward(self, x):
        return (x - self.low) * self.scale


def test_no_filter_is_the_model_for_even_and_odd_modes_in_two_dimensions():
    class Plane(nn.Module):
        def forward(self, x):
            return torch.stack([x[:, 0].sin() * (2 * x[:, 1]).cos(), x[:, 1].cos()], 1)

    x = torch.rand(40, 2, dtype=torch.float64) * TAU
    torch.testing.assert_close(fs.nn.Filtered(Plane(), 0.0, (9, 8))(x), Plane()(x))


class Periodic(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 1)).double()

    def forward(self, x):
        return self.net(torch.cat([x.cos(), x.sin()], -1))


@pytest.mark.parametrize("exponent", [1.5, -1.0])
def test_the_kernels_rates_change_by_the_power_told(exponent):
    """λ_k (1 + k²)^{exponent/2}: an exponent of that much less."""
    torch.manual_seed(0)
    model = Periodic()
    x = (torch.arange(33, dtype=torch.float64) * TAU / 33)[:, None]
    plain = fs.measure.ntk_rates(model, x, 33)
    rates = fs.measure.ntk_rates(fs.nn.Filtered(model, exponent, 33), x, 33)
    k = torch.arange(-16, 17).double()
    torch.testing.assert_close(rates / plain, (1 + k**2) ** (exponent / 2), rtol=1e-6, atol=0)


def test_it_trains_and_moves():
    torch.manual_seed(0)
    filtered = fs.nn.Filtered(Periodic(), 1.0, 33)
    x = torch.rand(20, 1, dtype=torch.float64)
    filtered(x).square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in filtered.parameters())
    assert "model.net.0.weight" in filtered.state_dict() and "exponent=1" in repr(filtered)
