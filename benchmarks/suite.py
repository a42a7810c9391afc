"""All benchmarks of a room as one run: a table of ratios, a CSV for each, a summary and a plot of all.

A benchmark is a file of its room that ends in a BENCHMARK: there is no list. None is imported before it is run, so a
run of some needs the rivals of those alone.
"""

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from benchmarks import ROOT
from benchmarks.measure import Benchmark
from benchmarks.report import QUICK_SECONDS, SECONDS, gather, machine, means, plot, summary, table, versions, write_csv

try:
    from tqdm import tqdm
except ModuleNotFoundError:  # as on many a machine with a GPU
    tqdm = None


@dataclass(frozen=True)
class Room:
    name: str
    summary: str = "summary.csv"
    plot: str = "ratios.png"

    def names(self) -> list[str]:
        """In order of the alphabet; a file whose name begins with _ is no benchmark."""
        found = (module.name for module in iter_modules([str(ROOT / "benchmarks" / self.name)]))
        return sorted(name for name in found if not name.startswith("_"))

    def benchmark(self, name: str) -> Benchmark:
        return import_module(f"benchmarks.{self.name}.{name}").BENCHMARK

    def run(self, names: Sequence[str], quick: bool, seconds: float | None, out: Path) -> bool:
        """Run those named, or all; whether every target was met.

        One that fails is told at once, and the others run. Its rows so far are in its CSV.

        Raises:
            RuntimeError: in the end, where some failed.
        """
        chosen = [self.benchmark(name) for name in names or self.names()]
        device = chosen[0].device
        seconds = seconds or (QUICK_SECONDS if quick else SECONDS[device])
        found, failed = {}, []
        bar = tqdm and tqdm(total=sum(len(b.chosen(quick)) * b.rows_per_case for b in chosen), unit="row")
        for benchmark in chosen:
            if bar is not None:
                bar.set_description(benchmark.name)
            try:
                found[benchmark.name] = gather(benchmark, quick, seconds, out, lambda _: bar is None or bar.update())
            except Exception:  # of a rival, say
                failed.append(benchmark.name)
                traceback.print_exc()
        if bar is not None:
            bar.close()
        print(f"\n{machine(device)}\n{versions()}\n\n{table(found)}\n")
        done = [b for b in chosen if b.name in found]
        if not names:
            self.write_overview(done, found, out)
        print(*(means(b, found[b.name]) for b in done), sep="\n")
        if failed:
            raise RuntimeError(f"these failed, as said above: {', '.join(failed)}")
        return all(row.met is not False for rows in found.values() for row in rows)

    def write_overview(self, chosen: Sequence[Benchmark], found: dict, out: Path) -> None:
        """Of all benchmarks, so not of a run of some."""
        if not chosen:
            return
        facts = {"machine": machine(chosen[0].device), "versions": versions()}
        write_csv(out / self.summary, [summary(b, found[b.name]) | facts for b in chosen])
        try:
            plot(found, out / self.plot)
        except ModuleNotFoundError as error:
            print(f"{error}: no plot")
        print(f"written: {out / self.summary}, {out / self.plot} and a CSV for each benchmark\n")


CLAIMS = Room("claims")
GPU = Room("gpu", "gpu_summary.csv", "gpu.png")
