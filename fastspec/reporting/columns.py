"""Columns of a file of comma-separated values, as numbers or times."""

import csv
import math
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

_DAY = 86400.0
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MISSING = {"", "na", "nan", "null", "none", "-", "."}


class Columns(NamedTuple):
    """What was read: float64 (M, columns), their names, which are times, and the number of rows left out."""

    values: Tensor
    names: list[str]
    times: list[bool]
    left_out: int


def read_columns(path: Path, names: Sequence[str]) -> Columns:
    """The named columns, or where none are named all, of the rows in which none of them is missing.

    Separators may be commas, semicolons, tabs or spaces; lines that begin with # are skipped, and the first of the
    others is the heading, unless it is all numbers. Times in ISO 8601 are days since 1970.

    Raises:
        ValueError: naming the column, the line and what was there, where it is neither number nor time.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = [line for line in file if line.strip() and not line.startswith("#")]
    if len(lines) < 2:
        raise ValueError(f"{path}: had {len(lines)} lines, must have a heading and rows")
    heading, *rows = csv.reader(lines, delimiter=_separator(lines[0]), skipinitialspace=True)
    heading = [name.strip() for name in heading]
    if all(map(_is_number, heading)):
        heading, rows = [f"column {i + 1}" for i in range(len(heading))], [heading, *rows]
    for name in names:
        if name not in heading:
            raise ValueError(f"{name}: is no column of {path}, which has {', '.join(heading)}")
    wanted = list(names) or heading
    places = [heading.index(name) for name in wanted]
    cells = [[row[i].strip() if i < len(row) else "" for i in places] for row in rows]
    found = [[_number(cell, name) for cell, name in zip(row, wanted, strict=True)] for row in cells]
    whole = [row for row in found if all(map(math.isfinite, row))]
    values = torch.tensor(whole, dtype=torch.float64).reshape(len(whole), len(places))
    times = [any(not (_is_number(cell) or _is_missing(cell)) for cell in column) for column in zip(*cells, strict=True)]
    return Columns(values, wanted, times, len(found) - len(whole))


def _separator(heading: str) -> str:
    separator = max(",;\t", key=heading.count)
    return separator if separator in heading else " "


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_missing(text: str) -> bool:
    return text.lower() in _MISSING


def _number(text: str, column: str) -> float:
    """NaN where it is missing."""
    if _is_missing(text):
        return math.nan
    if _is_number(text):
        return float(text)
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise ValueError(f"{column}: had {text!r}, must be a number or a time such as 2001-12-31") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return (moment - _EPOCH).total_seconds() / _DAY
