"""What every recipe shares: seeds, resuming, the page of all."""

import json
import re
from dataclasses import dataclass, replace

import pytest
import torch
from click.testing import CliRunner

from fastspec import cli
from fastspec.recipes import RECIPES, Outcome, Recipe, readable, run_every, run_recipe, table_of, write_page
from fastspec.recipes.harness import UNFINISHED, figure, outcome
from fastspec.recipes.trials import median, over_seeds, spread


@dataclass(frozen=True)
class Settings:
    seed: int = 4
    threads: int = 1
    seeds: int = 3
    scale: float = 1.0


@pytest.fixture
def calls():
    return []


@pytest.fixture
def recipe(calls):
    """Draws a random number a seed; breaks down at ``fails_at``."""

    def make(fails_at=None):
        def trial(settings, seed, device):
            calls.append(seed)
            if seed == fails_at:
                raise KeyboardInterrupt
            return {"value": settings.scale * torch.rand(2)}

        def judge(settings, trials, out):
            values = [t["value"].sum().item() for t in trials]
            with figure(out / "figure.png", 1, 1):
                pass
            checks = {"there are three": len(values) == 3, "<b>never": False}
            return outcome("a | claim", checks, {"count": 3}, {"values": values}, ["figure.png"])

        return Recipe("fake", "nothing", Settings(), Settings(scale=2.0), over_seeds(trial, judge))

    return make


def test_an_interrupted_run_goes_on_where_it_stopped(recipe, calls, tmp_path):
    whole = run_recipe(recipe(), tmp_path / "whole")
    calls.clear()
    with pytest.raises(KeyboardInterrupt):
        run_recipe(recipe(fails_at=6), tmp_path / "cut")
    assert calls == [4, 5, 6] and (tmp_path / "cut" / UNFINISHED).is_dir()
    resumed = run_recipe(recipe(), tmp_path / "cut")
    assert calls == [4, 5, 6, 6]
    assert resumed["headline"] == whole["headline"]
    assert not (tmp_path / "cut" / UNFINISHED).exists()


def test_what_other_settings_left_is_not_used(recipe, calls, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run_recipe(recipe(fails_at=6), tmp_path)
    calls.clear()
    run_recipe(recipe(), tmp_path, quick=True)
    assert calls == [4, 5, 6]


def test_result_holds_thresholds_checks_and_size(recipe, tmp_path):
    result = run_recipe(recipe(), tmp_path, quick=True)
    assert result["threshold"] == {"count": 3} and result["checks"] == {"there are three": True, "<b>never": False}
    assert result["holds"] is False and result["size"] == "quick"
    assert run_recipe(recipe(), tmp_path, full=True)["settings"]["scale"] == 1.0
    large = replace(recipe(), full=Settings(scale=9.0))
    assert run_recipe(large, tmp_path, full=True)["settings"]["scale"] == 9.0


def test_never_is_later_than_any_step():
    assert spread([3, None, 1]) == {"median": 3, "lowest": 1, "highest": float("inf")}
    assert median([None, None, 1]) == float("inf")


def test_the_page_is_one_file_and_shows_each_card(recipe, tmp_path):
    result = run_recipe(recipe(), tmp_path / "fake")
    write_page([result], tmp_path)
    page = (tmp_path / "index.html").read_text()
    assert page.count("<article") == 1 and "0 of 1 claims hold" in page and "data:image/png;base64," in page
    assert "&lt;b&gt;never: does not hold" in page and "<b>never" not in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert 'href="#fake"' in page and 'id="fake"' in page
    assert "viewport" in page and "count" in page and "scale" in page
    assert (tmp_path / "index.md").read_text() == table_of([result])


def test_a_spread_is_read_as_its_median_and_extremes():
    assert readable(spread([1.0, 2.0, None])) == "2 (1 to never)"
    assert readable({"a": spread([3, 3, 3]), "b": None}) == "a 3; b never"


def test_the_table_has_a_row_each_and_its_failed_parts(recipe, tmp_path):
    result = run_recipe(recipe(), tmp_path)
    assert "| [fake](#fake) |" in table_of([result], links=True)
    lines = table_of([result, result]).splitlines()
    assert len(lines) == 4 and lines[2].startswith("| fake | a \\| claim | **does not hold**: <b>never | values: ")


def test_run_all_makes_the_page(monkeypatch, recipe, tmp_path):
    monkeypatch.setattr(cli, "RECIPES", {"fake": recipe()})
    result = CliRunner().invoke(cli.main, ["run", "all", "--quick", "--out", str(tmp_path)])
    assert result.exit_code == 0 and "0 of 1 claims hold" in result.output
    assert (tmp_path / "index.html").exists()
    assert json.loads((tmp_path / "fake" / "result.json").read_text())["size"] == "quick"


def test_all_goes_on_where_it_was_interrupted(monkeypatch, recipe, calls, tmp_path):
    first, second = replace(recipe(), name="first"), replace(recipe(fails_at=5), name="second")
    with pytest.raises(KeyboardInterrupt):
        run_every([first, second], tmp_path)
    calls.clear()
    mended = [first, replace(recipe(), name="second")]
    assert [r["recipe"] for r in run_every(mended, tmp_path)] == ["first", "second"]
    assert calls == [5, 6]
    calls.clear()
    run_every(mended, tmp_path)
    assert calls == [4, 5, 6] * 2


def test_sizes_exclude_each_other(tmp_path):
    result = CliRunner().invoke(cli.main, ["run", "f-principle", "--quick", "--full", "--out", str(tmp_path)])
    assert result.exit_code == 2 and "exclude" in result.output


def test_claims_are_tested_on_three_seeds_or_more():
    for recipe in RECIPES.values():
        for settings in (recipe.settings, recipe.quick):
            assert settings.seeds >= 3, recipe.name


def test_an_outcome_without_parts_has_no_checks():
    assert Outcome("", True, {}, []).checks == {}
