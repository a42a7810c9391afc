"""fs.report: the data, their spectrum, the model, what it has of each line, how that came, and what to do."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .._data import Given, numbers, points
from .._files import PathLike, write_whole
from .._notebook import table_of
from .._version import __version__
from ..diagnosis import Diagnosis
from ..measure import SpectralMonitor
from ..measure.asking import called, evaluating, output_of
from ..measure.labels import percent, rounded
from ..measure.spectrum import Spectrum, spectrum
from .advised import of_data, of_model
from .lines import LEARNT, LineErrors, line_errors, slowest
from .page import Section, page
from .pictures import draw_against, draw_line, draw_plane, window_of

_CURVE = 4000  # points of the model's curve between the data's
_TOLD = (
    "Each line in the order of its predicted steps to 10 % error, the slowest last; alias: what the points do not tell"
    " from it."
)
_MOST_SEARCHED = 3  # dimensions whose spectrum needs no word of how far to look


def report(
    model: Any,
    x: Given,
    y: Given,
    path: PathLike = "report.html",
    *,
    monitor: SpectralMonitor | None = None,
    found: Spectrum | None = None,
    diagnosis: Diagnosis | None = None,
    names: Sequence[str] = ("x", "y"),
) -> Path:
    """Write one self-contained HTML page about scattered data and a model of them.

    It has the data with the model's fit, their spectrum and its lines, what the model has of each line, where a
    monitor is given the error of each frequency over its training and which were slowest, what
    :func:`fastspec.diagnose` says of the lines with the slowest last and code to paste, and a verdict that says all of
    it in a sentence.

    Without a model what is recommended is for the data: whether a plain network would learn their lines, the network,
    period and modes that suit them.

    Args:
        model: from points ``(M, d)`` in the units of x to ``(M,)`` or ``(M, C)`` in those of y; asked in evaluation
            mode. ``None`` for a page about the data alone.
        x, y: the data, as :func:`fastspec.spectrum` takes them.
        path: of the page.
        monitor: that recorded the training.
        found: the spectrum, where it is made already or needs arguments; else ``fs.spectrum(x, y)``.
        diagnosis: of ``fs.diagnose`` with arguments of your own, as your optimiser; by default it is made here, as the
            model now stands.
        names: of x and y, with their units if you like: ``("year", "CO₂ (ppm)")``.

    Returns:
        The path.

    Raises:
        ImportError: where matplotlib is not installed.
        OSError: where the file cannot be written; an earlier one stays as it was.
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """
    rows, values = _rows(points("x", x)), _rows(numbers("y", y))
    if len(rows) != len(values):
        raise ValueError(f"y: had {len(values)} values, must have {len(rows)}, one for each point of x")
    if found is None and rows.shape[1] <= _MOST_SEARCHED:
        found = spectrum(x, y)
    if found is not None and found.unit is None:
        found = replace(found, unit=unit_in(names[0]))
    fit = None if model is None else _asked(model, points("x", x))
    if fit is not None and fit.shape != values.shape:
        raise ValueError(f"model: returned {tuple(fit.shape)}, must return {tuple(values.shape)} as y has")
    errors = None if fit is None or found is None else line_errors(rows, values, fit, found.peaks.frequency)
    sections = [_data(model, rows, values, fit, found, names), _spectrum(found)]
    if errors is not None and found is not None:
        sections.append(_lines(errors, f"cycles per {found.unit or 'unit of x'}"))
    if monitor is not None and monitor.steps:
        sections.append(_training(monitor, None if found is None else found.unit))
    if diagnosis is None and found is not None:
        diagnosis = of_data(rows, values, found) if model is None else of_model(model, rows, values, found)
    if diagnosis is not None:
        sections.append(_diagnosis(diagnosis, None if found is None else found.unit))
    title, foot = f"{names[1]} over {names[0]}", f"fastspec {__version__}, torch {torch.__version__}"
    write_whole(path, page(title, _verdict(values, fit, found, errors, diagnosis), sections, foot))
    return Path(path)


def _rows(t: Tensor) -> Tensor:
    """(M,) or (M, d) to float64 (M, d) on the CPU."""
    return t.detach().cpu().double().reshape(len(t), -1)


def _asked(model: Any, x: Tensor) -> Tensor:
    with evaluating(model), torch.no_grad():
        return _rows(output_of(called(model, x.reshape(len(x), -1))))


def unit_in(name: str) -> str | None:
    """Of "time (s)" s, of "year" the year; x alone says none."""
    inside = name.partition("(")[2].rpartition(")")[0].strip()
    return inside or (None if name == "x" else name)


# --- sections ---------------------------------------------------------------------------------------------------------


def _data(
    model: Any, x: Tensor, y: Tensor, fit: Tensor | None, found: Spectrum | None, names: Sequence[str]
) -> Section:
    section = Section("Data" if fit is None else "Data and fit").say(_described(x, y, fit))
    for channel in range(y.shape[1]):
        own = names if y.shape[1] == 1 else (names[0], f"{names[1]}, {channel + 1} of {y.shape[1]}")
        value, line = y[:, channel], None if fit is None else fit[:, channel]
        if x.shape[1] == 1:
            strongest = float(found.peaks.frequency[0, 0]) if found is not None and len(found.peaks) else None
            curve = None if line is None else _curve(model, x, channel)
            section.show(draw_line(x[:, 0], value, curve, window_of(x[:, 0], strongest), own), "data and fit")
        elif x.shape[1] == 2:
            section.show(draw_plane(x, value, line, own), "data and fit")
        elif line is not None:
            section.show(draw_against(value, line, own), "fit against data")
    return section


def _curve(model: Any, x: Tensor, channel: int) -> tuple[Tensor, Tensor]:
    t = torch.linspace(float(x.min()), float(x.max()), _CURVE, dtype=x.dtype)
    return t, _asked(model, t[:, None])[:, channel]


def _described(x: Tensor, y: Tensor, fit: Tensor | None) -> str:
    spans = ", ".join(f"{low:.6g} to {high:.6g}" for low, high in zip(*x.aminmax(dim=0), strict=True))
    gap = ""
    if x.shape[1] == 1 and len(x) > 2:
        gaps = x[:, 0].sort().values.diff()
        gap = f"; neighbours are {float(gaps.median()):.3g} apart in the median, {float(gaps.max()):.3g} at most"
    left = (
        "" if fit is None else f". The model misses by {float((y - fit).square().mean().sqrt()):.4g} (root mean square)"
    )
    return f"{len(x):,} points, x from {spans}{gap}{left}."


def _spectrum(found: Spectrum | None) -> Section:
    section = Section("Spectrum")
    if found is None:
        return section.say("Not searched in so many dimensions: give found=fs.spectrum(x, y, max_frequency=...).")
    if found.peaks.frequency.shape[1] <= 2:
        section.show(found.plot(), "spectrum")
    return section.tabulate(table_of(found))


def _lines(errors: LineErrors, unit: str) -> Section:
    if not len(errors.error):
        return Section("What the model has").say("The data have no line that noise would not make as well.")
    said = "Of each line, the share of its amplitude that is wrong or missing in the model, what matters most first."
    return Section("What the model has of each line").say(said).tabulate(errors.table(unit))


def _training(monitor: SpectralMonitor, unit: str | None) -> Section:
    many = len(monitor.steps) > 50 and monitor.steps[-1] > 100
    table = table_of(monitor)
    heading = table.headings[0].replace("unit of x", unit or "unit of x")
    section = Section("Over the training").say(f"Slowest: {slowest(monitor)}.")
    section.show(monitor.plot(unit=unit, log_steps=many), "error of each frequency over steps")
    return section.tabulate(replace(table, headings=(heading, *table.headings[1:])))


def _diagnosis(diagnosis: Diagnosis, unit: str | None) -> Section:
    section = Section("Diagnosis and recommendation").say(f"{diagnosis.recommendation}: {diagnosis.reason}.", "verdict")
    table = table_of(diagnosis)
    if table.rows:
        heading = f"cycles per {unit or 'unit of x'}"
        section.tabulate(replace(table, title=_TOLD, headings=(heading, *table.headings[1:])))
        section.show(diagnosis.plot(unit=unit), "predicted steps of each line")
    return section.say("To paste, with import torch and import fastspec as fs:").code(diagnosis.code)


def _verdict(
    y: Tensor, fit: Tensor | None, found: Spectrum | None, errors: LineErrors | None, diagnosis: Diagnosis | None
) -> str:
    said = []
    if fit is not None:
        left = float((y - fit).square().sum() / (y - y.mean(0)).square().sum().clamp_min(1e-300))
        said.append(f"The model leaves {percent(left)} of the variance.")
    if errors is not None and len(errors.error):
        missing = [
            name for name, error in zip(errors.names(), errors.error.tolist(), strict=True) if not error < LEARNT
        ]
        count = len(errors.error)
        said.append(
            f"It has all {count} lines of the data within {percent(LEARNT)}."
            if not missing
            else f"Of {count} lines of the data it lacks {len(missing)}: {', '.join(missing[:5])}."
        )
    elif found is not None:
        named = ", ".join(rounded(found.peaks.frequency[:5].norm(dim=1).tolist()))
        said.append(f"The data have {len(found.peaks)} lines{': ' + named if named else ''}.")
    if diagnosis is not None:
        said.append(f"Recommended: {diagnosis.recommendation}.")
    return " ".join(said) or "The data, as they are."
