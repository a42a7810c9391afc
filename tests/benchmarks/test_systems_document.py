"""docs/systems.md from what a run of all recipes left."""

import json

from matplotlib.figure import Figure

from benchmarks import ROOT
from benchmarks.tools import systems
from fastspec.recipes import RECIPES


def leave(out, name, *, holds):
    folder = out / name
    folder.mkdir(parents=True)
    drawn = Figure(figsize=(10, 3))
    drawn.add_subplot().plot([1, 2])
    drawn.savefig(folder / "a.png", dpi=160)
    result = {
        "recipe": name,
        "claim": "a claim",
        "holds": holds,
        "checks": {"part": holds},
        "seconds": 3.0,
        "processor_seconds": 3.0,
        "size": "quick",
    }
    (folder / "result.json").write_text(json.dumps({**result, "figures": ["a.png"], "headline": {"steps": 5}}))


def test_the_document_has_a_row_and_a_figure_each(tmp_path):
    for name, holds in (("lfp", True), ("dff", False)):
        leave(tmp_path / "out", name, holds=holds)
    systems.write_document(tmp_path / "out", tmp_path / "docs")
    text = (tmp_path / "docs" / "systems.md").read_text()
    assert "1 of 2 claims hold" in text and "| [lfp](#lfp) | a claim | holds | steps: 5 | quick | 3 |" in text
    assert "**does not hold**: part" in text and text.index("## lfp") < text.index("## dff")
    for name in ("lfp", "dff"):
        image = (tmp_path / "docs" / "systems" / f"{name}.png").read_bytes()
        assert image.startswith(b"\x89PNG") and int.from_bytes(image[16:20], "big") == systems.WIDTH
        assert f"(systems/{name}.png)" in text


def test_the_committed_document_names_recipes_there_are():
    held = ROOT / "docs" / "systems"
    assert {path.stem for path in held.glob("*.png")} <= set(RECIPES)
    assert all(path.stat().st_size < 120_000 for path in held.glob("*.png"))
