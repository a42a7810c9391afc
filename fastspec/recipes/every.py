"""Every recipe in one run, which goes on where it was interrupted, and the page of them all."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .harness import UNFINISHED, Recipe, run_recipe
from .page import Result, write_page


def run_every(recipes: Sequence[Recipe], out: Path, **choices: Any) -> list[Result]:
    """Each into a folder of its name in ``out``, with ``choices`` as for :func:`run_recipe`; then ``index.html``.

    What an interrupted run of the same choices had finished is read, not run again.
    """
    mark = out / UNFINISHED
    asked = json.dumps(choices, sort_keys=True)
    if not mark.exists() or mark.read_text() != asked:
        out.mkdir(parents=True, exist_ok=True)
        for recipe in recipes:
            (out / recipe.name / "result.json").unlink(missing_ok=True)
        mark.write_text(asked)
    results = []
    for recipe in recipes:
        done = out / recipe.name / "result.json"
        results.append(json.loads(done.read_text()) if done.exists() else run_recipe(recipe, done.parent, **choices))
    write_page(results, out)
    mark.unlink()
    return results
