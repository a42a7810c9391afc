"""Claim: the Walsh-Hadamard transform takes at most a third of the time of the package hadamard-transform.

float32, normalised, of one line of 2^8 to 2^24 numbers and of many lines at once; the package's is plain torch, a pass
through memory for each of the log2 n strides. Target: each ratio at most 1/3.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from common import THREADS, Benchmark, Call, Figure, Row, Setting, interleaved_medians, relative_error
from hadamard_transform import hadamard_transform
from report import main

import fastspec as fs

TARGET = 1 / 3
ROUNDING = 1e-6  # either's error must be below


@dataclass(frozen=True)
class Lines:
    length: int
    rows: int = 1

    def __str__(self) -> str:
        line = f"2^{self.length.bit_length() - 1} numbers"
        return line if self.rows == 1 else f"{self.rows} lines of {line}"


def measure(case: Lines, seconds: float) -> Iterator[Row]:
    x = torch.randn(case.rows, case.length, generator=torch.Generator().manual_seed(0))
    exact = hadamard_transform(x.double())
    calls: dict[str, Call] = {
        "fastspec": lambda: fs.walsh.fwht(x, normalized=True),
        "hadamard-transform": lambda: hadamard_transform(x),
    }
    settings = {}
    for name, call in calls.items():
        error = relative_error(call(), exact)
        settings[name] = Setting(ROUNDING, error, error <= ROUNDING)
    for threads in THREADS:
        torch.set_num_threads(threads)
        medians = interleaved_medians(calls, seconds)
        yield Row(str(case), threads, *(Figure(name, 1e3 * medians[name], settings[name]) for name in calls), TARGET)


CASES = [Lines(2**k) for k in range(8, 25, 2)] + [Lines(2**8, 4096), Lines(2**12, 256), Lines(2**16, 16)]
BENCHMARK = Benchmark("walsh", CASES, measure, quick=CASES[:3])

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
