"""What this GPU can do at most, beside the copy bandwidth of limits.py."""

from functools import cache

import torch
import triton
import triton.language as tl

from benchmarks.clocks import EAGER


@triton.jit
def _exponentials(out, repeats, N: tl.constexpr):
    x = tl.arange(0, N).to(tl.float32)
    for _ in range(repeats):
        x = tl.exp2(tl.exp2(tl.exp2(tl.exp2(x))))
    tl.store(out + tl.program_id(0) * N + tl.arange(0, N), x)


@cache
def special_functions() -> float:
    """Special functions (here exp2) a second."""
    programs, width, repeats = 8192, 2048, 256
    out = torch.empty(programs, width, device="cuda")
    call = lambda: _exponentials[(programs,)](out, repeats, N=width)  # noqa: E731
    return 4 * repeats * out.numel() / EAGER.medians({"exp2": call}, 0.3)["exp2"]
