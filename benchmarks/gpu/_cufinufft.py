"""cuFINUFFT with each of its methods, of which the fastest counts; no rivals where it is not importable."""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from benchmarks.clocks import Call
from benchmarks.measure import Contender
from benchmarks.problems import Problem

try:
    import cufinufft
except ImportError:
    cufinufft = None

METHODS = (0, 1, 2, 3, 4)  # 0 lets it choose
ASKED_FIRST = 1e-3


def plan(p: Problem, kind: int, eps: float, method: int, channels: int | None = None):
    made = cufinufft.Plan(
        kind, p.size.modes, channels or 1, eps, isign=-1 if kind == 1 else 1, dtype="complex64", gpu_method=method
    )
    made.setpts(*p.x.T.contiguous())
    return made


def losses(p: Problem) -> list[Contender]:
    return by_method(lambda method, eps, threads: loss_step(p, eps, method))


def loss_step(p: Problem, eps: float, method: int) -> Callable[[], Tensor]:
    """Type 1, weight, type 2 by hand; no autograd to pay for."""
    first, second = plan(p, 1, eps, method), plan(p, 2, eps, method)
    weight, pred = p.weight / p.size.points**2, p.pred.detach()

    def gradient():
        spectrum = first.execute(torch.complex(pred - p.target, torch.zeros_like(pred)))
        weighed = weight * spectrum
        (weighed * spectrum.conj()).real.sum()
        return second.execute(2 * weighed).real

    return gradient


def nufft1(p: Problem) -> list[Contender]:
    return by_method(lambda method, eps, threads: transform(plan(p, 1, eps, method, p.channels), p.strengths))


def nufft2(p: Problem) -> list[Contender]:
    return by_method(lambda method, eps, threads: transform(plan(p, 2, eps, method), p.coefficients))


def transform(made, data: Tensor) -> Call:
    return lambda: made.execute(data)


def by_method(make: Callable[[int, float, int | None], Call]) -> list[Contender]:
    """The methods that cuFINUFFT has for this work. It refuses some, but never all of them."""
    found = [Contender(f"cuFINUFFT method {method}", partial(make, method)) for method in accepted(make)]
    if cufinufft and not found:
        raise RuntimeError("cuFINUFFT is here, but none of its methods ran: see what it said above")
    return found


def accepted(make: Callable[[int, float, int | None], Call]) -> Iterator[int]:
    torch.cuda.empty_cache()  # cuFINUFFT takes memory of its own
    for method in METHODS if cufinufft else ():
        try:
            make(method, ASKED_FIRST, None)()
            torch.cuda.synchronize()
            yield method
        except (RuntimeError, ValueError, NotImplementedError) as refusal:
            print(f"cuFINUFFT method {method} is left out: {refusal}")
