"""The report of a CSV file, which comes with no model: a PhaseMLP is fitted."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..measure.spectrum import spectrum
from .advised import of_data
from .columns import read_columns
from .fitted import fitted
from .report import report, unit_in


def write_report(
    data: Path, x_names: Sequence[str], y_names: Sequence[str], out: Path, steps: int, max_frequency: float | None
) -> int:
    """The page of these columns, written to ``out``; without ``steps``, about the data alone.

    Returns:
        How many rows were left out because a value was missing.

    Raises:
        ImportError: where matplotlib is not installed.
        ValueError: naming what in the file is not as it must be.
    """
    if bool(x_names) != bool(y_names):
        raise ValueError("x, y: only one of them was named, must be both or neither")
    read = read_columns(data, [*x_names, *y_names])
    d, names = len(x_names) or 1, read.names
    if len(names) < 2 or (not x_names and len(names) > 2):
        raise ValueError(f"x, y: were not named, must be columns of {data}, which has {', '.join(names)}")
    if not len(read.values):
        raise ValueError(f"{data}: had no row in which {', '.join(names)} all have a value")
    x, y = read.values[:, :d], read.values[:, d:]
    unit = "day" if read.times[0] else unit_in(names[0])
    found = replace(spectrum(x, y, max_frequency=max_frequency), unit=unit)
    model, monitor = fitted(x, y, found, steps) if steps else (None, None)
    days = " (days since 1970)" if read.times[0] else ""
    titles = ", ".join(names[:d]) + days, ", ".join(names[d:])
    report(model, x, y, out, monitor=monitor, found=found, diagnosis=of_data(x, y, found), names=titles)
    return read.left_out
