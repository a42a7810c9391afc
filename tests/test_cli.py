import json
import platform
import sys
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from click.testing import CliRunner

from fastspec import cli
from fastspec._version import __version__
from fastspec.recipes import RECIPES, Outcome


def invoke(*arguments):
    return CliRunner().invoke(cli.main, arguments)


@pytest.fixture
def recipe(monkeypatch):
    """A recipe that does nothing; ``recipe(holds)`` says whether its claim holds."""

    def install(holds):
        def main(settings, out, device):
            (out / "figure.png").touch()
            return Outcome("two is two", holds, {"steps_to_10_percent": {"1": 20, "2": None}}, ["figure.png"])

        monkeypatch.setitem(RECIPES, "f-principle", replace(RECIPES["f-principle"], main=main))

    return install


def test_list_names_every_recipe():
    result = invoke("list")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.output.splitlines()] == list(RECIPES)


@pytest.mark.parametrize("holds", [True, False])
def test_the_exit_status_is_the_claim(recipe, holds, tmp_path):
    recipe(holds)
    result = invoke("run", "f-principle", "--quick", "--out", str(tmp_path / "here"), "--seed", "7")
    assert result.exit_code == (0 if holds else 1), result.output
    written = json.loads((tmp_path / "here" / "result.json").read_text())
    assert written["claim"] == "two is two" and written["holds"] is holds
    assert written["settings"]["seed"] == 7
    assert "two is two" in result.output and "1 20; 2 never" in result.output
    assert "result.json, figure.png" in result.output


def test_results_go_to_a_folder_of_their_own(recipe, tmp_path, monkeypatch):
    recipe(True)
    monkeypatch.chdir(tmp_path)
    assert invoke("run", "f-principle").exit_code == 0
    assert (tmp_path / "results" / "f-principle" / "result.json").exists()


def test_info_prints_versions_and_the_build():
    result = invoke("info")
    assert result.exit_code == 0, result.output
    facts = dict(line.split("  ", 1) for line in result.output.splitlines())
    assert facts["torch"].strip() == torch.__version__ and facts["python"].strip() == platform.python_version()
    assert facts["fastspec"].strip() == __version__
    assert {"cpu capability", "threads", "cuda", "triton"} <= set(facts)
    assert any(name.startswith("build: ") for name in facts)


@pytest.mark.parametrize("arguments", [("run", "nonsense"), ("run",), ("run", "f-principle", "--device", "tpu")])
def test_wrong_usage_is_explained(arguments):
    result = invoke(*arguments)
    assert result.exit_code == 2 and "Usage" in result.output


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_missing_device_is_explained(tmp_path):
    result = invoke("run", "f-principle", "--device", "cuda", "--out", str(tmp_path))
    assert result.exit_code == 1 and "CUDA" in result.output


def test_a_missing_extra_is_explained(recipe, tmp_path, monkeypatch):
    recipe(True)
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    result = invoke("run", "f-principle", "--out", str(tmp_path))
    assert result.exit_code == 1 and "pip install 'fastspec-torch[demo]'" in result.output


@pytest.fixture
def fake_suite(monkeypatch):
    """Records what the claims are asked to run."""
    asked = []
    claims = SimpleNamespace(names=lambda: ["loss", "small"], run=lambda *arguments: asked.append(arguments))
    monkeypatch.setattr(cli, "load_benchmarks", lambda module: SimpleNamespace(CLAIMS=claims))
    return asked


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ((), ((), False, None, cli.BENCHMARKS / "results")),
        (("--quick", "loss"), (("loss",), True, None, Path("results/bench"))),
        (("--seconds", "1", "--out", "here", "small", "loss"), (("small", "loss"), False, 1.0, Path("here"))),
    ],
)
def test_bench_hands_over_to_the_suite(fake_suite, arguments, asked):
    result = invoke("bench", *arguments)
    assert result.exit_code == 0, result.output
    assert fake_suite == [asked]


def test_bench_names_its_rows_where_one_is_unknown(fake_suite):
    result = invoke("bench", "nonsense")
    assert result.exit_code == 2 and "'nonsense'" in result.output and "loss, small" in result.output
    assert not fake_suite


def test_bench_without_the_source_is_explained(tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "BENCHMARKS", tmp_path)
    result = invoke("bench")
    assert result.exit_code == 1 and str(tmp_path) in result.output and "source" in result.output


def test_bench_without_its_extra_is_explained(monkeypatch):
    for module in [name for name in sys.modules if name.split(".")[0] == "benchmarks"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "ducc0", None)
    result = invoke("bench", "loss", "--quick")
    for module in [name for name in sys.modules if name.split(".")[0] == "benchmarks"]:
        monkeypatch.delitem(sys.modules, module)
    assert result.exit_code == 1 and "pip install 'fastspec-torch[bench]'" in result.output and "ducc0" in result.output


def test_bench_leaves_the_path_alone(monkeypatch, tmp_path):
    before = list(sys.path)
    assert invoke("bench", "nonsense").exit_code == 2
    assert sys.path == before


def test_the_command_is_installed():
    (command,) = entry_points(group="console_scripts", name="fastspec")
    assert command.load() is cli.main
