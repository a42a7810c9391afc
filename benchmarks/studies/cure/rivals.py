"""What others would use: second-order and orthogonalised optimisers, other networks, adjusted gradients."""

import math
from collections.abc import Callable
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, hessian, vmap

import fastspec as fs

from .problem import WIDTH, Data, Learner, Setting, Side, mlp
from .sides import adam, fitted

Closure = Callable[[], Tensor]

# --- optimisers on the plain network ----------------------------------------------------------------------------------


def soap(data: Data, setting: Setting) -> Learner:
    from pytorch_optimizer import SOAP as SoapOptimizer

    model = data.network()
    return fitted(data, model, SoapOptimizer(model.parameters(), lr=setting.rate, weight_decay=0.0))


class Together:
    """Several optimisers as one, for a closure that is called once."""

    def __init__(self, *optimizers: torch.optim.Optimizer):
        self.optimizers = optimizers

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return list(chain.from_iterable(optimizer.param_groups for optimizer in self.optimizers))

    def zero_grad(self) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad()

    def step(self, closure: Closure) -> None:
        closure()
        for optimizer in self.optimizers:
            optimizer.step()


def muon(data: Data, setting: Setting) -> Learner:
    """Muon on matrices between hidden layers, its step matched to Adam's, which has the rest."""
    model = data.network()
    hidden = [p for p in model.parameters() if p.ndim == 2 and min(p.shape) > 16]
    rest = [p for p in model.parameters() if not (p.ndim == 2 and min(p.shape) > 16)]
    orthogonal = torch.optim.Muon(hidden, lr=setting.rate, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    return fitted(data, model, Together(orthogonal, adam(rest, setting.rate)))


def lbfgs(data: Data, setting: Setting) -> Learner:
    model = data.network()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=1, history_size=50, line_search_fn="strong_wolfe")
    return fitted(data, model, optimizer)


class LevenbergMarquardt:
    """δ = -J^T (J J^T + c)^-1 r in the space of samples: for residuals of an equation the energy natural gradient.

    c falls where a step lowered the loss and rises, the step taken back, where not.
    """

    param_groups: list[dict[str, Any]] = []

    def __init__(self, residuals: Closure, tangent: "Tangent", parameters: list[nn.Parameter]):
        self.residuals, self.tangent, self.parameters, self.damping = residuals, tangent, parameters, 1e-3

    def zero_grad(self) -> None:
        pass

    def step(self, closure: Closure) -> None:
        r = self.residuals().flatten()
        k, pull = self.tangent(r)
        k, before = k.double(), r.detach().square().sum()
        k.diagonal().add_(self.damping * k.diagonal().sum())
        change = pull(torch.linalg.solve(k, r.detach().double()).to(r))
        self._move(change, -1)
        if self.residuals().detach().square().sum() < before:
            self.damping = max(self.damping / 3, 1e-12)
        else:
            self._move(change, 1)
            self.damping = min(4 * self.damping, 1.0)

    @torch.no_grad()
    def _move(self, change: list[Tensor], sign: int) -> None:
        for p, step in zip(self.parameters, change, strict=True):
            p += sign * step


Tangent = Callable[[Tensor], tuple[Tensor, Callable[[Tensor], list[Tensor]]]]  # J J^T, and products with J^T


def of_layers(model: nn.Module, data: Data) -> Tangent:
    parameters = list(model.parameters())
    return lambda r: (gram(model, data.x), lambda v: list(torch.autograd.grad(r, parameters, v)))


def of_equation(model: nn.Module, data: Data) -> Tangent:
    """By rows of the Jacobian, all points at once."""

    def residual(parameters: dict[str, Tensor], point: Tensor) -> Tensor:
        def u(at: Tensor) -> Tensor:
            return functional_call(model, parameters, (at[None],))[0, 0]

        return -hessian(u)(point).trace() - data.equation.wave**2 * u(point)

    rows = vmap(grad(residual), (None, 0))

    def tangent(r: Tensor) -> tuple[Tensor, Callable[[Tensor], list[Tensor]]]:
        parts = list(rows({name: p.detach() for name, p in model.named_parameters()}, data.x).values())
        jacobian = torch.cat([part.flatten(1) for part in parts], 1)
        return jacobian @ jacobian.mT, lambda v: [torch.tensordot(v, part, 1) for part in parts]

    return tangent


