"""The recipes' claims as a document: a table, and the first figure of each. From what ``fastspec run all`` left in DIR.

python -m benchmarks.tools.systems DIR    writes docs/systems.md and docs/systems/NAME.png
"""

import argparse
import json
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

from benchmarks import ROOT
from fastspec._files import write_whole
from fastspec.recipes import RECIPES, table_of

DOCS = ROOT / "docs"
WIDTH, COLOURS = 1000, 128  # of an image, to keep the repository small


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    write_document(parser.parse_args().out, DOCS)


def write_document(out: Path, docs: Path) -> None:
    results = [json.loads(path.read_text()) for name in RECIPES if (path := out / name / "result.json").exists()]
    (docs / "systems").mkdir(parents=True, exist_ok=True)
    for result in results:
        first = out / result["recipe"] / result["figures"][0]
        write_whole(docs / "systems" / f"{result['recipe']}.png", smaller(first))
    write_whole(docs / "systems.md", document(results))


def document(results: list[dict[str, Any]]) -> str:
    held = sum(result["holds"] for result in results)
    heading = (
        "# Systems and their claims\n\n"
        f"`fastspec run NAME` runs one of these, `fastspec run all` all of them. In the run below {held} of "
        f"{len(results)} claims hold. A claim that does not hold at this size is a result too. "
        "A figure over seeds is the median, and the extremes in brackets. `make systems` writes this page.\n\n"
    )
    return heading + table_of(results, links=True) + "".join(map(section, results))


def section(result: dict[str, Any]) -> str:
    name = result["recipe"]
    return f"\n## {name}\n\n{RECIPES[name].summary}\n\n![{name}](systems/{name}.png)\n"


def smaller(path: Path) -> bytes:
    image: Any = import_module("PIL.Image").open(path).convert("RGB")
    height = round(image.height * WIDTH / image.width)
    small = image.resize((WIDTH, height)) if image.width > WIDTH else image
    content = BytesIO()
    small.quantize(COLOURS).save(content, "PNG", optimize=True)
    return content.getvalue()


if __name__ == "__main__":
    main()
