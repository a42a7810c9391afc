"""fastspec as a contender: the calls of rivals.py, in our own words."""

from itertools import cycle

from common import Call, Contender
from problems import Problem

import fastspec as fs

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


def nufft1(p: Problem) -> Contender:
    def make(eps: float, threads: int) -> Call:
        plan = fs.Plan(p.x, p.size.modes, eps=eps)
        return lambda: plan.nufft1(p.strengths)

    return Contender(NAME, make)


def nufft2(p: Problem) -> Contender:
    def make(eps: float, threads: int) -> Call:
        plan = fs.Plan(p.x, p.size.modes, eps=eps)
        return lambda: plan.nufft2(p.coefficients)

    return Contender(NAME, make)


def one_shot(p: Problem) -> Contender:
    """nufft1 without a plan, on other points at each call."""

    def make(eps: float, threads: int) -> Call:
        sets = cycle(p.point_sets)
        return lambda: fs.nufft1(next(sets), p.strengths, p.size.modes, eps=eps)

    return Contender(NAME, make)
