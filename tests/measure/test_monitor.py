import json
import math

import pytest
import torch

from fastspec import reference
from fastspec.measure import SpectralMonitor, dominant_frequencies, spectral_peaks, tracked


@pytest.fixture
def sines():
    """Scattered points, sin x + sin 3x + sin 5x, and the three wavenumbers."""
    x = (torch.rand(600, generator=torch.Generator().manual_seed(0)) * 2 - 1) * math.pi
    return x, x.sin() + (3 * x).sin() + (5 * x).sin(), [1.0, 3.0, 5.0]


def errors_by_definition(x, target, pred, wavenumbers, period):
    """|h_k - f_k| / |f_k| from direct sums, in double precision; norms over channels."""
    s = 2 * math.pi * wavenumbers.double() / torch.tensor(period).double()
    f, h = (reference.nufft3(x.double(), v.double().mT, s) for v in (target, pred))
    return (h - f).norm(dim=0) / f.norm(dim=0)


@pytest.mark.parametrize("grid", [False, True])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_errors_are_those_of_the_definition(d, grid, monkeypatch):
    if grid:
        monkeypatch.setattr(tracked, "_DIRECT_ENTRIES", 0)
    x, target, pred = torch.rand(300, d) * 9 - 3, torch.randn(300, 2), torch.randn(300, 2)
    wavenumbers, period = torch.randint(-4, 5, (6, d)), [3.0, 5.0, 2.0][:d]
    m = SpectralMonitor(x, target, 10, period=period, peaks=wavenumbers)
    m.update(0, pred)
    torch.testing.assert_close(
        m.errors[0].double(), errors_by_definition(x, target, pred, wavenumbers, period), rtol=1e-3, atol=1e-4
    )


def test_real_wavenumbers_and_many_dimensions():
    x, target, pred = torch.rand(200, 5), torch.randn(200, 1), torch.randn(200, 1)
    wavenumbers = torch.randn(4, 5)
    m = SpectralMonitor(x, target, None, period=1.0, peaks=wavenumbers)
    m.update(0, pred[:, 0])
    torch.testing.assert_close(
        m.errors[0].double(), errors_by_definition(x, target, pred, wavenumbers, 1.0), rtol=1e-3, atol=1e-4
    )


def test_complex_targets_keep_the_sign_of_wavenumbers():
    x = torch.linspace(0, 2 * math.pi, 101)[:-1]
    m = SpectralMonitor(x, torch.exp(-3j * x), 16)
    assert m.frequencies.flatten().tolist() == [-3.0]
    m.update(0, 0.75 * torch.exp(-3j * x))
    assert m.errors.item() == pytest.approx(0.25, rel=1e-4)


def test_magnitudes_are_blind_to_phase(sines):
    x, y, _ = sines
    shifted = torch.linspace(-math.pi, math.pi, 601)[:-1]
    target, pred = shifted.sin(), shifted.cos()
    complex_error, magnitude_error = (
        SpectralMonitor(shifted, target, 8, magnitudes=magnitudes) for magnitudes in (False, True)
    )
    for m in (complex_error, magnitude_error):
        m.update(0, pred)
    assert complex_error.errors.item() == pytest.approx(math.sqrt(2), rel=1e-4)
    assert magnitude_error.errors.item() == pytest.approx(0, abs=1e-5)


def test_finds_the_targets_peaks_in_scattered_data(sines):
    x, y, wavenumbers = sines
    assert SpectralMonitor(x, y, 64).frequencies.flatten().tolist() == wavenumbers
    assert SpectralMonitor(x, y + 0.5 * (9 * x).cos(), 64, peaks=3).frequencies.flatten().tolist() == wavenumbers


def test_finds_weak_peaks_on_a_grid():
    x = torch.linspace(-math.pi, math.pi, 600)
    y = x.sin() + 0.03 * (20 * x).sin()
    assert SpectralMonitor(x, y, 64).frequencies.flatten().tolist() == [1.0, 20.0]


def test_finds_peaks_in_two_dimensions():
    x = torch.rand(4000, 2, generator=torch.Generator().manual_seed(0)) * 2 * math.pi
    y = (3 * x[:, 0] - 2 * x[:, 1]).sin() + 0.5 * (7 * x[:, 1]).cos()
    assert SpectralMonitor(x, y, (32, 40)).wavenumbers.tolist() == [[3.0, -2.0], [0.0, 7.0]]


def test_peaks_are_strict_local_maxima():
    plateau = torch.tensor([0.0, 2.0, 2.0, 0.0, 1.0, 0.0, 3.0])
    assert spectral_peaks(plateau, significant=False).flatten().tolist() == [6, 4]
    ridge = torch.tensor([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 2.0]])
    assert spectral_peaks(ridge, significant=False).tolist() == [[2, 2]]


