"""The energy norm in DeepXDE: -u″ = g on (-1, 1), u(±1) = 0, with modes 1, 4, 8 and 24, by an ordinary network.

    pip install deepxde
    python examples/deepxde_poisson.py [iterations]

DeepXDE hands a loss of its own the residuals at the training points, in their order: that of an equation's term is all
that changes. Its points must stay as they are, so no resampling, and no test points other than these. After 1,500
iterations mean squares leave .0067 and the energy norm .0008; at the rate that suits them, 1e-2, mean squares leave
.0011: DeepXDE's networks start with zero biases, which suits them too.
"""

import os
import sys

os.environ.setdefault("DDE_BACKEND", "pytorch")

import deepxde as dde
import numpy as np
import torch

import fastspec as fs

RATES = np.array([1, 4, 8, 24]) * np.pi / 2
SIZES = np.array([1, 0.25, 0.125, 0.04])


def solution(x):
    return np.sin((x + 1) * RATES) @ SIZES[:, None]


def equation(x, u):
    source = torch.sin((x + 1) * torch.as_tensor(RATES).to(x)) @ torch.as_tensor(SIZES * RATES**2).to(x)
    return -dde.grad.hessian(u, x) - source[:, None]


def solve(energy: bool, iterations: int) -> float:
    """The relative error of u, by the energy norm or by mean squares."""
    dde.config.set_random_seed(0)
    interval = dde.geometry.Interval(-1, 1)
    data = dde.data.PDE(interval, equation, [], num_domain=256, train_distribution="uniform", solution=solution)
    net = dde.nn.FNN([1, 64, 64, 1], "tanh", "Glorot normal")
    net.apply_output_transform(lambda x, u: (1 - x**2) * u)  # hard sides: no loss of theirs
    loss = "MSE"
    if energy:
        norm = fs.precondition.residual(torch.as_tensor(data.train_x_all), (-1.0, 1.0))
        loss = lambda _, residual: norm(residual)  # noqa: E731
    model = dde.Model(data, net)
    model.compile("adam", lr=3e-2, loss=loss, decay=("step", iterations // 4, 0.4), verbose=0)
    model.train(iterations=iterations, display_every=iterations, verbose=0)
    t = np.linspace(-1, 1, 1001)[:, None]
    return float(np.linalg.norm(model.predict(t) - solution(t)) / np.linalg.norm(solution(t)))


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1500
    for name, energy in (("mean squares", False), ("the energy norm", True)):
        print(f"relative error after {count} iterations by {name}: {solve(energy, count):.5f}")