def levenberg_marquardt(data: Data, setting: Setting) -> Learner:
    model = data.network()
    tangent = of_layers(model, data) if data.operator is None else of_equation(model, data)
    parameters = list(model.parameters())
    return fitted(
        data, model, LevenbergMarquardt(lambda: data.values(model, data.x) - data.target, tangent, parameters)
    )


# --- inductive gradient adjustment (arXiv 2410.13271) -----------------------------------------------------------------


def groups_of(x: Tensor, count: int) -> Tensor:
    """Indices (count, M // count): points halved along their widest axis again and again; the last are left out."""
    parts = [torch.arange(len(x))]
    while len(parts) < count:
        halves = []
        for part in parts:
            axis = int((x[part].amax(0) - x[part].amin(0)).argmax())
            halves += part[x[part, axis].argsort()].tensor_split(2)
        parts = halves
    size = min(len(part) for part in parts)
    return torch.stack([part[:size] for part in parts])


def gram(net: nn.Module, x: Tensor) -> Tensor:
    """The tangent kernel of a network of linear layers, (M, M)."""
    inputs, outputs = [], []
    hooks = [
        layer.register_forward_hook(lambda _, given, out: (inputs.append(given[0].detach()), outputs.append(out))[0])
        for layer in net.modules()
        if isinstance(layer, nn.Linear)
    ]
    total = net(x).sum()
    for hook in hooks:
        hook.remove()
    slopes = torch.autograd.grad(total, outputs)
    return sum((a @ a.mT + 1) * (g @ g.mT) for a, g in zip(inputs, slopes, strict=True))


def balanced(k: Tensor, end: int) -> Tensor:
    """The eigenvalues of k above its ``end``-th lowered to that one, divided by what they were."""
    values, vectors = torch.linalg.eigh(k.double())
    top = slice(len(k) - end, None)
    factors = values[len(k) - end - 1].clamp_min(1e-12) / values[top] - 1
    return (torch.eye(len(k), dtype=k.dtype) + (vectors[:, top] * factors) @ vectors[:, top].mT).to(k)


def adjusted(data: Data, setting: Setting) -> Learner:
    """One point stands for each group of neighbours; what evens the kernel's eigenvalues among these evens all."""
    model = data.network()
    groups = groups_of(data.x, 64 if len(data.x) < 1000 else 256)

    def loss() -> Tensor:
        pred = model(data.x)
        error = (pred - data.target).detach()[:, 0]
        worst = error[groups].abs().argmax(1, keepdim=True)
        matrix = balanced(gram(model, data.x[groups.gather(1, worst)[:, 0]]), int(setting.swept))
        error[groups] = matrix @ error[groups]
        return 2 * (pred[:, 0] * error).mean()

    return Learner(model, loss, adam(model.parameters(), setting.rate))


# --- binned spectral power (arXiv 2502.00472) -------------------------------------------------------------------------


