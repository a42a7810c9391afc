"""Phases, tables and measurements are made outside autocast: the same numbers within it as without."""

import pytest
import torch
from torch import Tensor, nn

import fastspec as fs

M, N = 60, 16
GEN = torch.Generator().manual_seed(0)
X = 6 * torch.rand(M, 1, generator=GEN)
Y = torch.sin(3 * X[:, 0])
FEW = torch.linspace(-1, 1, 20)[1:-1]


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def network(d: int = 1) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(d, 16), nn.Tanh(), nn.Linear(16, 1))


class Rounded(nn.Module):
    """A model whose outputs are in half precision, as a linear layer's are under autocast."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x).bfloat16()


def of_bits(x: Tensor) -> Tensor:
    signs = 1 - 2.0 * x
    return 0.7 * signs[:, 1] * signs[:, 4] + 0.3 * signs[:, 2]


def kernel_gradient() -> Tensor:
    h = Y.clone().requires_grad_()
    fs.precondition.Kernel(network(), X)(h).square().sum().backward()
    return h.grad


def monitored() -> Tensor:
    monitor = fs.SpectralMonitor(X, Y, N, peaks=torch.tensor([[3.0], [5.0]]))
    monitor.update(0, 1.1 * Y)
    return monitor.errors


def sparse_spectrum() -> Tensor:
    transform = fs.walsh.SparseTransform(6, 4, generator=seeded())
    return transform(of_bits(transform.points.flatten(0, 2)))(fs.walsh.cube(6))


def admm() -> Tensor:
    regularizer = fs.walsh.SparseRegularizer(6, 4, generator=seeded())
    regularizer.update(Rounded(of_bits))
    return regularizer(Rounded(of_bits))


def broad() -> Tensor:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return fs.nn.BroadLearning(1, 1).fit(X, Y).weight


def shifted_phases() -> Tensor:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return fs.nn.PhaseMLP([[40.0], [80.0]])._phase(X)


MEASURED = {
    "ntk_rates": lambda: fs.measure.ntk_rates(network(), X, N),
    "ntk_rates, sampled": lambda: fs.measure.ntk_rates(network(), X, N, samples=4, generator=seeded()),
    "kernel_exponent": lambda: fs.measure.kernel_exponent(network(), X, N),
    "whitening_weight": lambda: fs.precondition.whitening_weight(network(), X, N),
    "check_weight": lambda: fs.precondition.check_weight(network(), X, lambda k: 1 + (k @ k.mT).diagonal(), modes=N),
    "Kernel": kernel_gradient,
    "quadrature": lambda: fs.precondition.quadrature(X, 8),
    "residual": lambda: fs.precondition.residual(FEW, (-1.0, 1.0))(Y[:18]),
    "spectral": lambda: torch.func.grad(
        lambda h: fs.precondition.spectral(h, X, lambda k: k @ torch.tensor([1.234]), modes=N).square().sum()
    )(Y),
    "monitor": monitored,
    "filter_error": lambda: torch.stack(fs.measure.filter_error(X, 1.1 * Y, Y, [0.1, 0.3])),
    "projection": lambda: fs.measure.projection(X, Y, torch.arange(5.0)),
    "alias_report": lambda: fs.measure.alias_report(X[::2], Y[::2], X, Y, torch.arange(8.0)).train,
    "dominant_frequencies": lambda: fs.measure.dominant_frequencies(X, Y, 1),
    "sparse transform": sparse_spectrum,
    "sparse regularizer": admm,
    "full regularizer": lambda: fs.walsh.FullRegularizer(6)(Rounded(of_bits)),
    "hashed regularizer": lambda: fs.walsh.HashedRegularizer(6, 4, generator=seeded())(Rounded(of_bits)),
    "lfp_rate": lambda: fs.theory.lfp_rate(torch.arange(1.0, 9.0), d=1),
    "lfp_evolution": lambda: fs.theory.lfp_evolution(X, Y, 0 * Y + X[:, 0], torch.ones(8), torch.tensor([0.1])),
    "interpolant": lambda: fs.theory.min_norm_interpolant(X[:20, 0], Y[:20], 2.0, 31, period=7.0)(X[:, 0]),
    "BroadLearning": broad,
    "PhaseMLP": shifted_phases,
    "Filtered": lambda: fs.nn.Filtered(Rounded(lambda x: x.sin()), 1.0, 31)(X),
    "from_data": lambda: fs.nn.SineLayer.from_data(X, Y, 4).omega,
}


@pytest.mark.parametrize("name", MEASURED)
def test_the_same_within_autocast(name):
    want = torch.as_tensor(MEASURED[name]())
    assert want.dtype not in (torch.bfloat16, torch.float16)
    for half in (torch.bfloat16, torch.float16):
        with torch.autocast("cpu", half):
            got = torch.as_tensor(MEASURED[name]())
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5 * want.abs().max().item())
