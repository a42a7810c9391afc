"""The libraries one would use instead, each called as its documentation tells for speed: plans held, outputs reused."""

from functools import partial
from itertools import cycle

import ducc0
import numpy as np
import torch
from pytorch_finufft.functional import finufft_type1

from benchmarks.clocks import Call
from benchmarks.measure import Contender, Make
from benchmarks.problems import Problem

DUCC0_FLOOR = {torch.float32: 1.01e-6, torch.float64: 2.01e-13}
FFTW_MEASURE = 0


def ducc0_plan(p: Problem, kind: int, eps: float, threads: int) -> ducc0.nufft.plan:
    return ducc0.nufft.plan(nu2u=kind == 1, coord=p.x.numpy(), grid_shape=p.size.modes, epsilon=eps, nthreads=threads)


def by_ducc0(p: Problem, make: Make) -> list[Contender]:
    return [Contender("ducc0", make, DUCC0_FLOOR[p.dtype])]


def ducc0_loss(p: Problem) -> list[Contender]:
    """Type 1, weight, type 2 by hand in NumPy, all channels in one call; no autograd to pay for."""
    return by_ducc0(p, partial(ducc0_step, p))


def ducc0_step(p: Problem, eps: float, threads: int) -> Call:
    first, second = (ducc0_plan(p, kind, eps, threads) for kind in (1, 2))
    pred, target, weight = p.pred.detach().numpy(), p.target.numpy(), p.weight.numpy()
    rows = p.data_shape[::-1]  # channels before points
    strengths, values = (np.empty(rows, weight.dtype.char.upper()) for _ in range(2))
    spectrum, weighted = (np.empty((*rows[:-1], *p.size.modes), strengths.dtype) for _ in range(2))
    scale, back = (weight.dtype.type(s) for s in (1 / p.size.points, 2 / p.size.points / (p.channels or 1)))

    def step():
        np.multiply((pred - target).T, scale, out=strengths)
        first.nu2u(forward=True, points=strengths, out=spectrum)
        np.multiply(spectrum, weight, out=weighted)
        np.vdot(spectrum, weighted)
        second.u2nu(forward=False, grid=weighted, out=values)
        return values.real.T * back

    return step


def ducc0_bare_calls(p: Problem) -> list[Contender]:
    """The two transforms of the loss and nothing else, at the accuracy of the whole loss."""

    def make(eps: float, threads: int) -> Call:
        first, second = (ducc0_plan(p, kind, eps, threads) for kind in (1, 2))
        strengths, spectrum = p.strengths.numpy(), np.empty(p.size.modes, p.strengths.numpy().dtype)
        values = np.empty_like(strengths)

        def step():
            first.nu2u(forward=True, points=strengths, out=spectrum)
            second.u2nu(forward=False, grid=spectrum, out=values)

        return step

    return [Contender("ducc0, two bare calls", make, DUCC0_FLOOR[p.dtype], partial(ducc0_step, p))]


def ducc0_nufft1(p: Problem) -> list[Contender]:
    def make(eps: float, threads: int) -> Call:
        plan, strengths = ducc0_plan(p, 1, eps, threads), p.strengths.numpy()
        out = np.empty(p.size.modes, strengths.dtype)
        return lambda: plan.nu2u(forward=True, points=strengths, out=out)

    return by_ducc0(p, make)


def ducc0_nufft2(p: Problem) -> list[Contender]:
    def make(eps: float, threads: int) -> Call:
        plan, coefficients = ducc0_plan(p, 2, eps, threads), p.coefficients.numpy()
        out = np.empty(p.size.points, coefficients.dtype)
        return lambda: plan.u2nu(forward=False, grid=coefficients, out=out)

    return by_ducc0(p, make)


def ducc0_one_shot(p: Problem) -> list[Contender]:
    def make(eps: float, threads: int) -> Call:
        sets, strengths = cycle(x.numpy() for x in p.point_sets), p.strengths.numpy()
        out = np.empty(p.size.modes, strengths.dtype)
        options = {"points": strengths, "forward": True, "out": out, "periodicity": 2 * np.pi}
        return lambda: ducc0.nufft.nu2u(coord=next(sets), epsilon=eps, nthreads=threads, **options)

    return by_ducc0(p, make)


def pytorch_finufft_loss(p: Problem) -> list[Contender]:
    """Under autograd, with FINUFFT's default FFT plans and with measured ones, which are better at some sizes."""

    def contender(name: str, **options) -> Contender:
        return Contender(name, lambda eps, threads: pytorch_finufft_step(p, eps=eps, nthreads=threads, **options))

    return [contender("pytorch-finufft"), contender("pytorch-finufft, FFTW_MEASURE", fftw=FFTW_MEASURE)]


def pytorch_finufft_step(p: Problem, **options) -> Call:
    points = p.x.T.contiguous()

    def step():
        p.pred.grad = None
        strengths = ((p.pred - p.target) / p.size.points).to(p.complex_dtype)
        spectrum = finufft_type1(points, strengths, p.size.modes, modeord=0, **options)
        (p.weight * (spectrum.real.square() + spectrum.imag.square())).sum().backward()
        return p.pred.grad

    return step
