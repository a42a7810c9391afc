"""Models reflected at the ends of their box."""

import math

import pytest
import torch
from torch import nn

import fastspec as fs
import fastspec.nn as fsnn


@pytest.mark.parametrize("d", [1, 2])
def test_reflected_models_are_even_about_both_ends_and_the_model_between(d):
    model, low, high = nn.Linear(d, 1).double(), [0.5, -1.0][:d], [2.0, 3.0][:d]
    even = fsnn.Reflected(model, low, high)
    low, period = torch.tensor(low).double(), torch.tensor(even.period).double()
    x = low + torch.rand(9, d).double() * period / 2
    torch.testing.assert_close(even(x), model(x))
    torch.testing.assert_close(even(x + 3 * period), model(x))
    mirrored = even.points(x)
    assert mirrored.shape == (9 * 2**d, d) and len(mirrored.unique(dim=0)) == 9 * 2**d
    torch.testing.assert_close(mirrored[:9], x)
    torch.testing.assert_close(even(mirrored), even.values(model(x)))
    flat = fsnn.Reflected(nn.Identity(), 0.0, 1.0)
    torch.testing.assert_close(flat.points(torch.tensor([0.2, 0.7])), torch.tensor([0.2, 0.7, -0.2, -0.7]))
    with pytest.raises(ValueError, match="^high: "):
        fsnn.Reflected(model, 1.0, 1.0)
    with pytest.raises(ValueError, match="^x: "):
        even.points(torch.rand(4, 3))


@pytest.mark.parametrize("odd", [True, (True, False), (False, True)])
def test_odd_models_change_their_sign_at_the_ends_told(odd):
    torch.manual_seed(0)
    model, d = nn.Linear(2, 3).double(), 2
    low, high = torch.tensor([0.5, -1.0]).double(), torch.tensor([2.0, 3.0]).double()
    both = fsnn.Reflected(model, low.tolist(), high.tolist(), odd=odd)
    x = low + torch.rand(9, d).double() * (high - low)
    torch.testing.assert_close(both(x), model(x))
    for axis, flips in enumerate((True, True) if odd is True else odd):
        for end in (low, high):
            image = x.clone()
            image[:, axis] = 2 * end[axis] - x[:, axis]
            torch.testing.assert_close(both(image), -model(x) if flips else model(x))
    mirrored = both.points(x)
    torch.testing.assert_close(both(mirrored), both.values(model(x)))
    torch.testing.assert_close(both.values(model(x)[:, 0]), both.values(model(x))[:, 0])


def test_what_is_odd_and_periodic_is_zero_at_both_ends():
    odd = fsnn.Reflected(nn.Linear(1, 1), -1.0, 1.0, odd=True)
    assert torch.equal(odd(torch.tensor([[-1.0], [1.0], [3.0]])), torch.zeros(3, 1))


def test_modes_of_an_odd_model_are_sines():
    odd = fsnn.Reflected(nn.Identity(), 0.0, math.pi, odd=True)
    x = (torch.arange(64).double() + 0.5) * math.pi / 64
    modes = fs.nufft1(odd.points(x), odd.values((3 * x).sin()), 31, period=odd.period) / 128
    want = torch.zeros(31, dtype=torch.complex128)
    want[15 - 3], want[15 + 3] = 0.5j, -0.5j
    torch.testing.assert_close(modes, want, rtol=0, atol=1e-10)
