"""Rates of models that call autograd themselves, as modules that return a differential equation's residual do."""

import math

import pytest
import torch
from torch import nn

import fastspec as fs
from fastspec.tangent import Outputs, jacobian_of
from fastspec.tangent.jacobian import Recorded, Transformed

TAU = 2 * math.pi


class Laplace(nn.Module):
    """-Δu of a network, by autograd within forward; ``own`` is whether it asks x for gradients itself."""

    def __init__(self, d, outputs=1, own=True):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(d, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, outputs))
        self.aside = nn.Parameter(torch.ones(3))  # that no value depends on
        self.net[0].bias.requires_grad_(False)
        self.own = own

    def forward(self, x):
        x = x.requires_grad_() if self.own else x
        columns = self.net(x).unbind(1)
        return torch.stack([self._of(u, x) for u in columns], 1)

    def _of(self, u, x):
        (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        second = [torch.autograd.grad(s.sum(), x, create_graph=True)[0][:, i] for i, s in enumerate(slope.unbind(1))]
        return -sum(second)


def dense_kernels(model, x):
    """J J^T of each output, (C, M, M), from gradients row by row."""
    parameters = [p for p in model.parameters() if p.requires_grad]

    def row(value):
        slopes = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
        flat = [p.new_zeros(p.numel()) if g is None else g.flatten() for g, p in zip(slopes, parameters, strict=True)]
        return torch.cat(flat)

    columns = model(x.clone().requires_grad_()).unbind(1)
    jacobians = [torch.stack([row(value) for value in column]).double() for column in columns]
    return torch.stack([j @ j.mT for j in jacobians])


def dense_rates(kernels, x, k):
    waves = torch.polar(torch.ones(len(k), len(x), dtype=torch.float64), k.double() @ x.double().mT)
    return (torch.einsum("km,cmn,kn->ck", waves, kernels.cdouble(), waves.conj()).real / len(x)).mean(0)


@pytest.mark.parametrize(("d", "outputs", "own"), [(1, 1, True), (1, 1, False), (2, 2, True)])
def test_rates_of_residuals_are_the_dense_kernels(d, outputs, own, gen):
    torch.manual_seed(0)
    model, x = Laplace(d, outputs, own), torch.rand(40, d, generator=gen) * TAU
    modes = (9, 5)[:d]
    k = fs.Plan(x, modes).k.flatten(0, -2)
    want = dense_rates(dense_kernels(model, x), x, k)
    got = fs.measure.ntk_rates(model, x, modes)
    torch.testing.assert_close(got.flatten().double(), want, rtol=1e-4, atol=0)
    assert not x.requires_grad and all(p.grad is None for p in model.parameters())


def test_products_of_the_recorded_graph_are_those_of_torch_func(gen):
    """J v and |J^T u|² of a model that either can do."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 3)).double()
    x = torch.rand(10, 2, generator=gen, dtype=torch.float64)
    either = jacobian_of(Outputs(model), x)
    recorded = Recorded(Outputs(model), x)
    assert isinstance(either, Transformed)
    v = {name: torch.randn(p.shape, generator=gen, dtype=p.dtype) for name, p in either.parameters.items()}
    u = torch.randn(4, 10, 3, generator=gen, dtype=torch.float64)
    torch.testing.assert_close(recorded.push(v), either.push(v))
    torch.testing.assert_close(recorded.push(v), either.push(v))  # the graph is kept
    torch.testing.assert_close(recorded.energies(u), either.energies(u))
    torch.testing.assert_close(recorded.at, either.at)


def test_sampled_rates_of_residuals(gen):
    torch.manual_seed(0)
    model, x = Laplace(1), torch.rand(40, 1, generator=gen) * TAU
    exact = fs.measure.ntk_rates(model, x, 9)
    with torch.no_grad():
        sampled = fs.measure.ntk_rates(model, x, 9, samples=400, generator=gen)
    torch.testing.assert_close(sampled, exact, rtol=0.4, atol=0)


def test_exponents_and_whitening_weights_of_residuals(gen):
    torch.manual_seed(0)
    model, x = Laplace(1), torch.rand(60, 1, generator=gen) * TAU
    assert math.isfinite(fs.measure.kernel_exponent(model, x, 33))
    weight = fs.precondition.whitening_weight(model, x, 17, strength=1.0)
    rates = fs.measure.ntk_rates(model, x, 17)
    torch.testing.assert_close(weight, rates.max() / rates, rtol=1e-3, atol=0)


def test_a_models_own_error_is_told():
    class Broken(nn.Linear):
        def forward(self, x):
            raise RuntimeError("no such thing")

    with pytest.raises(RuntimeError, match="no such thing"):
        fs.measure.ntk_rates(Broken(1, 1), torch.rand(9, 1), 3)


def test_what_is_no_tensor_is_refused():
    class Pair(nn.Linear):
        def forward(self, x):
            return super().forward(x), x

    with pytest.raises(ValueError, match="^model: returned tuple"):
        fs.measure.ntk_rates(Pair(1, 1), torch.rand(9, 1), 3)
