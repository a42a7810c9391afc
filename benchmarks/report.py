"""From rows to a table, CSV and a plot; and the command line of a benchmark run alone."""

import argparse
import csv
import io
import os
import platform
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from benchmarks import RESULTS
from benchmarks.measure import Benchmark, Figure, Row, geometric_mean
from fastspec._files import write_figure, write_whole
from fastspec._version import __version__

SECONDS, QUICK_SECONDS = {"cpu": 2.0, "cuda": 0.5}, 0.3  # a GPU's own clock needs fewer calls
NOISE = "noise"  # in the place of a ratio that a busy machine hid
LIBRARIES = ("torch", "numpy", "ducc0", "pytorch-finufft", "finufft")

TICKS = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 4)
COLOURS = "tab:blue", "tab:orange", "tab:green", "tab:purple"

Rows = dict[str, list[Row]]  # by benchmark


# --- CSV --------------------------------------------------------------------------------------------------------------


def record(name: str, row: Row) -> dict:
    return {
        "benchmark": name,
        "case": row.case,
        "threads": "" if row.threads is None else row.threads,
        "unit": row.unit,
        **side("ours", row.ours),
        **side("rival", row.rival),
        "ratio": NOISE if row.noisy else shown(row.ratio, ".4f"),
        "target": shown(row.target, ".3g"),
        "met": {True: "yes", False: "no", None: ""}[row.met],
        "times_limit": shown(row.times_limit, ".2f"),
        "remark": row.remark,
        "device": row.device,
    }


def shown(number: float | None, form: str, missing: str = "") -> str:
    return missing if number is None else format(number, form)


def side(which: str, figure: Figure | None) -> dict:
    setting = figure and figure.setting
    return {
        which: figure.name if figure else "",
        f"{which}_median": f"{figure.value:.5g}" if figure else "",
        f"{which}_tolerance": f"{setting.tolerance:.2e}" if setting else "",
        f"{which}_error": f"{setting.error:.1e}" if setting else "",
    }


def summary(benchmark: Benchmark, rows: Sequence[Row]) -> dict:
    ratios = ratios_of(rows)
    mean, wanted = geometric_mean(ratios) if ratios else None, benchmark.mean_target
    return {
        "benchmark": benchmark.name,
        "rows": len(rows),
        "met": sum(row.met or False for row in rows),
        "largest_ratio": shown(max(ratios, default=None), ".3f"),
        "geometric_mean": shown(mean, ".3f"),
        "mean_target": shown(wanted, ".3g"),
        "mean_met": "" if wanted is None or mean is None else "yes" if mean <= wanted else "no",
    }


def ratios_of(rows: Sequence[Row]) -> list[float]:
    return [row.ratio for row in rows if row.ratio is not None]


