"""The examples for newcomers: short, run here with few steps, and equal to the notebooks beside them."""

import json
import re
import runpy

import pytest
from samples import planners_algorithm

from benchmarks.tools.notebooks import cells_of, scripts

pytestmark = planners_algorithm

STEPS = {"irregular_series": 10, "image": 10, "pde": 10, "classifier": 20, "mri": 2}
LARGEST = 300_000  # bytes of a notebook, its pictures included

# What each shows at its default size: of what it prints, the first number is more than the second.
SHOWN = {
    "irregular_series": (r"^mine: off by ([\d.]+)", r"^retuned: off by ([\d.]+)"),
    "image": (r"^retuned: ([\d.]+) dB", r"^kernel: ([\d.]+) dB"),
    "pde": (r"^mean squares: u is off by ([\d.]+)", r"^energy norm: u is off by ([\d.]+)"),
    "classifier": (r"^step 50: ([\d.]+)", r"^step 400: ([\d.]+)"),
    "mri": (r"^adjoint: ([\d.]+)", r"^with TV: ([\d.]+)"),
}

examples = pytest.mark.parametrize("script", scripts(), ids=lambda path: path.stem)


def run(script, monkeypatch, tmp_path):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    try:
        runpy.run_path(str(script))
    finally:
        pyplot.close("all")


def test_all_five_are_here():
    assert {path.stem for path in scripts()} == STEPS.keys() == SHOWN.keys()


@examples
def test_it_is_short(script):
    assert len(script.read_text().splitlines()) < 60


@examples
def test_it_prints_numbers_and_draws_a_picture(script, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("STEPS", str(STEPS[script.stem]))
    run(script, monkeypatch, tmp_path)
    assert re.search(r"\d\.\d", capsys.readouterr().out)
    assert [path.name for path in tmp_path.iterdir()] == [f"{script.stem}.png"]


@pytest.mark.slow
@examples
def test_it_shows_what_it_says(script, monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("STEPS", raising=False)
    run(script, monkeypatch, tmp_path)
    printed = capsys.readouterr().out
    more, less = (float(re.search(pattern, printed, re.MULTILINE)[1]) for pattern in SHOWN[script.stem])
    assert more > less


@examples
def test_the_notebook_is_the_script(script):
    notebook = json.loads(script.with_suffix(".ipynb").read_text())
    found = [(cell["cell_type"], "".join(cell["source"])) for cell in notebook["cells"]]
    assert found == cells_of(script.read_text()), "make notebooks"


@examples
def test_the_notebook_was_run_and_is_small(script):
    path = script.with_suffix(".ipynb")
    outputs = [o for cell in json.loads(path.read_text())["cells"] for o in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert any(output["output_type"] == "stream" and output["name"] == "stdout" for output in outputs)
    assert not any(output["output_type"] == "error" or output.get("name") == "stderr" for output in outputs)
    assert path.stat().st_size < LARGEST


def test_cells_are_cut_at_their_marks():
    script = "# %% [markdown]\n# # A title\n#\n# text\n# %%\n# a comment\n\nx = 1\n"
    assert cells_of(script) == [("markdown", "# A title\n\ntext"), ("code", "# a comment\n\nx = 1")]
