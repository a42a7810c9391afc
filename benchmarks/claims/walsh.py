"""Claim: the Walsh-Hadamard transform takes at most a third of the time of the package hadamard-transform.

float32, normalised, of one line of 2^8 to 2^24 numbers and of many lines at once; the package's is plain torch, a pass
through memory for each of the log2 n strides. Target: each ratio at most 1/3.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from hadamard_transform import hadamard_transform

import fastspec as fs
from benchmarks.measure import Benchmark, Row, compare, plain
from benchmarks.report import main

TARGET = 1 / 3


@dataclass(frozen=True)
class Lines:
    length: int
    rows: int = 1
    eps: float = 1e-6  # either's rounding must be below

    def __str__(self) -> str:
        line = f"2^{self.length.bit_length() - 1} numbers"
        return line if self.rows == 1 else f"{self.rows} lines of {line}"


def measure(case: Lines, seconds: float) -> Iterator[Row]:
    x = torch.randn(case.rows, case.length, generator=torch.Generator().manual_seed(0))
    ours = plain("fastspec", lambda: fs.walsh.fwht(x, normalized=True))
    rival = plain("hadamard-transform", lambda: hadamard_transform(x))
    yield from compare(case, ours, [rival], hadamard_transform(x.double()), seconds, TARGET)


CASES = [Lines(2**k) for k in range(8, 25, 2)] + [Lines(2**8, 4096), Lines(2**12, 256), Lines(2**16, 16)]
BENCHMARK = Benchmark("walsh", CASES, measure, quick=CASES[:3])

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