def test_frequencies_are_in_the_users_units():
    years = torch.rand(500, generator=torch.Generator().manual_seed(0)) * 44
    m = SpectralMonitor(years, (2 * math.pi * years).sin(), 128, period=44.0)
    assert m.frequencies.tolist() == [[1.0]] and m.wavenumbers.tolist() == [[44.0]]


def test_steps_to_gives_the_first_step_below(sines):
    x, y, _ = sines
    m = SpectralMonitor(x, y, 64)
    low, middle = x.sin(), x.sin() + (3 * x).sin()
    for step, pred in ((0, 0 * y), (10, low), (20, middle), (30, low)):
        m.update(step, pred)
    # Scattered points leak: what is missing at one frequency shows a little at the others.
    assert m.steps_to(0.4) == {1.0: 10, 3.0: 20, 5.0: None}
    assert m.steps_to(0.4, lasting=True) == {1.0: 10, 3.0: None, 5.0: None}
    assert m.steps == [0, 10, 20, 30] and m.errors.shape == (4, 3)
    assert SpectralMonitor(x, y, 64).steps_to(0.1) == {1.0: None, 3.0: None, 5.0: None}


def test_keys_in_two_dimensions_are_tuples():
    x = torch.rand(500, 2)
    m = SpectralMonitor(x, x[:, 0], None, period=1.0, peaks=torch.tensor([[1, 0], [0, 2]]))
    m.update(3, x[:, 0])
    assert m.steps_to(0.1) == {(1.0, 0.0): 3, (0.0, 2.0): 3}


def test_updates_detach_and_accept_any_float(sines):
    x, y, _ = sines
    scale = torch.ones((), requires_grad=True)
    m = SpectralMonitor(x, y, 64)
    m.update(0, scale * y)
    m.update(1, y.bfloat16())
    m.update(2, y.double()[:, None])
    assert not m.errors.requires_grad and m.errors.dtype == torch.float32
    assert m.errors[[0, 2]].max() < 1e-6 and m.errors[1].max() < 1e-2


@pytest.mark.parametrize("updates", [0, 2])
def test_saves_and_loads(sines, tmp_path, updates):
    x, y, _ = sines
    m = SpectralMonitor(x, y, 64, magnitudes=True)
    for step in range(updates):
        m.update(step, step * y)
    m.save(tmp_path / "monitor.pt")
    again = SpectralMonitor.load(tmp_path / "monitor.pt")
    assert json.loads(json.dumps(again.to_dict())) == m.to_dict()
    for each in (m, again):
        each.update(7, 0.5 * y)
    torch.testing.assert_close(again.errors, m.errors)
    assert again.steps == m.steps == [*range(updates), 7]


@pytest.mark.parametrize("log_steps", [False, True])
@pytest.mark.parametrize("updates", [1, 5])
def test_plots(sines, tmp_path, updates, log_steps):
    x, y, _ = sines
    m = SpectralMonitor(x / math.pi, y, 64, period=2.0)
    for step in range(updates):
        m.update(step, y * step)
    figure = m.plot(tmp_path / "errors.png", unit="day", title="errors", log_steps=log_steps)
    axes = figure.axes[0]
    assert axes.get_ylabel().split() == ["frequency", "(cycles", "per", "day)"] and axes.get_title() == "errors"
    assert [label.get_text() for label in axes.get_yticklabels()] == [f"{f:g}" for f in m.frequencies.flatten()]
    assert (tmp_path / "errors.png").stat().st_size > 5000


def test_logs_later_updates(sines):
    x, y, _ = sines
    scalars = []

    class Writer:
        def add_scalar(self, tag, value, step):
            scalars.append((tag, value, step))

    m = SpectralMonitor(x, y, 64)
    m.update(0, y)
    m.log_to(Writer(), tag="bias")
    m.update(4, 0 * y)
    assert [s[0] for s in scalars] == ["bias/1", "bias/3", "bias/5"]
    assert all(value == pytest.approx(1) and step == 4 for _, value, step in scalars)


X = torch.rand(20, generator=torch.Generator().manual_seed(0)) * 2 * math.pi
Y = X.sin() + (2 * X).cos() + 3


