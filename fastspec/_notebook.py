"""What a notebook shows as a cell's last line, a table and a picture. Matplotlib is imported when one is drawn."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_ROWS = 40
_DPI = 100


@dataclass(frozen=True)
class Table:
    """A line that says what it is, and rows of cells, as text or as HTML: numbers under headings, else words."""

    title: str
    headings: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()

    def __str__(self) -> str:
        lines = [line for line in (self.headings, *self.rows[:_MOST_ROWS]) if line and self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        put = str.rjust if self.headings else str.ljust
        aligned = ["  ".join(map(put, line, widths)).rstrip() for line in lines]
        return "\n".join([self.title, *aligned, *self._more()])

    def html(self) -> str:
        """The same, self-contained."""
        side = "right" if self.headings else "left"
        head = _row("th", side, self.headings) if self.rows and self.headings else ""
        body = "".join(_row("td", side, row) for row in self.rows[:_MOST_ROWS])
        more = "".join(f"<p>{escape(line)}</p>" for line in self._more())
        return f"<p>{escape(self.title)}</p><table>{head}{body}</table>{more}"

    def _more(self) -> list[str]:
        return [f"... and {len(self.rows) - _MOST_ROWS} more"] if len(self.rows) > _MOST_ROWS else []


def _row(tag: str, side: str, cells: Sequence[str]) -> str:
    style = f"text-align: {side}; padding: 0.1em 0.8em"
    return "<tr>" + "".join(f'<{tag} style="{style}">{escape(cell)}</{tag}>' for cell in cells) + "</tr>"


class Shown:
    """Has a table or a sentence for its ``repr``, and a picture beside it in a notebook.

    A class says what they are by :meth:`_table` and :meth:`_picture`. Where matplotlib is not installed there is the
    table alone.
    """

    def _table(self) -> Table:
        raise NotImplementedError

    def _picture(self) -> "Figure | None":
        """None where there is nothing to draw yet."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return str(self._table())

    def _repr_html_(self) -> str:
        drawn = self._repr_png_()
        return self._table().html() + ("" if drawn is None else image(drawn, self._table().title))

    def _repr_png_(self) -> bytes | None:
        try:
            figure = self._picture()
        except ModuleNotFoundError:  # of matplotlib
            return None
        return None if figure is None else png(figure)


def table_of(thing: Shown) -> Table:
    return thing._table()


def new_figure(width: float, height: float) -> "Figure":
    """A figure, in inches, that a notebook shows though pyplot knows nothing of it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    setattr(figure, "_repr_png_", partial(png, figure))  # noqa: B010 - a type checker knows no such method of it
    return figure


def png(figure: "Figure", dpi: float = _DPI) -> bytes:
    drawn = BytesIO()
    figure.savefig(drawn, format="png", dpi=dpi)
    return drawn.getvalue()


def image(drawn: bytes, alt: str) -> str:
    """A PNG as HTML that needs no file beside it."""
    return f'<img style="max-width: 100%" alt="{escape(alt)}" src="data:image/png;base64,{b64encode(drawn).decode()}">'
