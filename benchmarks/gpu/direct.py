"""Claims: a direct type 3 with its gradients takes at most 0.15 of the time of torch's cos, sin and matmul in chunks.
Direct sums between few points and few modes take at most that of gridding, and half that of plain torch.

Type 3: 8 dimensions, 1e5 points, 1e4 frequencies, float32, phases up to 1e4. The limit is one sine and one cosine for
each pair in each sweep, at the rate of special functions measured on this GPU.

On modes: real numbers at 1e3 and 1e4 points and 16^2 to 16^3 modes, float32. Plans against plans, ops against ops. The
limit is to read and write each number once, at the bandwidth of a large copy.
"""

from collections.abc import Iterator

import torch
from gpu_common import Call, GpuRow, copy_bandwidth, medians, relative_error, row, special_functions, write
from torch import Tensor

import fastspec as fs
from fastspec import _fallback, _ops
from fastspec.triton.direct import direct, direct_gradient, direct_real

DEVICE = "cuda"
SIZES = tuple((points, modes) for points in (1000, 10_000) for modes in ((16, 16), (32, 32), (16, 16, 16)))
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


def pairs_rows() -> Iterator[GpuRow]:
    data = problem()
    for points, sweeps, of in ((False, 2, "the strengths"), (True, 3, "strengths and points")):
        calls = {
            "fastspec": lambda points=points: ours(*data, points),
            "torch": lambda points=points: torch_in_chunks(*data, points),
        }
        limit = 1e3 * sweeps * 2 * POINTS * FREQUENCIES / special_functions()
        times, wrong = medians(calls), {name: errors(call(), *data) for name, call in calls.items()}
        yield row(f"direct type 3 and gradient in {of}, d = {DIM}", times, wrong, "torch", TARGET, limit)


# --- on modes ---------------------------------------------------------------------------------------------------------


class OnModes:
    """Real strengths to half spectra, and half spectra to values and the gradient in the points."""

    def __init__(self, points: int, modes: tuple[int, ...]):
        gen = torch.Generator(DEVICE).manual_seed(0)
        self.modes, self.name = modes, f"{points} points, {'x'.join(map(str, modes))} modes"
        self.x = torch.rand(points, len(modes), generator=gen, device=DEVICE)
        self.c, self.g = torch.randn(2, points, generator=gen, device=DEVICE)
        self.f = fs.reference.rnufft1(self.x, self.c, modes, period=1.0)

    def of_plan(self, algorithm: str) -> dict[str, Call]:
        plan = fs.Plan(self.x, self.modes, period=1.0, algorithm=algorithm)
        moving = fs.Plan(self.x.clone().requires_grad_(), self.modes, period=1.0, algorithm=algorithm)
        return {
            "type 1": lambda: plan.rnufft1(self.c),
            "gradient of type 2": lambda: torch.autograd.grad(moving.rnufft2(self.f), moving.x, self.g)[0],
        }

    def of_ops(self, ops) -> dict[str, Call]:
        x, c, f, g = (t[None] for t in (self.x, self.c[None], self.f[None], self.g[None]))
        given = self.modes, [1.0] * len(self.modes), True
        return {
            "type 1": lambda: ops.direct_type1(x, c, *given, -1)[0, 0],
            "gradient of type 2": lambda: ops.direct_type2_gradient(x, f, g, *given, 1, False)[1][0],
        }

    def exact(self) -> dict[str, Tensor]:
        x, f = self.x.double().requires_grad_(), self.f.to(torch.complex128)
        values = fs.reference.rnufft2(x, f, self.modes, period=1.0)
        return {
            "type 1": fs.reference.rnufft1(x.detach(), self.c.double(), self.modes, period=1.0),
            "gradient of type 2": torch.autograd.grad(values, x, self.g.double())[0],
        }

    def limit_ms(self) -> float:
        return 1e3 * (self.x.nbytes + self.c.nbytes + self.f.nbytes) / copy_bandwidth()


def modes_rows() -> Iterator[GpuRow]:
    for size in SIZES:
        p = OnModes(*size)
        exact = p.exact()
        for rival, target, ours, theirs in (
            ("gridding", 1.0, p.of_plan("direct"), p.of_plan("gridding")),
            ("plain torch", 0.5, p.of_ops(_ops), p.of_ops(_fallback)),
        ):
            for work, want in exact.items():
                calls = {"fastspec": ours[work], rival: theirs[work]}
                wrong = {name: relative_error(call(), want) for name, call in calls.items()}
                yield row(f"direct {work}, {p.name}", medians(calls, 1.0), wrong, rival, target, p.limit_ms())


def rows() -> Iterator[GpuRow]:
    yield from pairs_rows()
    yield from modes_rows()


if __name__ == "__main__":
    write("gpu_direct", rows)
