"""Claim: a direct type 3 with its gradients takes at most 0.15 of the time of torch's cos, sin and matmul in chunks.

8 dimensions, 1e5 points, 1e4 frequencies, float32, phases up to 1e4. The limit is one sine and one cosine for each pair
in each sweep, at the rate of special functions measured on this GPU.
"""

from collections.abc import Iterator

import torch
from gpu_common import GpuRow, medians, relative_error, row, special_functions, write
from torch import Tensor

from fastspec.triton.direct import direct, direct_gradient, direct_real

POINTS, FREQUENCIES, DIM, PHASE, TARGET, CHUNK = 100_000, 10_000, 8, 1e4, 0.15, 512


def problem() -> tuple[Tensor, ...]:
    gen = torch.Generator("cuda").manual_seed(0)

    def normal(*shape, dtype=torch.float32):
        return torch.randn(shape, generator=gen, device="cuda", dtype=dtype)

    x = torch.rand(POINTS, DIM, generator=gen, device="cuda") - 0.5
    s = normal(FREQUENCIES, DIM)
    s *= PHASE / (x.abs().amax(0) * s.abs().amax(0)).sum()
    return x, normal(1, POINTS), s, normal(1, FREQUENCIES, dtype=torch.complex64)


def ours(x, c, s, g, points: bool) -> tuple[Tensor, ...]:
    """The sums, and the gradients for the cotangent g."""
    out = direct(x, c, s, -1), direct_real(s, g, x, 1)
    return (*out, direct_gradient(x, c, s, g, -1)) if points else out


def torch_in_chunks(x, c, s, g, points: bool) -> tuple[Tensor, ...]:
    """Two passes, as when the cotangent depends on the sums; sine and cosine are made anew in the second."""
    sums, strengths, moved = [], torch.zeros_like(c), torch.zeros_like(x)
    for chunk in s.split(CHUNK):
        phase = chunk @ x.mT
        sums.append(torch.complex(c @ phase.cos().mT, -(c @ phase.sin().mT)))
    for chunk, part in zip(s.split(CHUNK), g.split(CHUNK, 1), strict=True):
        phase = chunk @ x.mT
        cosine, sine = phase.cos(), phase.sin()
        strengths += part.real @ cosine - part.imag @ sine
        if points:
            slope = part.real.mT * sine + part.imag.mT * cosine
            moved -= (slope.mT @ chunk) * c.mT
    out = torch.cat(sums, -1), strengths
    return (*out, moved) if points else out


def errors(found: tuple[Tensor, ...], x, c, s, g) -> float:
    """The largest of the relative errors, over some frequencies and some points."""
    x, c, s, g = x.double(), c.double(), s.double(), g.to(torch.complex128)
    few_s, few_x = slice(0, 100), slice(0, 100)

    def waves(a, b):
        return torch.exp(-1j * (a @ b.mT))

    exact = [c.to(torch.complex128) @ waves(x, s[few_s]), (g.conj() @ waves(s, x[few_x])).real]
    found = [found[0][:, few_s], found[1][:, few_x], *[t[few_x] for t in found[2:]]]
    if len(found) > 2:
        pairs = waves(x[few_x], s) * g.conj() * -1j * c[:, few_x].mT
        exact.append(pairs.real @ s)
    return max(map(relative_error, found, exact))


def rows() -> Iterator[GpuRow]:
    data = problem()
    for points, sweeps, of in ((False, 2, "the strengths"), (True, 3, "strengths and points")):
        calls = {
            "fastspec": lambda points=points: ours(*data, points),
            "torch": lambda points=points: torch_in_chunks(*data, points),
        }
        limit = 1e3 * sweeps * 2 * POINTS * FREQUENCIES / special_functions()
        times, wrong = medians(calls), {name: errors(call(), *data) for name, call in calls.items()}
        yield row(f"direct type 3 and gradient in {of}, d = {DIM}", times, wrong, "torch", TARGET, limit)


if __name__ == "__main__":
    write("gpu_direct", rows)