def write_csv(path: Path, records: Sequence[dict]) -> None:
    """Whole or not at all; the columns are those of the record that has most."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=max(records, key=len).keys())
    writer.writeheader()
    writer.writerows(records)
    write_whole(path, text.getvalue())


# --- text -------------------------------------------------------------------------------------------------------------

HEADINGS = (
    *("benchmark", "case", "thr", "ours", "rival", "unit"),
    *("ratio", "target", "met", "errors", "x limit", "remark"),
)


def table(found: Rows) -> str:
    return aligned([HEADINGS, *(cells(name, row) for name, rows in found.items() for row in rows)])


def cells(name: str, row: Row) -> tuple[str, ...]:
    rival = row.rival and row.rival.value
    values = shown(row.ours.value, ".3g"), shown(rival, ".3g", "-"), row.unit
    ratio = NOISE if row.noisy else shown(row.ratio, ".2f", "-")
    judged = ratio, shown(row.target, ".2f", "-"), {True: "yes", False: "NO", None: "-"}[row.met]
    errors = " / ".join(f"{f.setting.error:.1e}" if f and f.setting else "-" for f in (row.ours, row.rival))
    remark = row.remark if row.threads else "; ".join(filter(None, [row.ours.name, row.remark]))
    threads = str(row.threads or "-")
    return name, row.case, threads, *values, *judged, errors, shown(row.times_limit, ".1f", "-"), remark


def aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def means(benchmark: Benchmark, rows: Sequence[Row]) -> str:
    ratios = ratios_of(rows)
    noisy = sum(row.noisy for row in rows)
    if not ratios:
        return f"{benchmark.name}: {f'{NOISE} in {noisy} of {len(rows)} rows' if noisy else 'no rival here'}"
    parts = [f"geometric mean {geometric_mean(ratios):.3f}"]
    if benchmark.mean_target is not None:
        parts.append(f"target {benchmark.mean_target:g}")
    for way in sorted({row.way for row in rows if row.ratio is not None}):
        parts.append(f"{way} {geometric_mean(ratios_of([row for row in rows if row.way == way])):.3f}")
    if noisy:
        parts.append(f"{NOISE} in {noisy}")
    return f"{benchmark.name}: {sum(row.met or False for row in rows)} of {len(rows)} met; {', '.join(parts)}"


def versions() -> str:
    return ", ".join([f"fastspec {__version__}", *(f"{name} {installed(name)}" for name in LIBRARIES)])


def installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def machine(device: str = "cpu") -> str:
    from fastspec import _C

    host = f"{processor()}, {os.cpu_count()} cores, {_C.instruction_set()} kernels"
    return host if device == "cpu" else f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}; {host}"


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


# --- plot -------------------------------------------------------------------------------------------------------------


def plot(found: Rows, path: Path) -> None:
    """A line for each benchmark, a dot for each of its rows, against its target: all of it on one screen."""
    from matplotlib.figure import Figure as Canvas

    found = {name: judged for name, rows in found.items() if (judged := [row for row in rows if row.ratio is not None])}
    if not found:
        return
    figure = Canvas(figsize=(9, 0.42 * len(found) + 1.3), layout="constrained")
    panel = figure.add_subplot()
    ways = sorted({row.way for rows in found.values() for row in rows})
    for place, rows in enumerate(found.values()):
        draw(panel, place, rows, ways)
    panel.set_yticks(range(len(found)), [line_of(name, rows) for name, rows in found.items()], fontsize=8)
    panel.set_ylim(len(found) - 0.4, -0.6)
    panel.set_xscale("log")
    panel.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    panel.minorticks_off()
    panel.grid(axis="x", alpha=0.4)
    panel.set_xlabel("ratio: less is better; bars are the targets")
    for edge in ("top", "right"):
        panel.spines[edge].set_visible(False)
    handles = dict(zip(*reversed(panel.get_legend_handles_labels()), strict=True))
    figure.legend(
        handles.values(), handles, fontsize=8, loc="outside upper right", ncols=min(len(ways), 4), frameon=False
    )
    write_figure(path, figure, dpi=110)


def line_of(name: str, rows: Sequence[Row]) -> str:
    """The benchmark, whom it compares, and how many of its rows meet their targets."""
    ours = os.path.commonprefix([row.ours.name for row in rows])
    rival = os.path.commonprefix([row.rival.name for row in rows if row.rival])
    judged = [row for row in rows if row.met is not None]
    met = f", {sum(row.met or False for row in judged)} of {len(judged)} met" if judged else ""
    return f"{name}{met}\n{ours.strip()} over {rival.strip()}" if ours and rival else f"{name}{met}"


def draw(panel: Any, place: int, rows: Sequence[Row], ways: Sequence[str]) -> None:
    """Each way at a height of its own within the line, so that dots of one do not hide the other's."""
    own = [way for way in ways if any(row.way == way for row in rows)]
    several = len({row.target for row in rows}) > 1  # then each number of threads has its own
    for i, way in enumerate(own):
        some, height = [row for row in rows if row.way == way], place + (i + 0.5) / len(own) * 0.7 - 0.35
        colour = COLOURS[ways.index(way) % len(COLOURS)]
        panel.plot([row.ratio for row in some], [height] * len(some), "o", color=colour, ms=4, alpha=0.6, label=way)
        for target in {row.target for row in some} - {None}:
            panel.plot([target] * 2, [height - 0.17, height + 0.17], color=colour if several else "tab:red", lw=2)


# --- running ----------------------------------------------------------------------------------------------------------


def gather(benchmark: Benchmark, quick: bool, seconds: float, out: Path, step: Callable[[Row], None]) -> list[Row]:
    """The rows, each told to ``step`` and written to <out>/<name>.csv as it comes, lest the rest take too long."""
    rows = []
    for row in benchmark.rows(quick, seconds):
        rows.append(row)
        step(row)
        write_csv(out / f"{benchmark.name}.csv", [record(benchmark.name, row) for row in rows])
    return rows


def main(benchmark: Benchmark, claim: str) -> None:
    """A benchmark's own command line: its table, then its means last."""
    arguments = parsed(claim, benchmark.device)
    rows = gather(benchmark, arguments.quick, arguments.seconds, arguments.out, lambda row: None)
    print(f"{machine(benchmark.device)}\n{versions()}\n\n{table({benchmark.name: rows})}\n\n{means(benchmark, rows)}")


def parsed(claim: str, device: str, names: Sequence[str] = ()) -> argparse.Namespace:
    """``names``: of which some may be asked for."""
    parser = argparse.ArgumentParser(description=claim, formatter_class=argparse.RawDescriptionHelpFormatter)
    if names:
        parser.add_argument("names", nargs="*", metavar="NAME", help=f"one or more of {', '.join(names)}; default: all")
    parser.add_argument("--quick", action="store_true", help="the smallest case only, for a first look")
    parser.add_argument("--seconds", type=float, help="to spend on each case and number of threads")
    parser.add_argument("--out", type=Path, default=default_out(device), help="where the CSV goes")
    arguments = parser.parse_args()
    if device == "cuda" and not torch.cuda.is_available():
        raise SystemExit(f"torch {torch.__version__} finds no CUDA device, and this is measured on one")
    arguments.seconds = arguments.seconds or (QUICK_SECONDS if arguments.quick else SECONDS[device])
    return arguments


def default_out(device: str) -> Path:
    return Path(device == "cuda" and os.environ.get("OUT") or RESULTS)
