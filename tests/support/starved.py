"""Ops under more and more memory: each raises RuntimeError until it returns.

Run as a script, for a limit on memory holds for a whole process: it prints what each op said, then "ended".
"""

import os
import resource

import torch
from garbage import RAW

from fastspec import _C

SPARE = [int(4096 * 1.15**s) for s in range(100)]  # bytes, from less than any op wants to more


OPS = ("sort", "spread", "direct_type1", "exponential_sums", "gaussian_filter", "hadamard")


def large(name: str) -> tuple:
    """Arguments with which an op wants megabytes of each of its kinds of memory."""
    count, cells, tile = 300_000, [64, 64, 64], [8, 16, 16]
    x = torch.rand(1, count, 3)
    if name == "sort":
        return x, [1.0] * 3, [64, 512, 512], [8, 1, 1], 4, True  # more tiles than points
    polynomials = torch.tensor(_C.Window(4, 1.6).polynomials(), dtype=torch.float32)
    if name == "spread":
        return *RAW.sort(x, [1.0] * 3, cells, tile, 4, True), polynomials, torch.randn(1, 8, count), cells, tile
    if name == "direct_type1":
        return x[:, :20, :1].contiguous(), torch.randn(1, 1, 20), [300_000], [1.0], True, -1
    if name == "exponential_sums":
        return torch.rand(20, 1), torch.randn(50_000, 20), torch.rand(20, 1), 1
    if name == "gaussian_filter":
        return torch.rand(20, 1), torch.randn(1, 20, 30_000), torch.rand(2, dtype=torch.float64)
    return torch.randn(1, 2**20, 1), 1.0


def in_use() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def starve(name: str) -> None:
    op, args = getattr(RAW, name), large(name)
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    for spare in SPARE:
        resource.setrlimit(resource.RLIMIT_AS, (in_use() + spare, most))
        try:
            return op(*args)
        except RuntimeError as error:
            said = str(error).splitlines()[0]
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
        print(name, said, sep=": ", flush=True)
    raise MemoryError(name)


def main() -> None:
    torch.set_num_threads(1)
    for name in OPS:
        child = os.fork()
        if child == 0:
            starve(name)
            os._exit(0)
        ended = os.waitpid(child, 0)[1]
        print(name, "ended" if ended == 0 else f"crashed: {ended}", sep=": ", flush=True)


if __name__ == "__main__":
    main()
