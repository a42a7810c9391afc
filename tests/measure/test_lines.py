"""Lines of scattered data: found wherever they are, and not where there are none."""

import math

import pytest
import torch

import fastspec as fs
from fastspec.measure import InsignificantWarning, SpectralMonitor, dominant_frequencies
from fastspec.measure.joint import fit
from fastspec.measure.lines import find_lines
from fastspec.measure.prewhitening import log_ratio
from fastspec.measure.search import Grid
from fastspec.measure.significance import Trials

TAU = 2 * math.pi


def sum_of_sines(gen, x, wavenumbers, amplitudes=None):
    amplitudes = amplitudes or [1.0] * len(wavenumbers)
    phases = torch.rand(len(wavenumbers), generator=gen, dtype=x.dtype) * TAU
    return sum(a * (k * x + p).sin() for k, a, p in zip(wavenumbers, amplitudes, phases, strict=True))


def points(gen, count):
    return torch.rand(count, generator=gen, dtype=torch.float64) * TAU


@pytest.mark.parametrize("draws", [4, pytest.param(40, marks=pytest.mark.slow)])
def test_a_strong_line_and_a_weak_one_are_found(gen, draws):
    for _ in range(draws):
        x = points(gen, 200)
        y = sum_of_sines(gen, x, [3, 20], [1.0, 0.3])
        assert (find_lines(x, y).frequency * TAU).flatten().tolist() == pytest.approx([3, 20], abs=0.02)
        assert SpectralMonitor(x, y, 64).frequencies.flatten().tolist() == [3.0, 20.0]


