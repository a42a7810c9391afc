"""The examples as notebooks, with their outputs: `python -m benchmarks.tools.notebooks [NAME ...]` writes them.

A script that begins with a "# %%" line is one: each such line begins a cell, "# %% [markdown]" one of text.
"""

import os
import sys
import tempfile
from pathlib import Path

from benchmarks import ROOT
from fastspec._files import write_whole

EXAMPLES = ROOT / "examples"
MARK, TEXT = "# %%", "# %% [markdown]"


def scripts() -> list[Path]:
    return [path for path in sorted(EXAMPLES.glob("*.py")) if path.read_text().startswith(MARK)]


def cells_of(script: str) -> list[tuple[str, str]]:
    """Of a script, each cell's kind, "markdown" or "code", and its source."""
    cells: list[tuple[str, list[str]]] = []
    for line in script.splitlines():
        if line in (MARK, TEXT):
            cells.append(("markdown" if line == TEXT else "code", []))
        else:
            kind, lines = cells[-1]
            lines.append(line.removeprefix("#").removeprefix(" ") if kind == "markdown" else line)
    return [(kind, "\n".join(lines).strip("\n")) for kind, lines in cells]


def notebook_of(script: str):
    from nbformat import v4

    make = {"markdown": v4.new_markdown_cell, "code": v4.new_code_cell}
    notebook = v4.new_notebook(cells=[make[kind](source) for kind, source in cells_of(script)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"  # not random, so that what has not changed stays as it was
    return notebook


def executed(notebook):
    """Run from its first cell to its last, in a folder of its own, for it also writes its picture."""
    from nbclient import NotebookClient

    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=600, coalesce_streams=True, resources={"metadata": {"path": folder}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # the times it was run at
    return notebook


def main() -> None:
    import nbformat

    chosen = set(sys.argv[1:])
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    for path in scripts():
        if chosen and path.stem not in chosen:
            continue
        print(path.name, flush=True)
        notebook = executed(notebook_of(path.read_text()))
        write_whole(path.with_suffix(".ipynb"), nbformat.writes(notebook) + "\n")


if __name__ == "__main__":
    main()
