"""torch.compile(fullgraph=True), forward and backward, gives what eager mode gives."""

import pytest
import torch
from samples import CASE, OPS, ThroughPlan, both_algorithms, make_sample, relative_error
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import fastspec as fs


@pytest.fixture(autouse=True)
def fresh_compiler():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def energy(out):
    """A scalar whose gradient depends on the transform's value, not only on its shape."""
    return (out.abs() ** 2 * torch.arange(out.shape[-1])).mean()


def value_and_gradients(function, *inputs):
    leaves = [t.clone().requires_grad_() for t in inputs]
    value = function(*leaves)
    return value, *torch.autograd.grad(value, leaves)


def assert_same(got, want):
    assert all(relative_error(g, w) <= 1e-10 for g, w in zip(got, want, strict=True))


@both_algorithms
@pytest.mark.parametrize("name", ["2d-odd-even", "3d-sets"])
@pytest.mark.parametrize("op", OPS)
def test_transform_traces_whole(op, name):
    sample = make_sample(op, CASE[name], real=op == "rnufft1")

    def function(x, data):
        return energy(sample(fs, x, data))

    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
    assert_same(
        value_and_gradients(compiled, sample.x, sample.data), value_and_gradients(function, sample.x, sample.data)
    )


@both_algorithms
@pytest.mark.parametrize(("op", "module"), [("nufft1", fs), ("rnufft2", fs), ("nufft2", ThroughPlan)])
def test_transform_under_inductor(op, module):
    sample = make_sample(op, CASE["2d-rows"])

    def function(x, data):
        return energy(sample(module, x, 2 * data))

    compiled = torch.compile(function, fullgraph=True)
    assert_same(
        value_and_gradients(compiled, sample.x, sample.data), value_and_gradients(function, sample.x, sample.data)
    )


@both_algorithms
def test_held_plan_under_inductor():
    sample = make_sample("rnufft1", CASE["1d-odd"], real=True)
    plan = fs.Plan(sample.x, sample.modes)

    def function(c):
        return energy(plan.rnufft2(plan.rnufft1(c).sin()))

    compiled = torch.compile(function, fullgraph=True)
    assert_same(value_and_gradients(compiled, sample.data), value_and_gradients(function, sample.data))


@both_algorithms
def test_number_of_points_may_change():
    """The second number makes the compiler take it for a symbol, and the third must not compile anew."""
    compiled = torch.compile(lambda x, c: fs.nufft1(x, c, 12), fullgraph=True, backend="aot_eager")
    for m in (10, 33, 57):
        x = torch.linspace(-3, 3, m, dtype=torch.float64)
        c = torch.randn(m, dtype=torch.complex128)
        with torch.compiler.set_stance("fail_on_recompile" if m == 57 else "default"):
            got = compiled(x, c)
        assert relative_error(got, fs.nufft1(x, c, 12)) <= 1e-14


def test_training_step_with_the_loss_under_inductor():
    x = torch.linspace(-3, 3, 40, dtype=torch.float64)
    target = torch.sin(5 * x)[:, None]
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    loss = fs.SpectralLoss(30, x=x, weight=fs.weights.sobolev(1.0))

    def step(points):
        return loss(model(points), target)

    parameters = tuple(model.parameters())
    got, want = step_gradients(torch.compile(step, fullgraph=True), x, parameters), step_gradients(step, x, parameters)
    assert_same(got, want)


def step_gradients(step, x, parameters):
    value = step(x[:, None])
    return value, *torch.autograd.grad(value, parameters)


class Recorder(TorchDispatchMode):
    """Keeps the arguments of every different call of fastspec's own operators."""

    def __init__(self):
        super().__init__()
        self.calls = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.namespace == "fastspec":
            self.keep(func, args)
        return func(*args, **(kwargs or {}))

    def keep(self, func, args):
        kept = tuple(a.detach().clone() if isinstance(a, torch.Tensor) else a for a in args)
        key = (func, *((a.dtype, a.shape) for a in kept if isinstance(a, torch.Tensor)))
        self.calls.setdefault(key, (func, kept))


def calls_of_public_functions(dtype):
    with Recorder() as recorder:
        for op in OPS:
            for name in ("1d-odd", "2d-rows", "3d-sets"):
                sample = make_sample(op, CASE[name], dtype, real=op == "rnufft1")
                x = sample.x.clone().requires_grad_()
                value = energy(sample(fs, x))
                torch.autograd.grad(value, x, create_graph=True)
                torch.autograd.grad(value, x)
            plan = fs.Plan(sample.x.clone().requires_grad_(), sample.modes, algorithm="direct")
            torch.autograd.grad(energy(getattr(plan, op)(sample.data)), plan.x)
        sample = make_sample("rnufft1", CASE["2d-odd-even"], dtype, real=True)
        for weight in (None, fs.weights.focal()):
            loss = fs.SpectralLoss(sample.modes, x=sample.x, weight=weight)
            loss(sample.data, torch.ones_like(sample.data))
            with fs.override(step="composed"):
                loss(sample.data, torch.ones_like(sample.data))
            plan = fs.Plan(sample.x, sample.modes, algorithm="direct")
            fs.spectral_loss(plan, sample.data, torch.ones_like(sample.data), fs.weights.focal())
        for real in (True, False):
            x, s = (torch.randn(n, 4, dtype=dtype, requires_grad=True) for n in (9, 5))
            c = torch.randn(
                2, 9, dtype=dtype if real else torch.promote_types(dtype, torch.complex32), requires_grad=True
            )
            torch.autograd.grad(energy(fs.nufft3(x, c, s)), (x, c, s))
            torch.autograd.grad(fs.measure.gaussian_filter(x, x, [0.1, 2.0]).sum(), x)
    weigh, spread = torch.ops.fastspec.weigh.default, torch.ops.fastspec.spread.default
    for args in [args for func, args in recorder.calls.values() if func is spread]:
        recorder.keep(torch.ops.fastspec.spread_ordered.default, args)  # where algorithms must be deterministic
    for args in [args for func, args in recorder.calls.values() if func is weigh]:
        recorder.keep(torch.ops.fastspec.weigh_copy.default, args)  # what compiled code calls in its place
    exact = torch.ops.fastspec.gaussian_filter.default
    for args in [args for func, args in recorder.calls.values() if func is exact]:
        recorder.keep(torch.ops.fastspec.gaussian_filter_rounded.default, (*args, "bf16"))  # where asked for, on CUDA
    with recorder:
        fs.walsh.fwht(torch.ones(3, 16, dtype=dtype), normalized=True)
    return recorder.calls.values()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_every_operator_passes_opcheck(dtype):
    calls = calls_of_public_functions(dtype)
    registered = {name for name in torch._C._dispatch_get_all_op_names() if name.startswith("fastspec::")}
    assert {func.name() for func, _ in calls} == registered
    for func, args in calls:
        torch.library.opcheck(func, args)
