"""The rows of J, in the cheapest of three ways that a model allows."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.func import jacrev, vmap
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from .outputs import Outputs

_ENTRIES = 2**25  # of J held at a time
_CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_RANKS = {convolution: n for n, convolution in _CONVOLUTIONS.items()}


def rows_by_points(outputs: Outputs, x: Tensor) -> Iterator[Tensor]:
    """J (n C, P) of some points at a time, as the gradient in weights that each point has of its own.

    That is right where parameters are used by linear layers and convolutions alone, each point by itself; these may be
    called many times, and differentiated in the model.
    """
    size = sum(p.numel() for p in outputs.trained())
    for part in x.split(max(1, _ENTRIES // size)):
        with _Own(outputs.trained(), len(part)) as own:
            values = outputs(part)
        each = [_own_gradients(values[:, c].sum(), own) for c in range(values.shape[1])]
        yield torch.stack(each, 1).flatten(0, 1)


def rows_by_vmap(outputs: Outputs, x: Tensor) -> Iterator[Tensor]:
    """J (n C, P) of some points at a time, by torch.func: models that treat each point by itself and differentiate
    nothing."""
    size = sum(p.numel() for p in outputs.trained())

    def row(parameters: dict[str, Tensor], point: Tensor) -> Tensor:
        return outputs.of(parameters, point[None])[0]

    each = vmap(jacrev(row), in_dims=(None, 0))
    for part in x.split(max(1, _ENTRIES // size)):
        found = each(outputs.parameters, part)
        yield torch.cat([j.flatten(2) for j in found.values()], 2).flatten(0, 1).detach()


def rows_by_backward(outputs: Outputs, x: Tensor) -> Iterator[Tensor]:
    """J (n C, P) by a backward for each row, whatever the model is."""
    values, trained = outputs(x), outputs.trained()
    for row in values.flatten():
        parts = torch.autograd.grad(row, trained, retain_graph=True, materialize_grads=True, allow_unused=True)
        yield torch.cat([p.flatten() for p in parts])[None]


class _Own(TorchFunctionMode):
    """Linear layers and convolutions get weights (n, ...) in place of those given, one for each point."""

    def __init__(self, parameters: list[Tensor], count: int):
        super().__init__()
        self.count = count
        self.weights = {id(p): p.detach().expand(count, *p.shape).requires_grad_() for p in parameters}

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function is F.linear:
            return self._linear(*args, **kwargs)
        if function in _RANKS:
            return self._convolution(_RANKS[function], *args, **kwargs)
        return function(*args, **kwargs)

    def _linear(self, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        own = self._of(weight)
        tokens = input.reshape(self.count, -1, input.shape[-1])
        out = tokens @ own.mT
        if bias is not None:
            out = out + self._of(bias)[:, None]
        return out.reshape(*input.shape[:-1], out.shape[-1])

    def _convolution(
        self, n: int, input: Tensor, weight: Tensor, bias: Tensor | None = None, *args: Any, **kwargs: Any
    ) -> Tensor:
        """The points' images side by side as groups of channels."""
        given = dict(zip(("stride", "padding", "dilation", "groups"), args, strict=False)) | kwargs
        groups = self.count * given.pop("groups", 1)
        shift = None if bias is None else self._of(bias).flatten()
        out = _CONVOLUTIONS[n](input.flatten(0, 1)[None], self._of(weight).flatten(0, 1), shift, groups=groups, **given)
        return out.reshape(self.count, -1, *out.shape[2:])

    def _of(self, parameter: Tensor) -> Tensor:
        found = self.weights.get(id(parameter))
        return parameter.expand(self.count, *parameter.shape) if found is None else found


def _own_gradients(total: Tensor, own: _Own) -> Tensor:
    weights = list(own.weights.values())
    parts = torch.autograd.grad(total, weights, retain_graph=True, materialize_grads=True, allow_unused=True)
    return torch.cat([p.flatten(1) for p in parts], 1)
