"""The neural operator at scattered points: it learns, and its layer is the usual one where points are a grid."""

import importlib.util
from pathlib import Path

import pytest
import torch

EXAMPLE = Path(__file__).parents[2] / "examples" / "scattered_operator.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("scattered_operator", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_is_short():
    assert len(EXAMPLE.read_text().splitlines()) < 60


def test_it_learns(example):
    torch.manual_seed(0)
    assert example.error_after(0) > 0.9
    assert example.error_after(10) < 0.7


def test_on_a_grid_the_layer_is_that_of_ffts(example):
    n, modes = 12, (5, 5)
    axis = torch.arange(n) / n
    x, v = torch.cartesian_prod(axis, axis), torch.randn(2, 3, n * n)
    layer = example.SpectralConv(3, modes)
    spectrum = torch.fft.fftshift(torch.fft.fft2(v.view(2, 3, n, n)), dim=(-2, -1))
    low = slice(n // 2 - 2, n // 2 + 3)
    kept = torch.zeros_like(spectrum)
    kept[..., low, low] = torch.einsum("bixy,ioxy->boxy", spectrum[..., low, low], layer.weight)
    expected = torch.fft.ifft2(torch.fft.ifftshift(kept, dim=(-2, -1))).real
    torch.testing.assert_close(layer(v, x, 1 / n**2), expected.flatten(-2), rtol=1e-4, atol=1e-4)
