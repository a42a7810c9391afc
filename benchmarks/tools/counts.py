"""Instructions that each kernel executes for a point, or for a cell: a regression shows without a clock.

Compiles counts.cpp with the flags of the extension and runs it under callgrind, which knows no AVX-512: the counts are
of the AVX2 level. They depend on the compiler, and on nothing else of the machine. Prints the change from the counts
recorded in benchmarks/results last. Needs g++ and valgrind with its headers.
"""

import argparse
import csv
import os
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import RESULTS, ROOT
from benchmarks.report import aligned, write_csv

SOURCE = Path(__file__).resolve().parent
FILE = "instruction_counts.csv"


@dataclass(frozen=True)
class Count:
    kernel: str
    case: str
    unit: str
    instructions: float  # per unit

    @property
    def key(self) -> tuple[str, str]:
        return self.kernel, self.case


def host_flags(setup: str) -> list[str]:
    """Those of the extension, from the text of setup.py."""
    return re.search(r'^HOST_FLAGS = "(.*)"$', setup, re.MULTILINE).group(1).split()


def build(folder: Path) -> Path:
    program = folder / "counts"
    flags = host_flags((ROOT / "setup.py").read_text())
    kernels = [ROOT / "csrc/cpu" / name for name in ("levels/v3.cpp", "memory.cpp", "failures.cpp")]
    sources = [SOURCE / "counts.cpp", *kernels]
    compiler = os.environ.get("CXX", "g++")
    subprocess.run([compiler, *flags, "-Wno-psabi", "-fPIC", f"-I{ROOT / 'csrc'}", *sources, "-o", program], check=True)
    return program


def measure() -> list[Count]:
    with TemporaryDirectory() as name:
        folder = Path(name)
        profile = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={folder / 'profile'}"]
        run = subprocess.run([*profile, "--quiet", build(folder)], check=True, stdout=subprocess.PIPE, text=True)
        totals = dict(total_of(path.read_text()) for path in folder.glob("profile.*"))
    return [count_of(line, totals) for line in run.stdout.splitlines()]


def total_of(profile: str) -> tuple[str, int]:
    """The name a profile was given, and its number of instructions."""
    name = re.search(r"^desc: Trigger: Client Request: (.*)$", profile, re.MULTILINE).group(1)
    return name, int(re.search(r"^totals: (\d+)$", profile, re.MULTILINE).group(1))


def count_of(line: str, totals: dict[str, int]) -> Count:
    kernel, case, unit, units = line.split(";")
    return Count(kernel, case, unit, round(totals[f"{kernel} {case}"] / int(units), 2))


def read(path: Path) -> list[Count]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [Count(**row | {"instructions": float(row["instructions"])}) for row in csv.DictReader(file)]


def changes(counts: list[Count], before: list[Count]) -> str:
    old = {count.key: count.instructions for count in before}
    lines = [("kernel", "case", "", "instructions", "recorded", "change")]
    for count in counts:
        was = old.get(count.key)
        change = "new" if was is None else f"{count.instructions / was - 1:+.1%}"
        lines.append((*count.key, f"per {count.unit}", f"{count.instructions:g}", f"{was or '-'}", change))
    return aligned(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the CSV goes")
    out = parser.parse_args().out
    if not shutil.which("valgrind"):
        sys.exit("counts.py needs valgrind")
    before, counts = read(RESULTS / FILE), measure()
    write_csv(out / FILE, [asdict(count) for count in counts])
    print(changes(counts, before))


if __name__ == "__main__":
    main()
