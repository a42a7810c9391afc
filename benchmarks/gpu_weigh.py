"""Claim: the loss's pass between its FFTs runs at 80 % of the GPU's copy bandwidth or more.

A half spectrum of 2048 x 2048 in float32, all of it within the band. The limit is its bytes, read and written, and its
weights', over the bandwidth of a large copy; several spectra take turns, so that none is still in cache. The rival is
the same pass in torch.
"""

from collections.abc import Iterator
from itertools import cycle

import torch
from gpu_common import GpuRow, copy_bandwidth, medians, relative_error, row, write

from fastspec import _fallback
from fastspec.triton.weigh import weigh

CELLS, SPECTRA, TARGET, SCALE = 2048, 16, 1 / 0.8, 0.5  # 2 * SCALE * weight = 1: the spectrum keeps its size


def rows() -> Iterator[GpuRow]:
    gen = torch.Generator("cuda").manual_seed(0)
    shape = 1, CELLS // 2 + 1, CELLS
    spectra = [torch.randn(shape, generator=gen, device="cuda", dtype=torch.complex64) for _ in range(SPECTRA)]
    weight = torch.ones(1, CELLS // 2 + 1, CELLS - 1, device="cuda")
    exact = _fallback.weigh(spectra[0].to(torch.complex128), weight.double(), SCALE)
    wrong = {name: relative_error(call(spectra[0].clone(), weight, SCALE), exact) for name, call in CALLS.items()}
    turn = cycle(spectra)
    times = medians({name: lambda call=call: call(next(turn), weight, SCALE) for name, call in CALLS.items()})
    limit = 1e3 * (2 * spectra[0].nbytes + weight.nbytes) / copy_bandwidth()
    made = row(
        f"weigh, {CELLS}² half spectrum", times | {"limit": limit}, wrong | {"limit": 0.0}, "limit", TARGET, limit
    )
    yield made
    yield row(f"weigh, {CELLS}² half spectrum", times, wrong, "torch", 1.0, limit)


CALLS = {"fastspec": weigh, "torch": _fallback.weigh}


if __name__ == "__main__":
    write("gpu_weigh", rows)
