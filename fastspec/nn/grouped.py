"""Several small networks of one shape, evaluated as one, and the activations of the multiscale networks."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from .. import _check

Activation = str | Callable[[Tensor], Tensor]


def srelu(x: Tensor) -> Tensor:
    """sReLU(x) = (x)₊ (1 - x)₊, supported on [0, 1] (MscaleDNN, arXiv 2007.11207). Any shape, element by element."""
    return torch.relu(x) * torch.relu(1 - x)


def phi(x: Tensor) -> Tensor:
    """φ(x) = (x)₊² - 3(x-1)₊² + 3(x-2)₊² - (x-3)₊², the quadratic B-spline on [0, 3] (MscaleDNN, arXiv 2007.11207)."""
    from_middle = (x - 1.5).abs()  # about which it is even, so that two terms do
    return torch.relu(1.5 - from_middle).square() - 3 * torch.relu(0.5 - from_middle).square()


_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "srelu": srelu,
    "phi": phi,
    "tanh": torch.tanh,
    "sin": torch.sin,
    "relu": torch.relu,
}


_SUPPORT_MIDDLES: dict[Activation, float] = {"srelu": 0.5, "phi": 1.5, srelu: 0.5, phi: 1.5}


def middle_of_support(activation: Activation) -> float | None:
    """Of an activation that is zero outside an interval; None of others."""
    return _SUPPORT_MIDDLES.get(activation)


class GroupedMLP(nn.Module):
    """``groups`` multilayer perceptrons of one shape with separate weights: one batched product a layer, no loop.

    Input ``(groups, M, in_features)``, or ``(1, M, in_features)`` where all see the same; output ``(groups, M,
    out_features)``. Weights and biases start as those of ``nn.Linear`` do.
    """

    def __init__(
        self, groups: int, in_features: int, out_features: int, width: int, depth: int, activation: Activation
    ):
        super().__init__()
        check_sizes(in_features=in_features, out_features=out_features, width=width, depth=depth)
        self.activation = checked_activation(activation)
        sizes = [in_features, *[width] * depth, out_features]
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for fan_in, fan_out in zip(sizes, sizes[1:], strict=False):
            bound = 1 / math.sqrt(fan_in)
            self.weights.append(torch.empty(groups, fan_in, fan_out).uniform_(-bound, bound))
            self.biases.append(torch.empty(groups, 1, fan_out).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        x = x.expand(len(self.weights[0]), -1, -1)
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias, self.activation(x) if i else x, weight)
        return x


def check_sizes(least: int = 1, /, **sizes: int) -> None:
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int):
            raise TypeError(f"{name}: was {type(size).__name__}, must be an int")
        if size < least:
            raise ValueError(f"{name}: was {size}, must be at least {least}")


def checked_activation(activation: Activation) -> Callable[[Tensor], Tensor]:
    if callable(activation):
        return activation
    if activation not in _ACTIVATIONS:
        raise ValueError(f"activation: was {activation!r}, must be callable or one of {sorted(_ACTIVATIONS)}")
    return _ACTIVATIONS[activation]


def points(x: Tensor, in_features: int) -> Tensor:
    """x as (..., in_features); for in_features = 1 a vector of points is accepted too."""
    _check.tensor("x", x)
    if not x.is_floating_point():
        raise TypeError(f"x: dtype was {x.dtype}, must be real and floating")
    if in_features == 1 and x.ndim == 1:
        return x[:, None]
    if x.ndim == 0 or x.shape[-1] != in_features:
        raise ValueError(f"x: shape was {tuple(x.shape)}, must be (..., {in_features})")
    return x
