"""A page of sections as HTML that needs no other file: its style and its pictures are inside."""

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

from .._notebook import Table, image, png

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 130

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1f24; background: #fff; margin: 0 auto; max-width: 60rem;
       padding: 1rem; }
h1 { font-size: 1.6rem; line-height: 1.25; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
img { display: block; max-width: 100%; height: auto; margin: 0.8rem 0; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { white-space: nowrap; border-bottom: 1px solid #d7dbe0; }
pre { background: #f3f5f7; padding: 0.8rem; overflow-x: auto; }
.verdict { border-left: 4px solid #0077bb; padding: 0.1rem 1rem; background: #f0f6fb; }
footer { color: #59636e; font-size: 0.85rem; margin-top: 3rem; }
"""


@dataclass
class Section:
    """A heading and what stands under it, in order."""

    title: str
    parts: list[str] = field(default_factory=list)

    def say(self, text: str, kind: str = "") -> "Section":
        self.parts.append(f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>")
        return self

    def tabulate(self, table: Table) -> "Section":
        self.parts.append(f'<div class="table">{table.html()}</div>')
        return self

    def show(self, figure: "Figure", alt: str) -> "Section":
        self.parts.append(image(png(figure, _DPI), alt))
        return self

    def code(self, text: str) -> "Section":
        self.parts.append(f"<pre>{escape(text)}</pre>")
        return self

    def html(self) -> str:
        return f"<section><h2>{escape(self.title)}</h2>{''.join(self.parts)}</section>"


def page(title: str, lead: str, sections: list[Section], foot: str) -> str:
    body = "\n".join(section.html() for section in sections)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
<p class="verdict">{escape(lead)}</p>
{body}
<footer>{escape(foot)}</footer>
</body>
</html>
"""
