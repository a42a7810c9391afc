"""fs.spectrum: units, kinds of data, and what it says."""

import math
import time

import numpy as np
import pytest
import torch

import fastspec as fs
from fastspec.recipes.mauna_loa import load_co2

TAU = 2 * math.pi


def test_power_is_that_of_a_fit_with_trend_and_sinusoid(gen):
    x = torch.rand(60, generator=gen, dtype=torch.float64) * 5
    y = torch.randn(60, generator=gen, dtype=torch.float64) + 2 * x
    s = fs.spectrum(x, y)
    for i in (0, 10, 57):
        phase = TAU * s.frequencies[i] * x
        trend = torch.stack([torch.ones_like(x), x], 1)
        waves = torch.cat([trend, phase.cos()[:, None], phase.sin()[:, None]], 1)
        before, after = (
            (y - a @ torch.linalg.lstsq(a, y[:, None]).solution[:, 0]).square().sum() for a in (trend, waves)
        )
        assert s.power[i].item() == pytest.approx(1 - (after / before).item(), abs=1e-4)
        assert s.amplitude[i].item() == pytest.approx((2 / 60 * (before - after)).sqrt().item(), rel=1e-3)


def test_noise_reaches_the_false_alarm_line_once_in_a_hundred(gen):
    x = torch.rand(80, generator=gen)
    spectra = [fs.spectrum(x, torch.randn(80, generator=gen)) for _ in range(60)]
    assert sum(s.power.max() > s.false_alarm_power for s in spectra) <= 3
    white = [s for s in spectra if not s.red]
    assert len(white) >= 57 and all(bool((s.noise_power == s.false_alarm_power).all()) for s in white)
    assert "red" not in repr(white[0]) and bool((white[0].false_alarm_over_red == white[0].peaks.false_alarm).all())


def test_co2_in_years():
    """A rise, and its cycle of a year."""
    s = fs.spectrum(*load_co2(torch.device("cpu")))
    assert s.peaks.frequency[:3, 0].tolist() == pytest.approx([1, 1 / 44, 2], abs=4e-3)
    assert s.peaks.trend_explained > 0.9 and s.red
    assert (
        s.false_alarm_over_red[[0, 2]].max() < 1e-20 and s.false_alarm_over_red[1] == 1 and "over red noise" in repr(s)
    )
    assert s.noise_power[0] > 100 * s.noise_power[-1]
    yearly = fs.spectrum(*load_co2(torch.device("cpu")), noise="red").peaks
    assert yearly.frequency[:2, 0].tolist() == pytest.approx([1, 2], abs=2e-3)


def test_times_are_days():
    pandas = pytest.importorskip("pandas")
    hours = pandas.date_range("2021-03-01", periods=500, freq="h")
    values = np.cos(TAU * np.arange(500) / 24)
    for x, y in [
        (hours, values),
        (hours.tz_localize("UTC"), values),
        (hours.to_numpy(), torch.from_numpy(values)),
        (pandas.Series(values, hours), None),
        (pandas.DataFrame({"time": hours})["time"], pandas.Series(values)),
    ]:
        s = fs.spectrum(x, y)
        assert s.peaks.frequency.item() == pytest.approx(1, abs=1e-3) and "cycles per day" in repr(s)


def test_kinds_of_data_are_one(gen):
    pandas = pytest.importorskip("pandas")
    x = torch.rand(200, 2, generator=gen, dtype=torch.float64)
    y = (TAU * (3 * x[:, 0] - 2 * x[:, 1])).cos()
    frame = pandas.DataFrame({"a": x[:, 0].numpy(), "b": x[:, 1].numpy(), "y": y.numpy()})
    for given in [(x, y), (x.numpy(), y.numpy()), (frame[["a", "b"]], frame["y"]), (x.tolist(), frame[["y"]])]:
        assert fs.spectrum(*given).peaks.frequency.flatten().tolist() == pytest.approx([3, -2], abs=1e-6)
    with pytest.raises(TypeError, match="^y: "):
        fs.spectrum(x, ["a"] * 200)


