"""From rows to a table, CSV and a plot; and the command line of a benchmark run alone."""

import argparse
import csv
import os
import platform
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from common import THREADS, Benchmark, Figure, Row, geometric_mean

RESULTS = Path(__file__).parent / "results"
SECONDS, QUICK_SECONDS = 2.0, 0.3
LIBRARIES = ("fastspec", "torch", "numpy", "ducc0", "pytorch-finufft", "finufft")

TICKS = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 4)
MOST_LINES = 30  # of a panel

Rows = dict[str, list[Row]]  # by benchmark


# --- CSV --------------------------------------------------------------------------------------------------------------


def record(name: str, row: Row) -> dict:
    return {
        "benchmark": name,
        "case": row.case,
        "threads": row.threads,
        "unit": row.unit,
        **side("ours", row.ours),
        **side("rival", row.rival),
        "ratio": f"{row.ratio:.4f}",
        "target": f"{row.target:.3g}",
        "met": "yes" if row.met else "no",
        "times_limit": "" if row.times_limit is None else f"{row.times_limit:.2f}",
        "remark": row.remark,
    }


def side(which: str, figure: Figure) -> dict:
    setting = figure.setting
    return {
        which: figure.name,
        f"{which}_median": f"{figure.value:.5g}",
        f"{which}_tolerance": f"{setting.tolerance:.2e}" if setting else "",
        f"{which}_error": f"{setting.error:.1e}" if setting else "",
    }


def summary(benchmark: Benchmark, rows: Sequence[Row]) -> dict:
    ratios = [row.ratio for row in rows]
    mean, wanted = geometric_mean(ratios), benchmark.mean_target
    return {
        "benchmark": benchmark.name,
        "rows": len(rows),
        "met": sum(row.met for row in rows),
        "largest_ratio": f"{max(ratios):.3f}",
        "geometric_mean": f"{mean:.3f}",
        "mean_target": "" if wanted is None else f"{wanted:.3g}",
        "mean_met": "" if wanted is None else "yes" if mean <= wanted else "no",
    }


def write_csv(path: Path, records: Sequence[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=records[0].keys())
        writer.writeheader()
        writer.writerows(records)


# --- text -------------------------------------------------------------------------------------------------------------

HEADINGS = (
    "benchmark",
    "case",
    "thr",
    "ours",
    "rival",
    "unit",
    "ratio",
    "target",
    "met",
    "errors",
    "x limit",
    "remark",
)


def table(found: Rows) -> str:
    return aligned([HEADINGS, *(cells(name, row) for name, rows in found.items() for row in rows)])


def cells(name: str, row: Row) -> tuple[str, ...]:
    values = f"{row.ours.value:.3g}", f"{row.rival.value:.3g}", row.unit, f"{row.ratio:.2f}", f"{row.target:.2f}"
    errors = " / ".join(f"{f.setting.error:.1e}" if f.setting else "-" for f in (row.ours, row.rival))
    limit = "-" if row.times_limit is None else f"{row.times_limit:.1f}"
    return name, row.case, str(row.threads), *values, "yes" if row.met else "NO", errors, limit, row.remark


def aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def means(benchmark: Benchmark, rows: Sequence[Row]) -> str:
    parts = [f"geometric mean {geometric_mean(row.ratio for row in rows):.3f}"]
    if benchmark.mean_target is not None:
        parts.append(f"target {benchmark.mean_target:g}")
    for threads in sorted({row.threads for row in rows}):
        mean = geometric_mean(row.ratio for row in rows if row.threads == threads)
        parts.append(f"{threads} thread(s) {mean:.3f}")
    return f"{benchmark.name}: {sum(row.met for row in rows)} of {len(rows)} met; {', '.join(parts)}"


def versions() -> str:
    return ", ".join(f"{name} {installed(name)}" for name in LIBRARIES)


def installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def machine() -> str:
    from fastspec import _C

    return f"{processor()}, {os.cpu_count()} cores, {_C.instruction_set()} kernels"


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


# --- plot -------------------------------------------------------------------------------------------------------------


def plot(found: Rows, path: Path) -> None:
    """A panel for each benchmark, a line for each case or kind of cases, a dot for each row, against the target."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    heights = [len(set(lines_of(rows))) + 1.2 for rows in found.values()]
    figure, panels = plt.subplots(
        len(found), figsize=(9, 0.22 * sum(heights) + 1), sharex=True, height_ratios=heights, squeeze=False
    )
    for panel, (name, rows) in zip(panels[:, 0], found.items(), strict=True):
        draw(panel, rows)
        ours = os.path.commonprefix([row.ours.name for row in rows])
        rival = os.path.commonprefix([row.rival.name for row in rows])
        panel.set_title(f"{name}: {ours} over {rival}" if ours and rival else name, loc="left", fontsize=9)
    panels[0, 0].legend(fontsize=8, loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False)
    panels[-1, 0].set_xlabel("ratio: less is better; the line is the target")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def lines_of(rows: Sequence[Row]) -> list[str]:
    """The line of each row: its case or, where those are many, what they begin with, transform and dimension."""
    cases = [row.case for row in rows]
    return cases if len(set(cases)) <= MOST_LINES else [" ".join(case.split()[:2]) for case in cases]


def draw(panel, rows: Sequence[Row]) -> None:
    line_of = dict(zip((row.case for row in rows), lines_of(rows), strict=True))
    lines = list(dict.fromkeys(line_of.values()))
    several = len({row.target for row in rows}) > 1  # then each number of threads has its own
    for threads, colour in zip(THREADS, ("tab:blue", "tab:orange"), strict=True):
        some = [row for row in rows if row.threads == threads]
        places = [lines.index(line_of[row.case]) for row in some]
        panel.plot([row.ratio for row in some], places, "o", color=colour, ms=5, label=f"{threads} thread(s)")
        for row, place in zip(some, places, strict=True):
            panel.plot([row.target] * 2, [place - 0.5, place + 0.5], color=colour if several else "tab:red")
    panel.set_yticks(range(len(lines)), lines, fontsize=7)
    panel.set_ylim(len(lines) - 0.5, -0.5)
    panel.set_xscale("log")
    panel.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    panel.minorticks_off()
    panel.grid(axis="x", alpha=0.4)
    for edge in ("top", "right"):
        panel.spines[edge].set_visible(False)


# --- running ----------------------------------------------------------------------------------------------------------


def gather(benchmark: Benchmark, quick: bool, seconds: float, out: Path, step: Callable[[Row], None]) -> list[Row]:
    """The rows, each told to ``step`` as it comes, written to <out>/<name>.csv in the end."""
    rows = []
    for row in benchmark.rows(quick, seconds):
        rows.append(row)
        step(row)
    write_csv(out / f"{benchmark.name}.csv", [record(benchmark.name, row) for row in rows])
    return rows


def main(benchmark: Benchmark, claim: str) -> None:
    """A benchmark's own command line: its table, then its means last."""
    parser = argparse.ArgumentParser(description=claim, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the smallest case only, for a first look")
    parser.add_argument("--seconds", type=float, help="to spend on each case and number of threads")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the CSV goes")
    arguments = parser.parse_args()
    seconds = arguments.seconds or (QUICK_SECONDS if arguments.quick else SECONDS)
    rows = gather(benchmark, arguments.quick, seconds, arguments.out, lambda row: None)
    print(f"{machine()}\n{versions()}\n\n{table({benchmark.name: rows})}\n\n{means(benchmark, rows)}")
