"""What a monitor's picture tells: every word on it is read, and nothing on it misleads."""

import math

import pytest
import torch

from fastspec import SpectralMonitor
from fastspec.measure.heatmap import draw_heatmap
from fastspec.measure.labels import percent, rounded, row_labels

X = (torch.rand(200, generator=torch.Generator().manual_seed(0)) * 2 - 1) * math.pi
Y = X.sin() + (3 * X).sin()


def watched(errors, *, every=1, period=2 * math.pi, **given):
    """A monitor of as many wavenumbers 1, 2, 3 ... as there are columns, that recorded these errors."""
    wavenumbers = torch.arange(1, len(errors[0]) + 1)
    monitor = SpectralMonitor(X, Y, 16, period=period, **{"peaks": wavenumbers, **given})
    state = monitor.state_dict()
    monitor.load_state_dict(
        {**state, "steps": [every * i for i in range(len(errors))], "errors": torch.tensor(errors, dtype=torch.float32)}
    )
    return monitor


def axes_of(monitor, **given):
    return monitor.plot(**given).axes[0]


def words(axes):
    return " ".join(axes.get_xlabel().split())


def bars(axes):
    """(step, whether dotted) of each bar: the black lines."""
    return [(line.get_xdata()[0], line.get_linestyle() != "-") for line in axes.lines if line.get_color() == "black"]


@pytest.mark.parametrize("unit", [None, "year", "light-second of the old calendar"])
@pytest.mark.parametrize("rows", [1, 2, 3, 24])
def test_no_label_is_cut_off(rows, unit):
    figure = watched([[1.0] * rows] * 2, bands=None).plot(unit=unit, title="a title")
    figure.draw_without_rendering()
    width, height = figure.bbox.size
    for axes in figure.axes:
        for text in (axes.xaxis.label, axes.yaxis.label, axes.title, *axes.get_yticklabels(), *axes.get_xticklabels()):
            box = text.get_window_extent()
            assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, text.get_text()


@pytest.mark.parametrize("every", [1, 50])
def test_what_was_recorded_at_step_0_takes_little_of_a_logarithmic_axis(every):
    axes = axes_of(watched([[1.0]] * 9, every=every), log_steps=True)
    low, high = (math.log(limit) for limit in axes.get_xlim())
    assert (math.log(every) - low) / (high - low) < 0.1
    assert [tick.get_text() for tick in axes.get_xticklabels()][0] == "0"


@pytest.mark.parametrize("log_steps", [False, True])
@pytest.mark.parametrize(("count", "every"), [(1, 1), (2, 1), (9, 50), (400, 1), (31, 100)])
def test_steps_are_whole_and_none_is_before_the_first(count, every, log_steps):
    figure = watched([[1.0]] * count, every=every).plot(log_steps=log_steps)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    low, high = axes.get_xlim()
    shown = [t.get_text() for t, at in zip(axes.get_xticklabels(), axes.get_xticks(), strict=True) if low <= at <= high]
    assert shown and all(text.replace(",", "").isdigit() for text in shown), shown
    assert len(set(shown)) == len(shown) and low >= 0
    assert count == 1 or len(shown) >= 2


def test_frequencies_are_rounded_but_told_apart():
    assert rounded([2 / 11, 4 / 11, 10 / 11]) == ["0.182", "0.364", "0.909"]
    assert rounded([1.0, 365.2425, 1234.0, 0.0, -0.5]) == ["1", "365", "1234", "0", "-0.5"]
    assert rounded([1.0001, 1.0002, 1.0001]) == ["1.0001", "1.0002", "1.0001"]
    assert rounded([1.3e-5, 2.5e9, math.inf]) == ["1.3e-05", "2.5e+09", "∞"]
    axes = axes_of(watched([[1.0] * 3], period=5.5))
    assert [label.get_text() for label in axes.get_yticklabels()] == ["0.182", "0.364", "0.545"]


