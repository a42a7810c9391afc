"""One page of many recipes' results: a card each, static and self-contained; and the same as a Markdown table."""

import base64
import html
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .._files import write_whole

Result = dict[str, Any]  # as run_recipe returns it

HOLDS, FAILS = "holds", "does not hold"

STYLE = """
:root { color-scheme: light dark; --line: #8885; --good: #0a7d4f; --bad: #b3401d; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 0 auto; padding: 1rem; }
main { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 30rem), 1fr)); }
article { border: 1px solid var(--line); border-radius: 8px; padding: 1rem; min-width: 0; }
h2 { margin: 0; font-size: 1.1rem; }
img { width: 100%; height: auto; background: white; border-radius: 4px; }
.holds { color: var(--good); } .fails { color: var(--bad); }
nav { margin-bottom: 1rem; } nav a { white-space: nowrap; }
.verdict { font-weight: 600; } ul { padding-left: 1.2rem; margin: .5rem 0; }
details { margin-top: .5rem; overflow-wrap: anywhere; } dt { font-weight: 600; } dd { margin: 0 0 .4rem 0; }
"""


def readable(value: Any) -> str:
    """A headline's value in words; a spread over the seeds is its median, and its extremes in brackets."""
    if isinstance(value, dict) and set(value) == {"median", "lowest", "highest"}:
        median, lowest, highest = map(readable, (value["median"], value["lowest"], value["highest"]))
        return median if lowest == highest else f"{median} ({lowest} to {highest})"
    if isinstance(value, dict):
        return "; ".join(f"{key} {readable(entry)}" for key, entry in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(readable, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value in (None, math.inf, "Infinity"):
        return "never"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def write_page(results: Sequence[Result], out: Path) -> None:
    """``index.html`` and ``index.md`` in ``out``, where each recipe's figures are in a folder of its name."""
    write_whole(out / "index.html", page_of(results, out))
    write_whole(out / "index.md", table_of(results))


def page_of(results: Sequence[Result], out: Path) -> str:
    held = sum(result["holds"] for result in results)
    seconds = sum(result["processor_seconds"] for result in results)
    cards = "\n".join(card_of(result, out / result["recipe"]) for result in results)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>fastspec: systems</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        "<h1>Systems and their claims</h1>\n"
        f"<p>{held} of {len(results)} claims hold, {seconds:.0f} s of processor in all.</p>\n"
        f"<nav>{' · '.join(map(link_to, results))}</nav>\n"
        f"<main>\n{cards}\n</main>\n</body>\n</html>\n"
    )


def link_to(result: Result) -> str:
    name = html.escape(result["recipe"])
    return f'<a class="{"holds" if result["holds"] else "fails"}" href="#{name}">{name}</a>'


def card_of(result: Result, folder: Path) -> str:
    escape = html.escape
    checks = "".join(
        f'<li class="{"holds" if held else "fails"}">{escape(name)}: {HOLDS if held else FAILS}</li>'
        for name, held in result["checks"].items()
    )
    first, *others = (image_of(folder / name) for name in result["figures"])
    return (
        f'<article id="{escape(result["recipe"])}">\n<h2>{escape(result["recipe"])}</h2>\n'
        f'<p class="verdict {"holds" if result["holds"] else "fails"}">{HOLDS if result["holds"] else FAILS}'
        f" · {result['processor_seconds']:.0f} s of processor · {escape(result['size'])}</p>\n"
        f"<p>{escape(result['claim'])}</p>\n"
        f"{f'<ul>{checks}</ul>' if checks else ''}\n{first}\n"
        f"<details><summary>figures and numbers</summary>{''.join(others)}{listed(result['headline'])}</details>\n"
        f"<details><summary>thresholds and settings</summary>{listed(result['threshold'] | result['settings'])}"
        "</details>\n</article>"
    )


def image_of(path: Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{html.escape(path.stem)}" loading="lazy" src="data:image/png;base64,{data}">'


def listed(values: dict[str, Any]) -> str:
    rows = "".join(
        f"<dt>{html.escape(name.replace('_', ' '))}</dt><dd>{html.escape(readable(value))}</dd>"
        for name, value in values.items()
    )
    return f"<dl>{rows}</dl>"


def table_of(results: Sequence[Result], *, links: bool = False) -> str:
    """A row each; with ``links`` to headings of their names, further down the document."""
    lines = ["| system | claim | verdict | key figures | size | processor seconds |", "|---|---|---|---|---|---|"]
    for result in results:
        failed = [name for name, held in result["checks"].items() if not held]
        verdict = HOLDS if result["holds"] else ": ".join([f"**{FAILS}**", *(["; ".join(failed)] if failed else [])])
        name, value = next(iter(result["headline"].items()), ("", ""))
        key = f"{name.replace('_', ' ')}: {readable(value)}"
        name = f"[{result['recipe']}](#{result['recipe']})" if links else result["recipe"]
        cells = (name, result["claim"], verdict, key, result["size"], f"{result['processor_seconds']:.0f}")
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"
