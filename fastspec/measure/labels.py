"""Frequencies and errors as words: few digits, but enough to tell one from another."""

import math
from collections.abc import Sequence

from .._notebook import Table
from .methods import Frequency

_DIGITS, _MOST_DIGITS = 3, 17


def rounded(values: Sequence[float]) -> list[str]:
    """Three digits, or as many as different values need to look different; whole numbers in full."""
    texts: list[str] = []
    for digits in range(_DIGITS, _MOST_DIGITS + 1):
        texts = [_number(value, digits) for value in values]
        if len(set(texts)) == len(set(values)):
            break
    return texts


def _number(value: float, digits: int) -> str:
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "-∞"}.get(value, "NaN")
    if value == round(value) and abs(value) < 1e6:
        return str(round(value))
    if not 1e-4 <= abs(value) < 1e6:
        return f"{value:.{digits}g}"
    decimals = max(digits - 1 - math.floor(math.log10(abs(value))), 0)
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def row_labels(frequencies: Sequence[Frequency], *, bands: bool) -> list[str]:
    """One for each row of a picture or table: 0.182, (1, -2), low 0.5, or of a band 4 – 16."""
    rows = [frequency if isinstance(frequency, tuple) else (frequency,) for frequency in frequencies]
    numbers = [part for row in rows for part in row if not isinstance(part, str)]
    text = dict(zip(numbers, rounded(numbers), strict=True))
    return [_joined([part if isinstance(part, str) else text[part] for part in row], row, bands) for row in rows]


def _joined(parts: list[str], row: tuple[float | str, ...], bands: bool) -> str:
    if bands:
        return f"at least {parts[0]}" if row[1] == math.inf else f"{parts[0]} – {parts[1]}"
    if isinstance(row[0], str) or len(parts) == 1:
        return " ".join(parts)
    return f"({', '.join(parts)})"


def percent(error: float) -> str:
    """0.0432 -> "4.3 %"."""
    return f"{_number(float(f'{100 * error:.2g}'), 2)} %" if math.isfinite(error) else str(error)


def error_table(
    title: str, heading: str, labels: Sequence[str], last: Sequence[float], *reached: Sequence[int | None]
) -> Table:
    """Of each row the last error, and the steps at which it was first below 10 %, and is since."""
    columns = [["never" if step is None else f"{step:,}" for step in steps] for steps in reached]
    rows = list(zip(labels, map(percent, last), *columns, strict=True))
    return Table(title, (heading, "last error", "first below 10 %", "below since"), rows)