@pytest.mark.parametrize("draws", [2, pytest.param(40, marks=pytest.mark.slow)])
def test_ten_equal_lines_are_found(gen, draws):
    """None of which stands out of the others."""
    for _ in range(draws):
        x = points(gen, 200)
        wanted = (2 + torch.randperm(60, generator=gen)[:10]).sort().values.tolist()
        found = find_lines(x, sum_of_sines(gen, x, wanted)).frequency * TAU
        assert sorted(found.flatten().tolist()) == pytest.approx(wanted, abs=0.05)


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize("in_phase", [True, False])
@pytest.mark.parametrize("draws", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_ten_equal_lines_a_cycle_per_extent_apart_are_found(gen, draws, in_phase, noise):
    """Which alone would not say where they are: together they are multiples of one frequency."""
    missed = 0
    for _ in range(draws):
        x = points(gen, 200)
        y = sum((k * x).sin() for k in range(1, 11)) if in_phase else sum_of_sines(gen, x, range(1, 11), [1.0] * 10)
        lines = find_lines(x, y + noise * torch.randn(200, generator=gen, dtype=torch.float64))
        frequency, order = (lines.frequency.flatten() * TAU).sort()
        if noise and len(lines) != 10:
            missed += 1
            continue
        off = (frequency - torch.arange(1, 11)).abs()
        assert off.max() < 1e-6 + noise and lines.error.max() * TAU < 1e-6 + noise
        assert (off < 5 * TAU * lines.error.flatten()[order] + 1e-6).all()
    assert missed <= draws / 20


def test_lines_that_are_no_multiples_of_one_frequency_stay_where_they_are(gen):
    x, wanted = points(gen, 200), [3.0, 4.6, 6.3, 8.5]
    lines = find_lines(x, sum_of_sines(gen, x, wanted) + 0.01 * torch.randn(200, generator=gen))
    assert sorted((lines.frequency * TAU).flatten().tolist()) == pytest.approx(wanted, abs=0.02)


@pytest.mark.parametrize("count", [200, 256])
@pytest.mark.parametrize("draws", [3, pytest.param(40, marks=pytest.mark.slow)])
def test_a_monitor_finds_ten_lines_side_by_side(gen, count, draws):
    for _ in range(draws):
        x = points(gen, count)
        y = sum((k * x).sin() for k in range(1, 11))
        assert SpectralMonitor(x, y, 64).frequencies.flatten().tolist() == list(range(1, 11))


@pytest.mark.parametrize("draws", [30, pytest.param(500, marks=pytest.mark.slow)])
def test_noise_has_a_line_no_more_often_than_said(gen, draws):
    found = 0
    for _ in range(draws):
        x, y = (torch.rand(100, generator=gen), torch.randn(100, generator=gen))
        found += len(find_lines(x, y)) > 0
    assert found <= max(1, 0.02 * draws)


def test_a_monitor_tracks_as_many_as_asked_for_and_the_sign_that_carries(gen):
    x = points(gen, 200)
    with pytest.warns(fs.BandWarning):
        assert len(SpectralMonitor(x, torch.randn(200, generator=gen), 64, peaks=3).frequencies) == 3
    with pytest.warns(fs.BandWarning), pytest.raises(ValueError, match="^target: has no spectral peak"):
        SpectralMonitor(x, torch.randn(200, generator=gen), 64)
    target = torch.exp(5j * x) + 0.5 * torch.exp(-9j * x)
    assert SpectralMonitor(x, target, 64).frequencies.flatten().tolist() == [5, -9]


@pytest.mark.parametrize("regular", [True, False])
def test_red_noise_has_no_lines_beside_red_noise(gen, regular):
    x = torch.linspace(0, 1, 200) if regular else torch.rand(200, generator=gen).sort().values
    walk = torch.randn(200, generator=gen).cumsum(0)
    assert len(find_lines(x, walk)) > 3
    assert len(find_lines(x, walk, red=True)) == 0


def test_a_line_stands_out_of_red_noise(gen):
    x = torch.linspace(0, 1, 200)
    walk = torch.randn(200, generator=gen).cumsum(0)
    y = walk + 0.5 * walk.std() * (TAU * 40 * x).sin()
    assert find_lines(x, y, red=True).frequency.flatten().tolist() == pytest.approx([40], abs=0.2)


def test_a_line_beyond_the_range_is_not_found_within(gen):
    x = torch.rand(400, generator=gen) * 20
    y = (TAU * x).sin()
    with pytest.warns(InsignificantWarning, match="0 of the 1 lines"):
        assert len(dominant_frequencies(x, y, 1, max_frequency=0.5)) == 0
    assert len(dominant_frequencies(x, y, 1, max_frequency=0.5, false_alarm=1.0)) == 1
    assert dominant_frequencies(x, y, 1).item() == pytest.approx(1, abs=1e-3)


def test_scattered_points_are_searched_beyond_their_mean_spacing(gen):
    """Four hundred times in a year, and a daily line."""
    x = torch.rand(800, generator=gen, dtype=torch.float64) * 2
    assert dominant_frequencies(x, (TAU * 365.25 * x).sin(), 1).item() == pytest.approx(365.25, abs=0.01)


def test_regular_points_with_gaps_have_a_nyquist_frequency(gen):
    kept = torch.randperm(400, generator=gen)[:150].sort().values
    lines = find_lines(kept, (TAU * 0.3 * kept.double()).sin())
    assert lines.max_frequency.item() == pytest.approx(0.5, abs=1e-3)
    assert lines.frequency.item() == pytest.approx(0.3, abs=1e-4)


def test_a_range_that_no_grid_holds_raises(gen):
    x = torch.rand(50, generator=gen, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"^max_frequency: reached 1e\+07 cycles over the extent of x"):
        dominant_frequencies(x, x.cos(), 1, max_frequency=1e7 / (x.max() - x.min()).item())


def test_lines_say_what_they_are(gen):
    x = 2000 + torch.rand(500, generator=gen, dtype=torch.float64) * 20
    y = 7 + 3 * (TAU * 1.3 * (x - 2010) + 0.5).cos() + 0.1 * torch.randn(500, generator=gen)
    lines = find_lines(x, y)
    (line,) = lines.table
    assert line["frequency"] == pytest.approx(1.3, abs=5 * line["error"]) and line["error"] < 1e-3
    assert line["amplitude"] == pytest.approx(3, abs=0.05)
    phase = line["phase"] - TAU * line["frequency"] * (lines.origin.item() - 2010)
    assert math.cos(phase - 0.5) == pytest.approx(1, abs=1e-3)
    assert line["explained"] == pytest.approx(1, abs=0.01) and line["false_alarm"] < 1e-50
    assert lines.residual.std().item() == pytest.approx(0.1, rel=0.15)


def test_chance_is_that_of_one_frequency_where_one_is_looked_at():
    assert Trials(1, discrete=1).chance(2 * math.log(20), 1) == pytest.approx(0.05)
    assert Trials(1, volume=10.0).chance(Trials(1, volume=10.0).threshold(0.01, 1), 1) == pytest.approx(0.01, rel=1e-3)


def test_chance_in_a_volume_is_what_noise_does(gen):
    """The largest of the spectra of 400 draws of noise at points in the plane."""
    x = torch.rand(150, 2, generator=gen, dtype=torch.float64)
    chances = torch.tensor(
        [_chance_of_best(x, torch.randn(150, 1, generator=gen, dtype=torch.float64)) for _ in range(400)]
    )
    for level in (0.05, 0.2):
        assert (chances < level).double().mean().item() == pytest.approx(level, abs=0.6 * level)


def _chance_of_best(x, y):
    grid = Grid(x - 0.5, [8.0, 8.0], 0.75, cut=False)
    none = fit(x - 0.5, y, torch.ones_like(y), x[:0])
    one = none.at(grid.strongest(none.residual, x[:0])[None]).refined(0.25, 0.0, 0.0)
    return grid.trials.chance(log_ratio(none.squares, one), 1)


def test_nearly_regular_points_are_not_searched_for_aliases(gen):
    """Weeks in decimal years, jittered points, with gaps: up to half their rate; scattered ones five times that."""
    even = torch.arange(100, dtype=torch.float64) / 52
    jittered = (even + 0.2 / 52 * torch.rand(100, generator=gen))[torch.arange(100) != 40]
    scattered = torch.rand(100, generator=gen, dtype=torch.float64)
    y = torch.randn(100, generator=gen)
    reach = [find_lines(x, y[: len(x)]).max_frequency.item() for x in (even, jittered, scattered, jittered[:6])]
    assert reach[:2] == pytest.approx([26, 26], rel=0.05) and reach[2] == pytest.approx(250, rel=0.05)
    assert reach[3] > 100
