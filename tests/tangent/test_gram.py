"""The tangent kernel against a dense Jacobian."""

import pytest
import torch
from networks import NETWORKS, jacobian, network, plain
from samples import relative_error
from torch import nn

from fastspec.tangent import Outputs, gram, outside_of_modes, product

pytestmark = pytest.mark.filterwarnings("ignore:There is a performance drop")  # vmap over attention

DIFFERENTIABLE = [name for name in NETWORKS if name != "attention"]  # torch's has no second derivative


@pytest.mark.parametrize("name", NETWORKS)
def test_gram_is_that_of_the_jacobian(name):
    model, x = network(name)
    at_x, at_z = jacobian(model, x), jacobian(model, x[:7])
    between = gram(Outputs(model), x, x[:7].clone())
    assert between.way == NETWORKS[name][2]
    assert relative_error(between.cross.double(), at_x @ at_z.mT) <= 1e-6
    assert relative_error(between.square, at_z @ at_z.mT) <= 1e-6
    assert relative_error(gram(Outputs(model), x).square, at_x @ at_x.mT) <= 1e-6


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_kernel_times_vector(name):
    model, x = network(name)
    right = jacobian(model, x)
    v = torch.randn(model(x).shape)
    found = product(Outputs(model), x, v.reshape(len(x), -1))
    assert relative_error(found.flatten().double(), right @ (right.mT @ v.flatten().double())) <= 1e-5


@pytest.mark.parametrize("name", NETWORKS)
def test_model_is_left_as_it_was(name):
    model, x = network(name)
    model.train()
    before, state = {k: v.clone() for k, v in model.state_dict().items()}, torch.get_rng_state()
    with outside_of_modes(x.device):
        gram(Outputs(model), x)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(m._forward_hooks for m in model.modules())


def test_batch_statistics_in_training_have_a_kernel_of_the_whole_batch():
    model = nn.Sequential(nn.Linear(2, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Linear(16, 1))
    x = torch.randn(20, 2)
    right = jacobian(model, x)
    found = gram(Outputs(model), x)
    assert found.way == "backward"
    assert relative_error(found.square, right @ right.mT) <= 1e-6


def test_of_a_residual():
    model, x = network("tanh")

    def operator(net, points):
        points = points.clone().requires_grad_()
        return torch.autograd.grad(net(points).sum(), points, create_graph=True)[0][:, 0]

    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = model

        def forward(self, points):
            return operator(self.net, points)

    right = jacobian(Residual(), x)
    assert relative_error(gram(Outputs(model, operator), x).square, right @ right.mT) <= 1e-6


def test_tiles_of_the_product(monkeypatch):
    from fastspec.tangent import factors

    monkeypatch.setattr(factors, "_TILE", 50)
    model, x = network("relu")
    right = jacobian(model, x)
    assert relative_error(gram(Outputs(model), x).square, right @ right.mT) <= 1e-6


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_dtypes(dtype):
    torch.manual_seed(0)
    model, x = plain(2, 16, 1).to(dtype), torch.randn(20, 2, dtype=dtype)
    right = jacobian(model, x)
    found = gram(Outputs(model), x, x[:5])
    assert found.cross.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert relative_error(found.cross.double(), right @ right[:5].mT) <= (1e-12 if dtype == torch.float64 else 0.02)


def test_bad_models():
    with pytest.raises(ValueError, match=r"model: returned shape \(3, 2, 2\), must return \(3,\) or \(3, C\)"):
        gram(Outputs(nn.Sequential(nn.Linear(2, 4), nn.Unflatten(1, (2, 2)))), torch.randn(3, 2))


def test_a_model_without_a_linear_layer_has_its_kernel():
    """Its own weights are in no layer that is looked at: the rows found there are all zero."""

    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.w, self.a = nn.Parameter(torch.randn(6)), nn.Parameter(torch.randn(6))

        def forward(self, x):
            return torch.tanh(x * self.w) @ self.a

    torch.manual_seed(0)
    model, x = Bare(), torch.linspace(-1, 1, 9)[:, None]
    rows = jacobian(model, x)
    assert relative_error(gram(Outputs(model), x).square, rows @ rows.mT) <= 1e-6