def test_an_image_is_in_pixels(gen):
    columns = torch.arange(48, dtype=torch.float32)
    image = (TAU * columns / 8).sin()[None, :, None] + 0.3 * torch.rand(32, 48, 3, generator=gen)
    s = fs.spectrum(image)
    assert s.peaks.frequency.abs().flatten().tolist() == pytest.approx([0, 1 / 8], abs=1e-3)
    assert s.peaks.amplitude.shape == (1, 3) and s.frequencies.shape == (*s.power.shape, 2)


class _Coordinates:
    """What of an xarray.DataArray is looked at."""

    def __init__(self, values, **coords):
        self.values, self.dims, self.sizes = values, tuple(coords), dict(zip(coords, values.shape, strict=True))
        self.coords = {name: type("Coordinate", (), {"values": place}) for name, place in coords.items()}

    def __array__(self, dtype=None, copy=None):
        return self.values


def test_a_data_array_has_its_own_places():
    time_of = np.datetime64("2020-01-01") + np.arange(240) * np.timedelta64(6, "h")
    s = fs.spectrum(_Coordinates(np.sin(TAU * np.arange(240) / 8), time=time_of))
    assert s.peaks.frequency.item() == pytest.approx(0.5, abs=1e-3) and s.unit == "day"


def test_seconds_since_1970_in_single_precision_are_warned_of(gen):
    x = 1.7e9 + 60 * torch.arange(200)
    with pytest.warns(fs.PrecisionWarning, match="neighbours coincide in torch.float32"):
        fs.spectrum(x.float(), torch.randn(200, generator=gen))
    with pytest.warns(fs.PrecisionWarning):
        fs.SpectralMonitor(x.float(), torch.randn(200, generator=gen), peaks=torch.tensor([1.0]), period=1e5)


def test_it_is_shown_as_a_table_and_a_picture(gen, tmp_path):
    x = torch.rand(100, generator=gen)
    s = fs.spectrum(x, (TAU * 5 * x).sin())
    assert repr(s).startswith("Spectrum: 1 line up to ") and "5" in repr(s).splitlines()[-1]
    pytest.importorskip("matplotlib")
    assert "<table>" in s._repr_html_() and "data:image/png" in s._repr_html_()
    s.plot(tmp_path / "spectrum.png")
    assert (tmp_path / "spectrum.png").stat().st_size > 1000
    plane = fs.spectrum(torch.rand(60, 2, generator=gen), torch.randn(60, generator=gen), max_frequency=4.0)
    assert plane._repr_png_() is not None and plane.plot() is not None


def test_a_hundred_thousand_points_and_frequencies_take_less_than_a_second(gen):
    """Of one thread's own time: others may be at work."""
    x = torch.rand(100_000, generator=gen, dtype=torch.float64)
    y = (TAU * 1000 * x).sin() + 0.3 * (TAU * 20_000.3 * x).sin() + torch.randn(100_000, generator=gen)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        begun = time.thread_time()
        s = fs.spectrum(x, y, max_frequency=25_000)
        assert time.thread_time() - begun < 1
    finally:
        torch.set_num_threads(threads)
    assert len(s.frequencies) == pytest.approx(100_000, rel=1e-3) and len(s.peaks) == 2


def test_a_walk_reaches_its_own_false_alarm_line_once_in_a_hundred(gen):
    walks = [fs.spectrum(torch.arange(200.0), torch.randn(200, generator=gen).cumsum(0)) for _ in range(6)]
    assert sum(bool((s.power > s.noise_power).any()) for s in walks) <= 1
    assert sum(bool((s.power > s.false_alarm_power).any()) for s in walks) >= 5
    least = [min(s.false_alarm_over_red.tolist(), default=1.0) for s in walks]
    assert sum(chance < 0.01 for chance in least) <= 1
