import math
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from matplotlib.figure import Figure

from fastspec.recipes import RECIPES, Outcome, f_principle, mauna_loa, run_recipe, upper_limit


def test_co2_series_is_the_irregular_one():
    years, ppm = mauna_loa.load_co2(torch.device("cpu"))
    assert years.shape == ppm.shape == (2225, 1)
    assert years[0].item() == pytest.approx(1958.24, abs=0.01) and years[-1].item() == pytest.approx(2001.99, abs=0.01)
    assert years.flatten().diff().max() > 0.3


def test_seasons_are_found():
    years, ppm = mauna_loa.load_co2(torch.device("cpu"))
    found = mauna_loa.build(mauna_loa.PHASE, years, (ppm - ppm.mean()) / ppm.std(), mauna_loa.QUICK).frequencies
    assert found.flatten()[:2].tolist() == pytest.approx([1, 2], abs=2e-3)


def test_no_fit_hides_another(monkeypatch, tmp_path):
    """Each in a panel of its own, over the data."""
    page = Figure()
    monkeypatch.setattr(mauna_loa, "figure", lambda path, width, height: nullcontext(page))
    fits = {name: {"fit": torch.zeros(10), "rms": 1.0} for name in mauna_loa.COLOURS}
    mauna_loa.draw_fits(fits, tmp_path / "fits.png")
    panels = {axes.get_title().split("\n")[0]: axes for axes in page.axes[1:]}
    assert list(panels) == list(mauna_loa.COLOURS)
    for name, colour in mauna_loa.COLOURS.items():
        assert [line.get_color() for line in panels[name].lines[1:]] == [colour]


@pytest.mark.parametrize("d", [1, 2])
def test_a_regime_is_told_from_another(d):
    """Of means as the laws have them, each exponent's own is at no distance, and the others' are far."""
    sizes = (10, 100, 1000)
    settings = replace(upper_limit.QUICK, line=sizes, plane=sizes)
    laws = {
        0.5: [n ** (-0.5 * d) for n in sizes],
        1.0: [1 / (1 + math.log(n)) for n in sizes],
        2.0: [0.5 + 0.1 * n**-d for n in sizes],
    }
    for factor in laws:
        for law, means in laws.items():
            off = upper_limit.deviation((d, factor), means, settings)
            assert off < 1e-3 if law == factor else off > settings.tolerance


def test_the_seed_decides_the_result(tmp_path):
    short = replace(RECIPES["f-principle"], quick=replace(f_principle.QUICK, seeds=1, hidden=(4,), steps=5))
    losses = [run_recipe(short, tmp_path, quick=True, seed=s)["headline"]["final_loss"]["median"] for s in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize("fails", [False, True])
def test_threads_are_the_recipes_own_and_given_back(tmp_path, fails):
    before, during = torch.get_num_threads(), []

    def main(settings, out, device):
        during.append(torch.get_num_threads())
        if fails:
            raise ArithmeticError
        return Outcome("", True, {}, [])

    recipe = replace(RECIPES["f-principle"], settings=replace(f_principle.DEFAULT, threads=before + 1), main=main)
    with pytest.raises(ArithmeticError) if fails else nullcontext():
        run_recipe(recipe, tmp_path)
    assert during == [before + 1] and torch.get_num_threads() == before
