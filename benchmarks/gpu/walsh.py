"""Claim: the Walsh-Hadamard transform takes at most 1.1 of the time of fast-hadamard-transform on a GPU.

float32 and float64, normalised, of 2^26 numbers in lines of 2^8 to 2^26. The limit is one read and one write of each
number at the bandwidth of a large copy, however many passes a line takes: one up to 2^15 float32 or 2^14 float64, two
up to 2^25 or 2^24, three beyond. The package's longest line is of 2^15 numbers, and it has no float64; where it is not
importable, the rival is that limit.
"""

from collections.abc import Iterator

import torch
from gpu_common import GpuRow, copy_bandwidth, medians, relative_error, row, write

import fastspec as fs

try:
    from fast_hadamard_transform import hadamard_transform
except ImportError:
    hadamard_transform = None

DEVICE, NUMBERS, TARGET, LONGEST = "cuda", 2**26, 1.1, 2**15
CASES = [(torch.float32, k) for k in (8, 10, 12, 13, 14, 15, 16, 20, 26)] + [(torch.float64, k) for k in (10, 14, 20)]


def measure(dtype: torch.dtype, bits: int) -> Iterator[GpuRow]:
    length = 2**bits
    gen = torch.Generator(DEVICE).manual_seed(0)
    x = torch.randn(NUMBERS // length, length, generator=gen, device=DEVICE, dtype=dtype)
    exact = fs.walsh.fwht(x[:4].cpu().double(), normalized=True).to(DEVICE)
    calls = {"fastspec": lambda: fs.walsh.fwht(x, normalized=True)}
    if hadamard_transform and dtype == torch.float32 and length <= LONGEST:
        calls["fast-hadamard-transform"] = lambda: hadamard_transform(x, length**-0.5)
    errors = {name: relative_error(call()[:4], exact) for name, call in calls.items()}
    limit = 1e3 * 2 * x.nbytes / copy_bandwidth()
    times = medians(calls, 0.5) | {"limit": limit}
    for rival in [name for name in times if name != "fastspec"]:
        case = f"fwht, {len(x)} lines of 2^{bits}, {str(dtype).removeprefix('torch.')}"
        yield row(case, times, errors | {"limit": 0.0}, rival, TARGET, limit)


def rows() -> Iterator[GpuRow]:
    for dtype, bits in CASES:
        yield from measure(dtype, bits)


if __name__ == "__main__":
    write("gpu_walsh", rows)
