"""All benchmarks as one run, for `fastspec bench`: a table of ratios, CSV for each, a summary and a plot of all."""

from collections.abc import Sequence
from pathlib import Path

import algorithms
import channels
import few_modes
import frequencies
import frequencies_keops
import gaussian_filter
import loss
import loss_finufft
import loss_float64
import memory
import one_shot
import point_gradient
import small
import threads
import transforms
import walsh
from common import Benchmark
from report import QUICK_SECONDS, SECONDS, gather, machine, means, plot, summary, table, versions, write_csv
from tqdm import tqdm

MODULES = (
    *(loss, loss_float64, transforms, one_shot, small, few_modes, channels, point_gradient, loss_finufft),
    *(frequencies, frequencies_keops, gaussian_filter, memory, threads, walsh, algorithms),
)
BENCHMARKS: dict[str, Benchmark] = {module.BENCHMARK.name: module.BENCHMARK for module in MODULES}


def run(names: Sequence[str], quick: bool, seconds: float | None, out: Path) -> bool:
    """Run those named, or all; whether every target was met."""
    chosen = [BENCHMARKS[name] for name in names or BENCHMARKS]
    seconds = seconds or (QUICK_SECONDS if quick else SECONDS)
    found = {}
    with tqdm(total=sum(len(b.chosen(quick)) * b.rows_per_case for b in chosen), unit="row") as bar:
        for benchmark in chosen:
            bar.set_description(benchmark.name)
            found[benchmark.name] = gather(benchmark, quick, seconds, out, lambda _: bar.update())
    print(f"\n{machine()}\n{versions()}\n\n{table(found)}\n")
    if not names:
        write_overview(chosen, found, out)
    print(*(means(b, found[b.name]) for b in chosen), sep="\n")
    return all(row.met for rows in found.values() for row in rows)


def write_overview(chosen: Sequence[Benchmark], found: dict, out: Path) -> None:
    """Of all benchmarks, so not of a run of some."""
    facts = {"machine": machine(), "versions": versions()}
    write_csv(out / "summary.csv", [summary(b, found[b.name]) | facts for b in chosen])
    plot(found, out / "ratios.png")
    print(f"written: {out / 'summary.csv'}, {out / 'ratios.png'} and a CSV for each benchmark\n")
