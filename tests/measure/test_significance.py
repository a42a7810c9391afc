"""How many lines scattered data have, where nobody says."""

import math

import pytest
import torch

from fastspec.measure import dominant_frequencies

TAU = 2 * math.pi


def test_noise_has_no_lines(gen):
    """With a false-alarm probability of 0.01, 40 sets of noise bring forth at most two."""
    sets = (torch.rand(150, generator=gen) for _ in range(40))
    found = [len(dominant_frequencies(x, torch.randn(150, generator=gen), None)) for x in sets]
    assert sum(found) <= 2


@pytest.mark.parametrize("channels", [1, 3])
def test_all_lines_above_the_noise_are_found(gen, channels):
    x = torch.rand(400, generator=gen) * 5 + 100
    wanted = [0.9, 2.3, 4.1, 7.7, 12.2]
    phases = torch.rand(len(wanted), channels, generator=gen) * TAU
    waves = (TAU * x[:, None, None] * torch.tensor(wanted)[:, None] + phases).sin()
    y = waves.sum(1) + 0.5 * torch.randn(400, channels, generator=gen) + x[:, None] ** 2
    assert sorted(dominant_frequencies(x, y, None).flatten().tolist()) == pytest.approx(wanted, abs=0.02)


def test_minute_lines_of_clean_data_are_left(gen):
    x = torch.rand(500, generator=gen, dtype=torch.float64)
    y = (TAU * 5 * x).sin() + 0.3 * (TAU * 9 * x).sin() + 0.01 * (TAU * 20 * x).sin()
    assert sorted(dominant_frequencies(x, y, None).flatten().tolist()) == pytest.approx([5, 9], abs=1e-2)


def test_few_points_have_few_lines(gen):
    x = torch.rand(12, generator=gen)
    assert len(dominant_frequencies(x, torch.randn(12, generator=gen), None)) <= 2


def test_constant_values_are_refused():
    with pytest.raises(ValueError, match="^y: was constant"):
        dominant_frequencies(torch.rand(50), torch.full((50, 2), 350.1), None)