def shells(modes: int | tuple[int, ...], dim: int) -> Tensor:
    """The shell of each mode: its wavenumber's length, rounded; flat."""
    counts = modes if isinstance(modes, tuple) else (modes,) * dim
    axes = [torch.arange(-(n // 2), (n + 1) // 2, dtype=torch.float32) for n in counts]
    return torch.cartesian_prod(*axes).reshape(-1, dim).norm(dim=1).round().long()


def binned_power(data: Data, setting: Setting) -> Learner:
    """Mean squares, and ``swept`` times those of 1 - (power of the network / power of the data), shell by shell.

    Blind to phases. Powers are of the nonuniform spectrum; shells beyond the shorter axis' band are left out, and a
    floor of 1e-3 of the strongest shell's power keeps noise from weighing most.
    """
    model = data.network()
    plan = fs.Plan(data.x, data.modes, period=data.period)
    shell = shells(data.modes, data.x.shape[1])
    within = shell < min(plan.modes) // 2

    def power(values: Tensor) -> Tensor:
        spectrum = plan.nufft1(values[:, 0]).flatten()[within] / len(data.x)
        return torch.zeros(int(shell[within].max()) + 1).index_add(0, shell[within], spectrum.abs().square())

    wanted = power(data.target)
    floor = 1e-3 * wanted.max()

    def loss() -> Tensor:
        pred = model(data.x)
        ratios = (power(pred) + floor) / (wanted + floor)
        return data.loss(pred, data.target) + setting.swept * (1 - ratios).square().mean()

    return Learner(model, loss, adam(model.parameters(), setting.rate))


# --- other networks ---------------------------------------------------------------------------------------------------


class Boxed(nn.Module):
    """Points scaled to (-1, 1), as SIREN and random features are set up for."""

    def __init__(self, x: Tensor, net: nn.Module):
        super().__init__()
        self.net, low, high = net, x.amin(0), x.amax(0)
        self.register_buffer("middle", (low + high) / 2)
        self.register_buffer("length", (high - low) / 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.net((x - self.middle) / self.length)


def siren(data: Data, setting: Setting) -> Learner:
    """ω0 of the first layer is swept; 30 in the second, as its authors have it."""
    d = data.x.shape[1]
    layers = fs.nn.SineLayer(d, WIDTH, setting.swept, first=True), fs.nn.SineLayer(WIDTH, WIDTH)
    return _in_place_of_the_network(data, setting, nn.Sequential(*layers, _siren_end()))


def _siren_end() -> nn.Linear:
    last = nn.Linear(WIDTH, 1)
    nn.init.uniform_(last.weight, -math.sqrt(6 / WIDTH) / 30, math.sqrt(6 / WIDTH) / 30)
    return last


def random_features(data: Data, setting: Setting) -> Learner:
    """256 of them, σ swept, in cycles per half of the box."""
    features = fs.nn.FourierFeatures(data.x.shape[1], 256, setting.swept)
    return _in_place_of_the_network(data, setting, nn.Sequential(features, mlp(features.out_features)))


def _in_place_of_the_network(data: Data, setting: Setting, net: nn.Module) -> Learner:
    if data.equation is None:
        model = Boxed(data.x, net)
    else:
        model = data.network()
        model.net = net
    return fitted(data, model, adam(model.parameters(), setting.rate))


def batch_norm(data: Data, setting: Setting) -> Learner:
    """Before each activation of the plain network."""
    model = data.network()
    holder = model if isinstance(model, nn.Sequential) else None
    layers = []
    for layer in holder or model.net:
        layers += [nn.BatchNorm1d(layers[-1].out_features), layer] if isinstance(layer, nn.Tanh) else [layer]
    net = nn.Sequential(*layers)
    if holder is None:
        model.net = net
    else:
        model = net
    return fitted(data, model, adam(model.parameters(), setting.rate))


NO_RATE = (math.nan,)

SOAP = Side("SOAP", soap, "rival", unchanged=True, needs="pytorch_optimizer")
MUON = Side("Muon", muon, "rival", unchanged=True)
LBFGS = Side("L-BFGS", lbfgs, "rival", unchanged=True, rates=NO_RATE)
LM = Side("Levenberg-Marquardt", levenberg_marquardt, "rival", unchanged=True, rates=NO_RATE)
ENGD = Side("Levenberg-Marquardt (ENGD)", levenberg_marquardt, "rival", unchanged=True, rates=NO_RATE)
IGA = Side("IGA", adjusted, "rival", unchanged=True, sweep=(10.0, 30.0))
BSP = Side("binned power loss", binned_power, "rival", unchanged=True, sweep=(1e-1, 1e-2, 1e-3))
SIREN = Side("SIREN", siren, "rival", sweep=(10.0, 30.0))
RANDOM = Side("random Fourier features", random_features, "rival", sweep=(2.0, 10.0))
BATCH_NORM = Side("BatchNorm", batch_norm, "rival")