@pytest.mark.parametrize(
    ("error", "named", "change"),
    [
        (TypeError, "x", {"x": ["a"]}),
        (TypeError, "x", {"x": torch.rand(20) + 0j}),
        (ValueError, "x", {"x": torch.rand(20, 1, 1)}),
        (ValueError, "x", {"x": torch.full((20,), math.nan)}),
        (TypeError, "target", {"target": torch.arange(20) > 3}),
        (ValueError, "target", {"target": torch.rand(19)}),
        (ValueError, "target", {"target": torch.zeros(20)}),
        (ValueError, "target", {"target": torch.full((20,), math.nan)}),
        (ValueError, "target", {"target": torch.full((20,), math.nan), "peaks": torch.tensor([1])}),
        (ValueError, "target", {"target": Y / 0, "method": "frequencies", "modes": torch.tensor([1])}),
        (ValueError, "target", {"target": Y / 0, "method": "filter", "modes": torch.tensor([1.0])}),
        (ValueError, "target", {"target": Y / 0, "method": "projection", "modes": torch.tensor([1.0])}),
        (ValueError, "target", {"target": torch.full((20, 9), 3e38), "peaks": torch.tensor([0])}),
        (ValueError, "modes", {"method": "filter", "modes": torch.tensor([math.inf])}),
        (TypeError, "modes", {"method": "frequencies", "modes": torch.tensor([1j])}),
        (TypeError, "direction", {"method": "projection", "direction": torch.tensor([1j])}),
        (ValueError, "modes", {"modes": 0}),
        (ValueError, "modes", {"modes": (4, 4)}),
        (TypeError, "modes", {"modes": 4.0}),
        (ValueError, "period", {"period": -1.0}),
        (ValueError, "peaks", {"peaks": 0}),
        (TypeError, "peaks", {"peaks": "all"}),
        (TypeError, "peaks", {"peaks": torch.tensor([1j])}),
        (ValueError, "peaks", {"peaks": torch.ones(3, 2)}),
        (ValueError, "peaks", {"peaks": torch.tensor([math.inf])}),
        (ValueError, "peaks", {"x": torch.rand(20, 4)}),
        (ValueError, "method", {"method": "fft"}),
    ],
)
def test_bad_arguments_are_named(error, named, change):
    arguments = {"x": X, "target": Y, "modes": 8} | change
    with pytest.raises(error, match=rf"^{named}: "):
        SpectralMonitor(arguments.pop("x"), arguments.pop("target"), arguments.pop("modes"), **arguments)


@pytest.mark.parametrize(
    ("error", "named", "call"),
    [
        (TypeError, "pred", lambda m: m.update(5, None)),
        (TypeError, "pred", lambda m: m.update(5, Y + 0j)),
        (ValueError, "pred", lambda m: m.update(5, Y[1:])),
        (ValueError, "pred", lambda m: m.update(5, Y[:, None].expand(20, 2))),
        (ValueError, "step", lambda m: m.update(3, Y)),
        (ValueError, "step", lambda m: m.update(1e308, Y)),
        (ValueError, "step", lambda m: m.update(2**53 + 1, Y)),
        (TypeError, "step", lambda m: m.update(math.nan, Y)),
        (TypeError, "step", lambda m: m.update(math.inf, Y)),
        (TypeError, "step", lambda m: m.update(4.5, Y)),
        (TypeError, "step", lambda m: m.update("5", Y)),
        (TypeError, "step", lambda m: m.update(None, Y)),
        (ValueError, "threshold", lambda m: m.steps_to(0)),
        (TypeError, "summary_writer", lambda m: m.log_to("runs")),
    ],
)
def test_bad_calls_are_named(error, named, call):
    m = SpectralMonitor(X, Y, 8, peaks=2)
    m.update(4, Y)
    with pytest.raises(error, match=rf"^{named}: "):
        call(m)
    m.update(torch.tensor(5), Y)
    m.update(6.0, Y)
    assert m.steps == [4, 5, 6] and all(type(step) is int for step in m.steps) and len(m.errors) == 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("method", ["nufft", "projection", "frequencies", "filter"])
def test_errors_that_are_not_finite_are_recorded_with_their_step(method, dtype, tmp_path):
    modes = {"frequencies": torch.tensor([1, 2]), "filter": torch.tensor([0.1])}.get(method, 8)
    peaks = None if method in ("frequencies", "filter") else 2
    x, y = X.to(dtype), Y.to(dtype)
    m = SpectralMonitor(x, y, modes, peaks=peaks, method=method)
    m.update(0, 0 * y)
    assert m.first_non_finite is None and "non_finite" not in repr(m)
    assert "not finite" not in m.plot().axes[0].get_xlabel()
    for step, bad in ((3, math.nan), (5, math.inf), (7, -1e308)):
        m.update(step, torch.where(torch.arange(20) == 7, bad, Y.double()))
    m.update(9, y)
    assert m.first_non_finite == 3 and "updates=5, steps=0..9, first_non_finite=3)" in repr(m)
    assert not m.errors[1:3].isfinite().any() and m.errors[4].max() < 1e-5
    assert set(m.steps_to(0.1).values()) == {9}
    axes = m.plot(tmp_path / "errors.png").axes[0]
    assert axes.get_xlabel().replace("\n", " ").endswith("red: the output was not finite, first at step 3")
    assert axes.collections[0].get_array().mask.any(), "such errors have a colour of their own"
    m.save(tmp_path / "monitor.pt")
    assert SpectralMonitor.load(tmp_path / "monitor.pt").first_non_finite == 3


