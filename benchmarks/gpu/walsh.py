"""Claim: the Walsh-Hadamard transform takes at most 1.1 of the time of fast-hadamard-transform on a GPU.

float32 and float64, normalised, of 2^26 numbers in lines of 2^8 to 2^26, as CUDA graphs. The limit is one read and one
write of each number at the bandwidth of a large copy, however many passes a line takes: one up to 2^15 float32 or 2^14
float64, two up to 2^26 or 2^25, three beyond. The package's longest line is of 2^15 numbers, and it has no float64; the
limit itself is a rival too. Target: each ratio at most 1.1.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

import fastspec as fs
from benchmarks.clocks import EAGER
from benchmarks.limits import copy_bandwidth
from benchmarks.measure import Benchmark, Contender, Figure, Row, captured, compare
from benchmarks.report import main

try:
    from fast_hadamard_transform import hadamard_transform
except ImportError:
    hadamard_transform = None

TARGET, LONGEST = 1.1, 2**15


@dataclass(frozen=True)
class Lines:
    dtype: torch.dtype
    bits: int
    numbers: int = 2**26
    eps: float = 1e-6  # either's rounding must be below

    def __str__(self) -> str:
        return f"{self.numbers >> self.bits} lines of 2^{self.bits}, {str(self.dtype).removeprefix('torch.')}"


def measure(case: Lines, seconds: float) -> Iterator[Row]:
    gen = torch.Generator(EAGER.device).manual_seed(0)
    shape = case.numbers >> case.bits, 2**case.bits
    x = torch.randn(shape, generator=gen, device=EAGER.device, dtype=case.dtype)
    exact = fs.walsh.fwht(x[:4].cpu().double(), normalized=True).to(EAGER.device)
    limit = 2 * x.nbytes / copy_bandwidth(EAGER.device)
    ours = first_lines("fastspec", lambda x: fs.walsh.fwht(x, normalized=True), x)
    rivals = []
    if hadamard_transform and case.dtype == torch.float32 and shape[1] <= LONGEST:
        rivals = [first_lines("fast-hadamard-transform", lambda x: hadamard_transform(x, shape[1] ** -0.5), x)]
    for row in compare(case, ours, rivals, exact, seconds / 4, TARGET, lambda *_: limit, EAGER):
        yield from [row] * bool(rivals)
        yield replace(row, rival=Figure("limit", row.limit))


def first_lines(name: str, transform, x: torch.Tensor) -> Contender:
    """Timed on all lines, judged by some."""
    return replace(captured(name, lambda: transform(x)), answer=lambda *_: lambda: transform(x)[:4])


CASES = [Lines(torch.float32, k) for k in (8, 10, 12, 13, 14, 15, 16, 20, 26)]
CASES += [Lines(torch.float64, k) for k in (10, 14, 20)]
BENCHMARK = Benchmark("gpu_walsh", CASES, measure, quick=CASES[2:3], device="cuda")

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
