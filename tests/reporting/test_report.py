"""The page: it holds what it should, in itself, and says it rightly."""

from dataclasses import replace
from html.parser import HTMLParser

import pytest
import torch
from click.testing import CliRunner
from torch import nn

import fastspec as fs
from fastspec import cli
from fastspec.reporting import advised
from fastspec.reporting.columns import read_columns
from fastspec.reporting.lines import line_errors, slowest
from fastspec.reporting.pictures import window_of

VOID = {"meta", "img", "link", "br"}


class Page(HTMLParser):
    """The text, the pictures and the headings of a page whose tags all close in order."""

    def __init__(self, path):
        super().__init__()
        self.open, self.words, self.images, self.headings = [], [], [], []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert not self.open, self.open
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)
        given = dict(attributes)
        if tag == "img":
            self.images.append(given["src"])
        assert not str(given.get("href", given.get("src", "data:"))).startswith(("http", "/"))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


class Model(nn.Module):
    """Has the line at 1 cycle per unit and not that at 3."""

    def __init__(self):
        super().__init__()
        self.size = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return 5 + 0.3 * x + self.size * torch.sin(2 * torch.pi * x)


@pytest.fixture(scope="module")
def data():
    x = 10 * torch.rand(200, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return x, 5 + 0.3 * x + torch.sin(2 * torch.pi * x) + 0.5 * torch.cos(6 * torch.pi * x)


@pytest.fixture(scope="module")
def found(data):
    return fs.spectrum(*data)


def test_a_page_has_it_all_in_itself(data, found, tmp_path):
    x, y = data
    monitor = fs.SpectralMonitor(x, y - y.mean(), None, period=1.0, peaks=torch.tensor([1, 3]))
    errors = torch.tensor([[1.0, 1.0], [0.02, 1.0]], dtype=torch.float64)
    monitor.load_state_dict({**monitor.state_dict(), "steps": [0, 10], "errors": errors})
    path = fs.report(Model(), x, y, tmp_path / "report.html", monitor=monitor, found=found, names=("time (s)", "V <b>"))
    page = Page(path)
    told = "Diagnosis and recommendation"
    assert page.headings == ["Data and fit", "Spectrum", "What the model has of each line", "Over the training", told]
    assert len(page.images) == 4 and all(source.startswith("data:image/png;base64,") for source in page.images)
    assert "V <b> over time (s)" in page.text and "cycles per s" in page.text
    assert "Of 2 lines of the data it lacks 1: 3" in page.text and "200 points" in page.text
    assert "Slowest: 3 (now 100 %)" in page.text
    assert "unit of x" not in page.text
    assert "1 of 2 lines are predicted beyond 1000 steps, 3 at" in page.text and "Recommended: no network." in page.text


def test_a_page_about_data_alone_recommends_what_runs(data, found, tmp_path):
    drawn = torch.random.get_rng_state()
    page = Page(fs.report(None, *data, tmp_path / "report.html", found=found))
    assert page.headings == ["Data", "Spectrum", "Diagnosis and recommendation"]
    assert "The data have 2 lines: 1, 3" in page.text and "A plain tanh network" in page.text
    assert 'period="data", is 9.99 long; 61 modes hold all lines' in page.text
    assert torch.equal(torch.random.get_rng_state(), drawn)


@pytest.mark.parametrize("recommendation", ["train", "no network", "retune"])
@pytest.mark.parametrize("kind", ["phases", "features"])
def test_code_for_data_runs_as_it_is(data, found, monkeypatch, recommendation, kind):
    told = advised.of_data(*data, found)
    monkeypatch.setattr(advised, "chosen_kind", lambda x, y, lines: kind)
    code = advised.code_of(replace(told, recommendation=recommendation), *data, found).replace("range(300)", "range(3)")
    space = {"fs": fs, "torch": torch, "x": data[0], "y": data[1]}
    exec(code, space)
    assert len(space["monitor"].steps) == 3 and space["monitor"].frequencies.flatten().tolist() == pytest.approx([1, 3])
    assert ("lines" in space) == (recommendation == "no network")


def test_what_cannot_be_trained_or_has_no_lines_is_not_diagnosed(data, found, tmp_path):
    page = Page(fs.report(lambda x: 0 * x, *data, tmp_path / "report.html", found=found))
    assert "Diagnosis and recommendation" not in page.headings
    noise = torch.randn(200, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    page = Page(fs.report(None, data[0], noise, tmp_path / "report.html"))
    assert page.headings == ["Data", "Spectrum"] and "0 lines" in page.text


def test_a_spectrum_is_made_where_none_is_given(data, tmp_path):
    page = Page(fs.report(Model(), data[0][:60, 0].numpy(), data[1][:60, 0].numpy(), tmp_path / "report.html"))
    assert "Spectrum:" in page.text and "lines of the data" in page.text


def test_a_diagnosis_of_ones_own_is_put_in(data, found, tmp_path):
    x, y = data
    model = nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    given = fs.diagnose(model, x, y, torch.optim.SGD(model.parameters(), 1e-9), frequencies=[3.0], horizon=77)
    page = Page(fs.report(model, x, y, tmp_path / "report.html", found=found, diagnosis=given))
    assert page.headings[-1] == "Diagnosis and recommendation" and "beyond 77 steps" in page.text
    assert given.reason in page.text and " ".join(given.code.split()) in page.text


@pytest.mark.parametrize(("d", "pictures"), [(2, 2), (4, 1)])
def test_pages_in_more_dimensions(d, pictures, tmp_path):
    x = torch.rand(150, d, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 4
    y = torch.stack([torch.sin(2 * torch.pi * x[:, 0]), torch.zeros(150)], 1)[:, :1]
    page = Page(fs.report(lambda x: torch.zeros(len(x), 1), x, y, tmp_path / "report.html"))
    assert len(page.images) == pictures
    assert ("max_frequency" in page.text) == (d == 4)


def test_errors_of_lines_are_shares_of_their_amplitude(data):
    x, y = data
    fit = y - 0.25 * torch.cos(6 * torch.pi * x + 1.0)
    errors = line_errors(x, y, fit, torch.tensor([[1.0], [3.0]]))
    assert errors.error.tolist() == pytest.approx([0, 0.5], abs=1e-6)
    assert errors.amplitude.tolist() == pytest.approx([1, 0.5], abs=1e-6)
    assert [row[0] for row in errors.table("").rows] == ["3", "1"]


def test_the_slowest_are_named_first(data):
    x, y = data
    monitor = fs.SpectralMonitor(x, y, None, period=1.0, peaks=torch.tensor([1, 2, 3]))
    state = monitor.state_dict()
    errors = torch.tensor([[1.0, 1.0, 1.0], [0.01, 1.0, 1.0], [0.01, 0.5, 0.05]], dtype=torch.float64)
    monitor.load_state_dict({**state, "steps": [0, 100, 2000], "errors": errors})
    assert slowest(monitor) == "2 (now 50 %), 3 (below 10 % since step 2,000), 1 (below 10 % since step 100)"


def test_the_closer_view_is_of_some_periods():
    x = torch.linspace(0, 100, 101)
    assert window_of(x, 1.0) == (46.0, 54.0) and window_of(x, 0.05) is None and window_of(x, None) is None


@pytest.mark.parametrize(
    ("change", "named"), [({"y": torch.rand(3)}, "^y: had 3"), ({"model": lambda x: x[:2]}, "^model: returned")]
)
def test_bad_arguments_are_named(data, found, tmp_path, change, named):
    given = {"model": Model(), "x": data[0], "y": data[1]} | change
    with pytest.raises(ValueError, match=named):
        fs.report(given["model"], given["x"], given["y"], tmp_path / "report.html", found=found)
    assert not (tmp_path / "report.html").exists()


# --- of a file --------------------------------------------------------------------------------------------------------


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_columns_are_read_as_people_write_them(tmp_path):
    path = write(tmp_path / "a.csv", "# a comment\n t ; v ;w\n1;2;x\n2;;y\n3;4,5;z\n".replace("4,5", "4.5"))
    read = read_columns(path, ["t", "v"])
    assert read.values.tolist() == [[1, 2], [3, 4.5]] and read.left_out == 1 and read.times == [False, False]
    path = write(tmp_path / "b.csv", "when,v\n1970-01-02,1\n1970-01-02T12:00:00Z,NA\n1970-01-03 12:00,3\n")
    read = read_columns(path, [])
    assert read.values.tolist() == [[1, 1], [2.5, 3]] and read.times == [True, False]
    assert read_columns(write(tmp_path / "c.csv", "1 2\n3 4\n"), []).names == ["column 1", "column 2"]
    with pytest.raises(ValueError, match="^w: had 'x'"):
        read_columns(tmp_path / "a.csv", ["w"])


@pytest.fixture
def series(data, tmp_path):
    rows = "\n".join(f"{x!r},{y!r}" for x, y in zip(data[0][:80, 0].tolist(), data[1][:80, 0].tolist(), strict=True))
    return write(tmp_path / "data.csv", f"year,ppm\n{rows}\n4,\n")


def test_the_command_writes_a_page(series):
    result = CliRunner().invoke(cli.main, ["report", str(series), "--x", "year", "--y", "ppm", "--steps", "12"])
    assert result.exit_code == 0, result.output
    assert f"wrote {series.with_suffix('.html')}; 1 rows lacked a value" in result.output
    page = Page(series.with_suffix(".html"))
    assert len(page.headings) == 5 and "ppm over year" in page.text and "cycles per year" in page.text


def test_the_command_explains_what_is_wrong(series, tmp_path):
    def said(*arguments):
        result = CliRunner().invoke(cli.main, ["report", str(series), *arguments])
        assert result.exit_code == 1
        return result.output

    assert "month: is no column" in said("--x", "month", "--y", "ppm") and "year, ppm" in said("--x", "m", "--y", "ppm")
    assert "both or neither" in said("--x", "year")
    assert CliRunner().invoke(cli.main, ["report", str(tmp_path / "none.csv")]).exit_code == 2


def test_without_matplotlib_the_extra_is_named(series, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    result = CliRunner().invoke(cli.main, ["report", str(series), "--steps", "0"])
    assert result.exit_code == 1 and "fastspec-torch[demo]" in result.output
