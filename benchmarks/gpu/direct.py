"""Claim: a direct type 3 with its gradients takes at most 0.15 of the time of torch's cos, sin and matmul in chunks.

Eight dimensions, 1e5 points, 1e4 frequencies, float32, phases up to 1e4. The limit is one sine and one cosine for each
pair in each sweep, at the rate of special functions measured on this GPU. Target: each ratio at most 0.15.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

import fastspec as fs
from benchmarks.clocks import EAGER, Call
from benchmarks.gpu._ceilings import special_functions
from benchmarks.measure import Benchmark, Contender, Row, brief, compare, plain
from benchmarks.report import main

TARGET, CHUNK = 0.15, 512
FEW = 100  # points and frequencies that errors are measured at
PHASE = 1e4  # the largest


@dataclass(frozen=True)
class Pairs:
    moving: bool  # whether the gradient is in the points too
    points: int = 100_000
    frequencies: int = 10_000
    dim: int = 8
    eps: float = 1e-4

    def __str__(self) -> str:
        of = "strengths and points" if self.moving else "the strengths"
        return f"{self.dim}-D {brief(self.points)} points, {brief(self.frequencies)} frequencies, gradient in {of}"

    def data(self) -> tuple[Tensor, ...]:
        """Points, real strengths, frequencies, and the gradient that comes in."""
        gen = torch.Generator(EAGER.device).manual_seed(0)

        def normal(*shape, dtype=torch.float32):
            return torch.randn(shape, generator=gen, device=EAGER.device, dtype=dtype)

        x = torch.rand(self.points, self.dim, generator=gen, device=EAGER.device) - 0.5
        s = normal(self.frequencies, self.dim)
        s *= PHASE / (x.abs().amax(0) * s.abs().amax(0)).sum()
        return x, normal(self.points), s, normal(self.frequencies, dtype=torch.complex64)


def through_autograd(x: Tensor, c: Tensor, s: Tensor, g: Tensor, moving: bool) -> Call:
    """The sums, and the gradients for the cotangent g."""
    wanted = [c.clone().requires_grad_(), *[x.clone().requires_grad_()] * moving]
    points = wanted[1] if moving else x

    def call():
        out = fs.nufft3(points, wanted[0], s)
        return out.detach(), *torch.autograd.grad(out, wanted, g)

    return call


def torch_in_chunks(x: Tensor, c: Tensor, s: Tensor, g: Tensor, moving: bool) -> tuple[Tensor, ...]:
    """Two passes, as when the cotangent depends on the sums; sine and cosine are made anew in the second."""
    sums, strengths, moved = [], torch.zeros_like(c), torch.zeros_like(x)
    for chunk in s.split(CHUNK):
        phase = chunk @ x.mT
        sums.append(torch.complex(phase.cos() @ c, -(phase.sin() @ c)))
    for chunk, part in zip(s.split(CHUNK), g.split(CHUNK), strict=True):
        phase = chunk @ x.mT
        cosine, sine = phase.cos(), phase.sin()
        strengths += part.real @ cosine - part.imag @ sine
        if moving:
            slope = part.real[:, None] * sine + part.imag[:, None] * cosine
            moved -= (slope.mT @ chunk) * c[:, None]
    out = torch.cat(sums), strengths
    return (*out, moved) if moving else out


def some(found: tuple[Tensor, ...], exact: tuple[Tensor, ...]) -> Tensor:
    """Each answer at a few places, over the norm of what is exact, so that none outweighs another."""
    return torch.cat([(a[:FEW] / b.norm()).flatten().to(torch.complex128) for a, b in zip(found, exact, strict=True)])


def exactly(x: Tensor, c: Tensor, s: Tensor, g: Tensor, moving: bool) -> tuple[Tensor, ...]:
    """In float64, at a few frequencies and a few points."""
    x, c, s, g = x.double(), c.double(), s.double(), g.to(torch.complex128)
    waves = torch.exp(-1j * (x[:FEW] @ s.mT)) * g.conj()
    out = torch.exp(-1j * (s[:FEW] @ x.mT)) @ c.to(torch.complex128), waves.sum(1).real
    return (*out, (waves * -1j * c[:FEW, None]).real @ s) if moving else out


def measure(case: Pairs, seconds: float) -> Iterator[Row]:
    given = *case.data(), case.moving
    exact = exactly(*given)

    def contender(name: str, call: Call) -> Contender:
        return replace(plain(name, call), answer=lambda *_: lambda: some(call(), exact))

    limit = (3 if case.moving else 2) * 2 * case.points * case.frequencies / special_functions()
    rival = contender("torch", lambda: torch_in_chunks(*given))
    judged = some(exact, exact), seconds, TARGET, lambda *_: limit, EAGER
    yield from compare(case, contender("fastspec", through_autograd(*given)), [rival], *judged)


CASES = [Pairs(False), Pairs(True)]
BENCHMARK = Benchmark("gpu_direct", CASES, measure, quick=CASES[:1], rows_per_case=1, device="cuda")

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
