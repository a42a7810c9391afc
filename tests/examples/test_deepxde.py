"""The DeepXDE example, with DeepXDE where it is installed, else with a stand-in for what it calls."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

EXAMPLE = Path(__file__).parents[2] / "examples" / "deepxde_poisson.py"


class Net(nn.Module):
    def __init__(self, sizes, activation, initializer):
        super().__init__()
        pairs = zip(sizes, sizes[1:], strict=False)
        self.linears = nn.ModuleList(nn.Linear(a, b) for a, b in pairs)

    def apply_output_transform(self, transform):
        self.transform = transform

    def forward(self, x):
        h = x
        for layer in self.linears[:-1]:
            h = layer(h).tanh()
        return self.transform(x, self.linears[-1](h))


class Data:
    def __init__(self, geometry, pde, bcs, num_domain, train_distribution, solution):
        low, high = geometry
        self.pde = pde
        self.train_x_all = np.linspace(low, high, num_domain + 2, dtype=np.float32)[1:-1, None]


class Model:
    """Residuals and zeros of their shape go to the loss, in this order, as data/pde.py of DeepXDE 1.15 has it."""

    def __init__(self, data, net):
        self.data, self.net = data, net

    def compile(self, optimizer, lr, loss, decay, verbose):
        self.loss = (lambda y_true, y_pred: (y_true - y_pred).square().mean()) if loss == "MSE" else loss
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr)

    def train(self, iterations, display_every, verbose):
        for _ in range(iterations):
            x = torch.as_tensor(self.data.train_x_all).requires_grad_()
            error = self.data.pde(x, self.net(x))
            self.optimizer.zero_grad()
            self.loss(torch.zeros_like(error), error).backward()
            self.optimizer.step()

    def predict(self, x):
        return self.net(torch.as_tensor(x).float()).detach().numpy()


def hessian(u, x):
    (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
    return torch.autograd.grad(slope.sum(), x, create_graph=True)[0]


def stand_in():
    module = ModuleType("deepxde")
    module.config = SimpleNamespace(set_random_seed=torch.manual_seed)
    module.geometry = SimpleNamespace(Interval=lambda low, high: (low, high))
    module.data = SimpleNamespace(PDE=Data)
    module.nn = SimpleNamespace(FNN=Net)
    module.grad = SimpleNamespace(hessian=hessian)
    module.Model = Model
    return module


@pytest.fixture
def example(monkeypatch):
    if importlib.util.find_spec("deepxde") is None:
        monkeypatch.setitem(sys.modules, "deepxde", stand_in())
    monkeypatch.setenv("DDE_BACKEND", "pytorch")
    spec = importlib.util.spec_from_file_location("deepxde_poisson", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_is_short():
    assert len(EXAMPLE.read_text().splitlines()) < 60


def test_the_energy_norm_is_given_the_residuals_and_trains(example):
    before = example.solve(True, 1)
    assert example.solve(True, 200) < 0.5 * before
