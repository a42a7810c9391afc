"""fastspec as a contender: the calls of rivals.py, in our own words."""

from collections.abc import Callable, Iterator
from itertools import cycle

import torch
from torch import Tensor

import fastspec as fs
from benchmarks import limits
from benchmarks.clocks import CPU, Call, Clock
from benchmarks.measure import Case, Contender, Row, Target, compare
from benchmarks.problems import Problem, problem

NAME = "fastspec"


def loss(p: Problem) -> Contender:
    """Loss and backward through autograd, the points held."""

    def make(eps: float, threads: int) -> Call:
        loss = fs.SpectralLoss(p.size.modes, x=p.x, weight=p.weight, eps=eps)

        def step():
            p.pred.grad = None
            loss(p.pred, p.target).backward()
            return p.pred.grad

        return step

    return Contender(NAME, make)


def loss_gradient(p: Problem) -> Contender:
    """The same by torch.autograd.grad, of which a CUDA graph can be made."""

    def make(eps: float, threads: int | None) -> Call:
        return gradient_of(fs.SpectralLoss(p.size.modes, x=p.x, weight=p.weight, eps=eps), p)

    return Contender(NAME, make)


def gradient_of(loss: fs.SpectralLoss, p: Problem) -> Callable[[], Tensor]:
    return lambda: torch.autograd.grad(loss(p.pred, p.target), p.pred)[0]


def planned_loss(p: Problem, plan: fs.Plan) -> Callable[[], Tensor]:
    """The loss's gradient on a plan made beforehand."""
    loss = fs.SpectralLoss(p.size.modes, x=p.x, weight=p.weight)
    loss.plan = plan
    return gradient_of(loss, p)


def nufft1(p: Problem) -> Contender:
    def make(eps: float, threads: int | None) -> Call:
        plan = fs.Plan(p.x, p.size.modes, eps=eps)
        return lambda: plan.nufft1(p.strengths)

    return Contender(NAME, make)


def nufft2(p: Problem) -> Contender:
    def make(eps: float, threads: int | None) -> Call:
        plan = fs.Plan(p.x, p.size.modes, eps=eps)
        return lambda: plan.nufft2(p.coefficients)

    return Contender(NAME, make)


def one_shot(p: Problem) -> Contender:
    """nufft1 without a plan, on other points at each call."""

    def make(eps: float, threads: int) -> Call:
        sets = cycle(p.point_sets)
        return lambda: fs.nufft1(next(sets), p.strengths, p.size.modes, eps=eps)

    return Contender(NAME, make)


Rivals = Callable[[Problem], list[Contender]]


def compare_loss(
    case: Case,
    seconds: float,
    rivals: Rivals,
    target: Target,
    channels: int | None = None,
    ours: Callable[[Problem], Contender] = loss,
    clock: Clock = CPU,
) -> Iterator[Row]:
    """What every claim about the loss with its gradient measures."""
    p = problem(case.size, case.dtype, channels, clock.device)
    limit = limits.of_loss(p.x, case.size.modes, channels or 1)
    yield from compare(case, ours(p), rivals(p), p.exact_gradient, seconds, target, limit, clock)


def compare_transforms(
    case: Case,
    seconds: float,
    rivals: dict[str, Rivals],
    target: Target,
    channels: int | None = None,
    clock: Clock = CPU,
) -> Iterator[Row]:
    """By the case's kind, "nufft1" or "nufft2"."""
    p = problem(case.size, case.dtype, channels, clock.device)
    make, exact, stages = {
        "nufft1": (nufft1, lambda: p.exact_type1, limits.nufft1),
        "nufft2": (nufft2, lambda: p.exact_type2, limits.nufft2),
    }[case.kind]
    limit = limits.of_transform(stages, p.x, case.size.modes)
    yield from compare(case, make(p), rivals[case.kind](p), exact(), seconds, target, limit, clock)
