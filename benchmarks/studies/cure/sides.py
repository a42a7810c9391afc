"""The baseline, and fastspec's ways: preconditioned, weighted, or started at the data's frequencies."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

import fastspec as fs

from .problem import RATES, TAU, WIDTH, Data, Learner, Setting, Side, Standardised, mlp

DAMPING = 2e-3  # of the kernel, in all tasks

Make = Callable[[Data, Setting], Learner]


def adam(parameters: Iterable[nn.Parameter], rate: float) -> Any:
    return torch.optim.Adam(parameters, rate)


def plain(data: Data, setting: Setting) -> Learner:
    model = data.network()
    return fitted(data, model, adam(model.parameters(), setting.rate))


def fitted(data: Data, model: nn.Module, optimizer: Any) -> Learner:
    """By the task's own loss."""

    def loss() -> Tensor:
        x, target = data.drawn()
        return data.loss(data.values(model, x), target)

    return Learner(model, loss, optimizer)


# --- the network unchanged --------------------------------------------------------------------------------------------


def kernel(data: Data, setting: Setting) -> Learner:
    return _kernel(data, setting, data.loss)


def nystrom(data: Data, setting: Setting) -> Learner:
    """By a third of the points of a task that is small enough for all."""
    return _kernel(replace(data, inducing=len(data.x) // 3), setting, data.loss)


def energy(data: Data, setting: Setting) -> Learner:
    model, norm = data.network(), data.equation.energy(data)
    return Learner(
        model, lambda: norm(data.values(model, data.x) - data.target), adam(model.parameters(), setting.rate)
    )


def symbol(data: Data, setting: Setting) -> Learner:
    """As ``energy``, the weight from all of the operator in place of its order."""
    model, norm = data.network(), data.equation.symbol_norm(data)
    return Learner(
        model, lambda: norm(data.values(model, data.x) - data.target), adam(model.parameters(), setting.rate)
    )


def kernel_and_energy(data: Data, setting: Setting) -> Learner:
    norm = data.equation.energy(data)
    return _kernel(data, setting, lambda pred, target: norm(pred - target))


def _kernel(data: Data, setting: Setting, loss: Callable[[Tensor, Tensor], Tensor]) -> Learner:
    model = data.network()
    points = data.drawn()[0]
    precondition = fs.precondition.Kernel(
        model, points, operator=data.operator, damping=DAMPING, inducing=data.inducing
    )

    def of_batch() -> Tensor:
        x, target = data.drawn()
        values = data.values(model, x)
        return loss(precondition(values, None if data.batch is None else x), target)

    return Learner(model, of_batch, adam(model.parameters(), setting.rate))


def sobolev(data: Data, setting: Setting) -> Learner:
    """As the square root of the wavenumber."""
    model = data.network()
    norm = fs.SpectralLoss(data.modes, x=data.x, weight=fs.weights.sobolev(0.5), period=data.period)
    return Learner(model, lambda: norm(model(data.x), data.target), adam(model.parameters(), setting.rate))


def whitening(data: Data, setting: Setting) -> Learner:
    """Seen reflected at the ends of the data, halfway to equal rates."""
    model = data.network()
    even = fs.nn.Reflected(model, data.x.amin(0), data.x.amax(0))
    x, grid = even.points(data.x), {"modes": data.modes, "period": even.period}
    q = fs.precondition.quadrature(x, **grid)
    weight = fs.precondition.whitening_weight(even, x, **grid, strength=0.5, quadrature=q)
    norm = fs.SpectralLoss(x=x, **grid, weight=weight, quadrature=q)
    target = even.values(data.target)
    return Learner(model, lambda: norm(even.values(model(data.x)), target), adam(model.parameters(), setting.rate))


# --- networks started at the data's frequencies -----------------------------------------------------------------------


def _started(make: Callable[[Data], nn.Module]) -> Make:
    def side(data: Data, setting: Setting) -> Learner:
        model = make(data)
        return fitted(data, model, adam(model.parameters(), setting.rate))

    return side


def _sine_net(data: Data) -> nn.Module:
    """The plain network with sines in its first layer."""
    net = Standardised(data.x, nn.Identity())
    most = None if data.highest is None else data.highest * net.std.max().item()
    first = fs.nn.SineLayer.from_data(net(data.x), data.target, WIDTH, data.lines, max_frequency=most)
    net.net = nn.Sequential(first, *list(mlp(data.x.shape[1]))[2:])
    return net


def _feature_net(data: Data) -> nn.Module:
    """The plain network behind random Fourier features. Lines are looked for in 8,192 points at most."""
    x, y = data.x[:8192], data.target[:8192]
    found = fs.nn.FourierFeatures.from_data(x, y, n_lines=data.lines, max_frequency=data.highest)
    return nn.Sequential(found, mlp(found.out_features))


def _phase_net(data: Data) -> nn.Module:
    width = 16 if data.lines > 8 else 32
    return fs.nn.PhaseMLP.from_data(data.x, data.target, data.lines, max_frequency=data.highest, width=width)


def _scaled_net(data: Data) -> nn.Module:
    return fs.nn.MscaleMLP.from_data(data.x, data.target, n_frequencies=data.lines, max_frequency=data.highest)


def phase_solution(data: Data, setting: Setting) -> Learner:
    """Shifts are the source's frequencies: a linear equation makes no others. The residual's size is its energy."""
    found = fs.measure.dominant_frequencies(data.x, data.target, data.lines, max_frequency=data.highest)
    low, high = data.equation.low, data.equation.high
    model, norm = data.network(), data.equation.energy(data)
    # A pinned network sees its box as (-1, 1).
    model.net = fs.nn.PhaseMLP(TAU * found * (high - low) / 2, width=16).to(data.x)
    return Learner(
        model, lambda: norm(data.values(model, data.x) - data.target), adam(model.parameters(), setting.rate)
    )


MSE = Side("MSE, Adam", plain, "baseline", unchanged=True)
FASTER_MSE = Side("MSE, Adam, the fastest rate", plain, "baseline", unchanged=True, rates=(max(RATES),))
KERNEL = Side("kernel", kernel, "ours", unchanged=True)
SYMBOL = Side("energy norm of the symbol", symbol, "ours", unchanged=True)
NYSTROM = Side("kernel, inducing a third", nystrom, "ours", unchanged=True)
ENERGY = Side("energy norm", energy, "ours", unchanged=True)
BOTH = Side("kernel and energy norm", kernel_and_energy, "ours", unchanged=True)
SOBOLEV = Side("Sobolev loss", sobolev, "ours", unchanged=True)
WHITENING = Side("whitening", whitening, "ours", unchanged=True)
SINE = Side("SineLayer.from_data", _started(_sine_net), "ours", told="yes")
FEATURES = Side("FourierFeatures.from_data", _started(_feature_net), "ours", told="yes")
PHASE = Side("PhaseMLP.from_data", _started(_phase_net), "ours", told="yes")
SCALED = Side("MscaleMLP.from_data", _started(_scaled_net), "ours", told="yes")
PHASE_SOLUTION = Side("PhaseMLP, energy norm", phase_solution, "ours", told="yes")
