"""What a notebook shows: by IPython's own formatter where it is installed, else by the methods it would call."""

import pickle
import sys

import pytest
import torch

import fastspec as fs
from fastspec._notebook import Table, new_figure

X = torch.rand(60, generator=torch.Generator().manual_seed(0))
Y = torch.sin(20 * X)


def shown(thing):
    """By kind: text and picture, as the last line of a cell."""
    try:
        from IPython.core.formatters import DisplayFormatter
    except ImportError:
        made = {"text/plain": repr(thing)}
        methods = {"text/html": "_repr_html_", "image/png": "_repr_png_"}
        made |= {kind: getattr(thing, name)() for kind, name in methods.items() if hasattr(thing, name)}
        return {kind: value for kind, value in made.items() if value is not None}
    formatter = DisplayFormatter()
    formatter.active_types = formatter.format_types
    data, _ = formatter.format(thing)
    return data


def monitor(updates):
    m = fs.SpectralMonitor(X, Y, 16, period=1.0, peaks=torch.tensor([1, 3]))
    for step in range(updates):
        m.update(10 * step, step * Y)
    return m


def loss(**given):
    return fs.SpectralLoss(16, period=1.0, **given)


CITIZENS = {
    "monitor": lambda: monitor(3),
    "plan": lambda: fs.Plan(X, 16, period=1.0),
    "plan in 2-D": lambda: fs.Plan(torch.rand(20, 2), 8),
    "plan in 3-D": lambda: fs.Plan(torch.rand(2, 20, 3), 8),
    "loss": lambda: loss(x=X, weight=fs.weights.sobolev(1.0)),
    "loss of modes": lambda: loss(),
    "loss of many dimensions": lambda: fs.SpectralLoss((4,) * 4),
    "loss at frequencies": lambda: fs.SpectralLoss(frequencies=torch.rand(9, 5), weight=torch.rand(9)),
}


@pytest.mark.parametrize("name", CITIZENS)
def test_is_a_table_and_a_picture(name):
    data = shown(CITIZENS[name]())
    assert "<table>" in data["text/html"] and 'src="data:image/png;base64,' in data["text/html"]
    assert len(data["image/png"]) > 3000
    assert "object at 0x" not in data["text/plain"]


@pytest.mark.parametrize(
    "thing",
    [
        lambda: monitor(0),
        lambda: loss(weight=fs.weights.focal(1.0)),
        lambda: fs.SpectralLoss(frequencies=lambda: torch.rand(9, 5)),
        lambda: fs.SpectralLoss((512, 512, 512)),
    ],
)
def test_where_there_is_nothing_to_draw_it_is_text_alone(thing):
    data = shown(thing())
    assert "image/png" not in data and "<img" not in data["text/html"]


def test_without_matplotlib_it_is_text_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    data = shown(monitor(2))
    assert "image/png" not in data and "<table>" in data["text/html"] and "<img" not in data["text/html"]


def test_a_plotted_figure_shows_itself():
    figure = monitor(2).plot()
    data = shown(figure)
    assert len(data["image/png"]) > 3000
    assert len(shown(pickle.loads(pickle.dumps(figure)))["image/png"]) > 3000


def test_a_monitor_reads_as_a_table():
    assert repr(monitor(2)).splitlines() == [
        "SpectralMonitor(method='nufft', frequencies=2, updates=2, steps=0..10)",
        "frequency (cycles per unit of x)  last error  first below 10 %  below since",
        "                               1         0 %                10           10",
        "                               3         0 %                10           10",
    ]


def test_a_plan_and_a_loss_say_what_they_are():
    assert repr(fs.Plan(X, 16, period=1.0)).startswith("Plan(points=(60,), modes=(16,), period=(1.0,), algorithm=")
    said = repr(loss(weight=fs.weights.sobolev(1.0)))
    assert said.startswith("SpectralLoss(modes=(16,), period=1.0, points=None, weight=sobolev(s=1.0), relative=False")
    assert "weight=tensor(16,)" in repr(loss(weight=torch.rand(16)))


def test_tables_escape_and_end():
    table = Table("a < b", ("k", "<i>"), [(str(i), "<b>") for i in range(50)])
    assert "a &lt; b" in table.html() and "<b>" not in table.html() and "<i>" not in table.html()
    assert str(table).splitlines()[-1] == "... and 10 more" and "and 10 more" in table.html()
    assert str(Table("words", (), [("a", "long one"), ("bc", "d")])).splitlines() == ["words", "a   long one", "bc  d"]
    assert str(Table("nothing", ("k",), [])) == "nothing"


def test_an_empty_figure_has_a_size():
    assert tuple(new_figure(3.0, 2.0).get_size_inches()) == (3.0, 2.0)