def test_a_fresh_monitor_says_what_it_is():
    m = SpectralMonitor(X, Y, 8, peaks=torch.tensor([1, 2]))
    assert repr(m) == "SpectralMonitor(method='nufft', frequencies=2, updates=0)" and m.first_non_finite is None


def test_plot_needs_an_update():
    with pytest.raises(ValueError, match="update"):
        SpectralMonitor(X, Y, 8, peaks=2).plot()


def light_curve():
    """Two unevenly sampled oscillations under a trend ten times larger, with noise: the case of real series."""
    generator = torch.Generator().manual_seed(0)
    x = (1960 + 44 * torch.rand(2000, generator=generator, dtype=torch.float64)).sort().values
    late = (x - 1960) / 44
    y = 300 + 50 * late + 30 * late**2 + 2.8 * torch.sin(2 * math.pi * x) + 0.8 * torch.cos(4 * math.pi * x + 1)
    return x, y + 0.3 * torch.randn(2000, generator=generator)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dominant_frequencies_under_a_trend(dtype):
    x, y = (t.to(dtype) for t in light_curve())
    found = dominant_frequencies(x, y, 2)
    assert found.dtype == torch.float64
    assert found.flatten().tolist() == pytest.approx([1, 2], abs=1e-3)


def test_dominant_frequencies_lie_between_grid_points():
    generator = torch.Generator().manual_seed(1)
    x = 10 * torch.rand(400, generator=generator, dtype=torch.float64) - 100
    found = dominant_frequencies(x, torch.sin(2 * math.pi * 3.1234567 * x), 1)
    assert found.item() == pytest.approx(3.1234567, abs=1e-6)


@pytest.mark.parametrize("d", [2, 3])
def test_dominant_frequencies_in_more_dimensions(d):
    generator = torch.Generator().manual_seed(2)
    x = 8 * torch.rand(3000, d, generator=generator, dtype=torch.float64)
    truth = torch.tensor([[1.3, -0.7, 0.45], [0.0, 0.9, -0.6]], dtype=torch.float64)[:, :d]
    phase = 2 * math.pi * x @ truth.mT
    y = torch.stack([3 * phase[:, 0].sin() + phase[:, 1].cos(), 2 * phase[:, 0].cos()], 1) + x.sum(1, keepdim=True)
    found = dominant_frequencies(x, y, 2, max_frequency=2.0)
    torch.testing.assert_close(found, truth, atol=2e-3, rtol=0)


def test_dominant_frequencies_where_no_grid_fits():
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(2000, 6, generator=generator)
    truth = 0.7 * torch.nn.functional.normalize(torch.randn(2, 6, generator=generator), dim=1)
    phase = 2 * math.pi * x @ truth.mT
    y = 2 * phase[:, 0].sin() + phase[:, 1].cos() + 0.1 * torch.randn(2000, generator=generator) + x[:, 0]
    found = dominant_frequencies(x, y, 2, max_frequency=1.0)
    truth = truth * truth[:, :1].sign()
    torch.testing.assert_close(found, truth.double(), atol=2e-3, rtol=0)


@pytest.mark.parametrize(
    ("error", "named", "change"),
    [
        (TypeError, "x", {"x": torch.rand(50) + 0j}),
        (ValueError, "x", {"x": torch.ones(50)}),
        (ValueError, "max_frequency", {"x": torch.rand(50, 4)}),
        (TypeError, "y", {"y": torch.rand(50) + 0j}),
        (ValueError, "y", {"y": torch.rand(49)}),
        (ValueError, "y", {"y": torch.full((50,), math.inf)}),
        (TypeError, "n_frequencies", {"n_frequencies": 2.0}),
        (ValueError, "n_frequencies", {"n_frequencies": -1}),
        (ValueError, "n_frequencies", {"n_frequencies": 10, "max_frequency": 5.0, "false_alarm": 1.0}),
        (ValueError, "false_alarm", {"false_alarm": 0.0}),
        (ValueError, "x", {"n_frequencies": 40}),
        (ValueError, "max_frequency", {"max_frequency": 0.0}),
    ],
)
def test_dominant_frequencies_names_bad_arguments(error, named, change):
    arguments = {"x": torch.linspace(0, 1, 50), "y": torch.rand(50), "n_frequencies": 1} | change
    with pytest.raises(error, match=rf"^{named}: "):
        dominant_frequencies(**arguments)