def test_rows_of_several_numbers():
    assert row_labels([(1.0, -2.0), (0.0, 1 / 3)], bands=False) == ["(1, -2)", "(0, 0.333)"]
    assert row_labels([("low", 0.5), ("high", 0.5)], bands=False) == ["low 0.5", "high 0.5"]
    assert row_labels([(0.0, 4.0), (4.0, math.inf)], bands=True) == ["0 – 4", "at least 4"]


def test_an_error_that_comes_back_is_not_said_to_be_learnt():
    errors = [[1.0, 1.0, 1.0], [0.05, 0.05, 1.0], [0.5, 0.05, 1.0], [0.05, 0.05, 1.0], [0.05, 0.05, 0.5]]
    monitor = watched(errors)
    axes = axes_of(monitor)
    assert sorted(bars(axes)) == [(1, False), (1, True), (3, False)]
    assert words(axes) == "step bar: below 10 % from there on; dotted: first below 10 %, but not for good"
    axes = axes_of(monitor, lasting=False)
    assert sorted(bars(axes)) == [(1, False), (1, False)] and words(axes) == "step bar: first below 10 %"
    assert words(axes_of(watched([[1.0], [0.5]]))) == "step none is below 10 %"


def test_one_that_ends_above_has_no_bar():
    axes = axes_of(watched([[1.0], [0.05], [0.5]]))
    assert bars(axes) == [(1, True)] and words(axes) == "step dotted: first below 10 %, but not for good"


def colour(axes, error):
    drawn = axes.collections[0]
    return torch.tensor(drawn.cmap(drawn.norm(error))[:3])


@pytest.mark.parametrize(("less", "more"), [(0.4, 1.0), (0.4, 0.7), (0.1, 0.4), (0.01, 0.1), (0.001, 0.01), (1.0, 2.0)])
def test_errors_that_differ_look_different(less, more):
    axes = axes_of(watched([[1.0]]))
    assert (colour(axes, less) - colour(axes, more)).abs().max() > 0.1
    if more <= 1:
        assert colour(axes, less).sum() > colour(axes, more).sum(), "darker is worse"


def test_an_error_of_0_4_is_nowhere_near_black():
    axes = axes_of(watched([[1.0]]))
    assert (colour(axes, 0.4) - colour(axes, 1.0)).norm() > 0.25


def test_what_is_not_finite_is_explained():
    assert "finite" not in words(axes_of(watched([[1.0, 0.05], [0.5, 0.04]])))
    diverged = watched([[1.0, 0.05], [math.nan, math.inf], [math.nan, math.nan]], every=20)
    assert words(axes_of(diverged)).endswith("red: the output was not finite, first at step 20")
    nothing_there = watched([[1.0, math.nan], [0.5, math.inf]])
    assert words(axes_of(nothing_there)).endswith("red row: not finite at any step, as where the target has nothing")


def test_bands_are_called_bands():
    axes = axes_of(watched([[1.0, 0.5]], bands=[(0, 2), (2, math.inf)], peaks=None))
    assert axes.get_ylabel() == "band of |k|"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["0 – 2", "at least 2"]
    axes = axes_of(watched([[1.0]], bands=[(0, 2)], peaks=None, period=7.0), unit="day")
    assert axes.get_ylabel().split() == ["band", "of", "frequency", "(cycles", "per", "day)"]


def test_an_error_holds_until_the_next_one():
    figure = draw_heatmap([0, 10, 30], torch.tensor([[1.0], [0.5], [0.05]]), ["1"], frequency_label="k")
    mesh = figure.axes[0].collections[0]
    assert mesh.get_coordinates()[0, :, 0].tolist() == [0, 10, 30, 50]
    assert bars(figure.axes[0]) == [(30, False)]


def test_percents():
    assert [percent(e) for e in (0.0, 1e-5, 0.0432, 0.99, 1.0, 12.3)] == [
        "0 %",
        "0.001 %",
        "4.3 %",
        "99 %",
        "100 %",
        "1200 %",
    ]
    assert percent(math.nan) == "nan"
