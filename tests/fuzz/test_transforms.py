"""Transforms of any problem are direct sums, and so are their derivatives."""

import math

import torch
from drawn import problems
from hypothesis import given
from hypothesis import strategies as st
from samples import double
from torch import Tensor

import fastspec as fs

OPS = st.sampled_from(["nufft1", "nufft2", "rnufft1", "rnufft2"])
ORDERS, SIGNS = st.sampled_from(["centered", "fft"]), st.sampled_from([-1, 1])


def call(module, op: str, problem, x: Tensor, data: Tensor, order: str, sign: int, **more) -> Tensor:
    options = {"period": problem.period, "order": order} | more | ({} if op.startswith("r") else {"sign": sign})
    modes = () if op == "nufft2" else (problem.modes,)
    return getattr(module, op)(x, data, *modes, **options)


def by_plan(op: str, problem, x: Tensor, data: Tensor, order: str, sign: int) -> Tensor:
    plan = fs.Plan(x, problem.modes, eps=problem.eps, period=problem.period, order=order)
    return getattr(plan, op)(data, **({} if op.startswith("r") else {"sign": sign}))


def data_for(op: str, problem, real: bool) -> Tensor:
    half = (*problem.modes[:-1], problem.modes[-1] // 2 + 1)
    last = {"nufft1": (problem.points,), "rnufft1": (problem.points,), "nufft2": problem.modes, "rnufft2": half}[op]
    return problem.data(last, complex=op == "rnufft2" or (op != "rnufft1" and not real))


def exact(op: str, problem, x: Tensor, data: Tensor, order: str, sign: int) -> Tensor:
    wide = data.to(double(data.dtype)).resolve_conj()
    return call(fs.reference, op, problem, x.double(), wide, order, sign)


def size_of(want: Tensor, data: Tensor, outputs: int) -> float:
    """What errors are relative to: the norm, or where few sums or those at few places cancel, that of random ones."""
    return max(want.norm().item(), data.detach().abs().double().norm().item() * outputs**0.5)


def far_from(problem) -> float:
    """What folding from a thousand periods away leaves of the digits, in float64."""
    return 1e-12 * max(problem.modes) if problem.place == "far" else 0.0


@given(problems(), OPS, st.booleans(), ORDERS, SIGNS, st.booleans())
def test_transforms_meet_eps(problem, op, real, order, sign, planned):
    x, data = problem.x(), data_for(op, problem, real)
    with fs.override(algorithm=problem.algorithm):
        if planned:
            got = by_plan(op, problem, x, data, order, sign)
        else:
            got = call(fs, op, problem, x, data, order, sign, eps=problem.eps)
    want = exact(op, problem, x, data, order, sign)
    assert got.shape == want.shape
    assert got.dtype == (torch.promote_types(data.dtype, torch.complex32) if want.is_complex() else problem.dtype)
    outputs = problem.points if op.endswith("2") else math.prod(problem.modes)
    assert (got - want).norm() <= (2 * problem.eps + far_from(problem)) * size_of(want, data, outputs)


def rates(problem) -> float:
    """Root mean square over the modes of their rates of phase, and not less than the lowest."""
    total = 0.0
    for n, p in zip(problem.modes, problem.period, strict=True):
        total += (2 * math.pi / p) ** 2 * max(1.0, fs.reference.wavenumbers(n).double().square().mean().item())
    return total**0.5


@given(problems(work=60_000), OPS, st.booleans(), SIGNS, st.booleans())
def test_derivatives_meet_eps(problem, op, real, sign, forward):
    x, data = problem.x(), data_for(op, problem, real)
    exact_x, exact_data = x.double().contiguous(), data.to(double(data.dtype)).resolve_conj().contiguous()

    def found(x, data):
        return call(fs, op, problem, x, data, "centered", sign, eps=problem.eps)

    def wanted(x, data):
        return call(fs.reference, op, problem, x, data, "centered", sign)

    size, eps = data.abs().double().norm().item() * rates(problem), 10 * (problem.eps + far_from(problem))
    with fs.override(algorithm=problem.algorithm):
        if forward:
            outputs = problem.points if op.endswith("2") else math.prod(problem.modes)
            if problem.layout == "expanded":  # torch's forward mode takes none that share memory
                x, data = x.contiguous(), data.contiguous()
            moved, moved_x = torch.ones_like(data), torch.ones_like(x) * min(problem.period)
            got = torch.func.jvp(found, (x, data), (moved, moved_x)[::-1])[1]
            want = torch.func.jvp(wanted, (exact_x, exact_data), (moved_x.double(), moved.to(exact_data.dtype)))[1]
            most = max(want.norm().item(), (size * min(problem.period) + data.numel() ** 0.5) * outputs**0.5)
            assert (got - want).norm() <= eps * most
            return
        inputs = x.requires_grad_(), data.requires_grad_()
        exact_inputs = exact_x.requires_grad_(), exact_data.requires_grad_()
        out, want = found(*inputs), wanted(*exact_inputs)
        along = torch.randn(want.shape, generator=problem.generator, dtype=want.dtype)
        got = torch.autograd.grad(out, inputs, along.to(out.dtype))
        want = torch.autograd.grad(want, exact_inputs, along)
    norm, rows = along.norm().item(), math.prod(problem.batch)
    sizes = size * norm / rows**0.5, norm * (data.numel() / rows) ** 0.5
    for got_one, want_one, most in zip(got, want, sizes, strict=True):
        assert got_one.shape == want_one.shape
        assert (got_one - want_one).norm() <= eps * max(want_one.norm().item(), most)
