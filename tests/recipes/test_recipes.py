import json
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch

from fastspec.recipes import RECIPES, Outcome, f_principle, mauna_loa, run_recipe, walsh

FIGURES = {
    "mauna-loa": ["error-per-frequency.png", "fits.png", "harmonics.png"],
    "plug-in": ["error-per-frequency.png"],
    "f-principle": ["f-principle.png"],
    "upper-limit": ["value-between-points.png", "interpolants.png"],
    "walsh": ["degrees.png", "held-out.png"],
}


@pytest.fixture(scope="module", params=sorted(FIGURES))
def quick_run(request, tmp_path_factory):
    out = tmp_path_factory.mktemp(request.param) / "new" / "folder"
    return request.param, run_recipe(RECIPES[request.param], out, quick=True), out


def test_the_claim_holds(quick_run):
    name, result, _ = quick_run
    assert result["recipe"] == name and result["quick"] is True
    assert result["claim"] and result["holds"] is True, result


def test_figures_and_result_are_on_disk(quick_run):
    name, result, out = quick_run
    assert json.loads((out / "result.json").read_text()) == json.loads(json.dumps(result))
    assert sorted(p.name for p in out.iterdir()) == sorted([*FIGURES[name], "result.json"])
    assert result["figures"] == FIGURES[name]
    for figure in FIGURES[name]:
        assert (out / figure).read_bytes().startswith(b"\x89PNG")


def test_co2_series_is_the_irregular_one():
    years, ppm = mauna_loa.load_co2(torch.device("cpu"))
    assert years.shape == ppm.shape == (2225, 1)
    assert years[0].item() == pytest.approx(1958.24, abs=0.01) and years[-1].item() == pytest.approx(2001.99, abs=0.01)
    assert years.flatten().diff().max() > 0.3


def test_seasons_are_tracked_and_found(quick_run):
    name, result, _ = quick_run
    if name != "mauna-loa":
        return
    assert result["headline"]["frequencies_found_per_year"][:2] == pytest.approx([1, 2], abs=2e-3)
    assert result["headline"]["yearly_within_10_percent_from_step"][mauna_loa.MSE] is None


def test_untrained_networks_do_not_pass(tmp_path):
    untrained = replace(RECIPES["f-principle"], quick=replace(f_principle.QUICK, steps=5))
    assert run_recipe(untrained, tmp_path, quick=True)["holds"] is False
    hasty = replace(RECIPES["mauna-loa"], quick=replace(mauna_loa.QUICK, steps=5, soon=5))
    assert run_recipe(hasty, tmp_path, quick=True)["holds"] is False
    task = replace(walsh.QUICK.tasks[0], steps=50)
    brief = replace(RECIPES["walsh"], quick=replace(walsh.QUICK, spectrum_steps=5, tasks=(task,)))
    assert run_recipe(brief, tmp_path, quick=True)["holds"] is False


def test_the_seed_decides_the_result(tmp_path):
    short = replace(RECIPES["f-principle"], quick=replace(f_principle.QUICK, steps=5))
    losses = [run_recipe(short, tmp_path, quick=True, seed=s)["headline"]["final_loss"] for s in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize("fails", [False, True])
def test_threads_are_the_recipes_own_and_given_back(tmp_path, fails):
    before, during = torch.get_num_threads(), []

    def main(settings, out, device):
        during.append(torch.get_num_threads())
        if fails:
            raise ArithmeticError
        return Outcome("", True, {}, [])

    recipe = replace(RECIPES["f-principle"], settings=replace(f_principle.FULL, threads=before + 1), main=main)
    with pytest.raises(ArithmeticError) if fails else nullcontext():
        run_recipe(recipe, tmp_path)
    assert during == [before + 1] and torch.get_num_threads() == before
