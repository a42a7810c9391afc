"""Products with the Jacobian J of a model's values in its parameters: by torch.func, or by a recorded graph."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call, jvp, vjp, vmap

Parameters = dict[str, Tensor]
_BYTES = 2**28  # of parameter gradients held at a time


class Transformed:
    """By torch.func: many products at once, in forward mode too. The model's own code must allow for it."""

    def __init__(self, values: Callable[[Parameters], Tensor], parameters: Parameters):
        self._values, self.parameters = values, parameters
        self.at, self._pullback = vjp(values, parameters)[:2]

    def energies(self, cotangents: Tensor) -> Tensor:
        """|J^T u|² of each of the cotangents u (K, M, C), (K,)."""

        def energy(cotangent: Tensor) -> Tensor:
            squares = (g.square().sum() for g in self._pullback(cotangent)[0].values())
            return sum(squares, start=cotangent.new_zeros(()))

        size = sum(p.numel() * p.element_size() for p in self.parameters.values())
        return vmap(energy, chunk_size=max(1, _BYTES // max(1, size + 8 * self.at.numel())))(cotangents)

    def push(self, tangent: Parameters) -> Tensor:
        """J v, (M, C)."""
        return jvp(self._values, (self.parameters,), (tangent,))[1]


class Recorded:
    """By autograd's graph of one call, for models that differentiate by autograd themselves, as residuals do.

    J v is the derivative of <J^T u, v> in u, which J^T u is linear in: two products backward, none forward.
    """

    def __init__(self, values: Callable[[Parameters], Tensor], parameters: Parameters):
        self.parameters = parameters
        self._leaves = {name: p.detach().requires_grad_() for name, p in parameters.items()}
        with torch.enable_grad():
            self._out = values(self._leaves)
        self.at = self._out.detach()
        self._linear: tuple[Tensor, dict[str, Tensor]] | None = None

    def energies(self, cotangents: Tensor) -> Tensor:
        """|J^T u|² of each of the cotangents u (K, M, C), (K,)."""
        return torch.stack([self._energy(u) for u in cotangents])

    def _energy(self, u: Tensor) -> Tensor:
        pulled = torch.autograd.grad(self._out, list(self._leaves.values()), u, retain_graph=True, allow_unused=True)
        return sum((g.square().sum() for g in pulled if g is not None), start=u.new_zeros(()))

    def push(self, tangent: Parameters) -> Tensor:
        """J v, (M, C)."""
        u, pulled = self._linear = self._linear or self._pulled()
        along = [tangent[name] for name in pulled]
        return torch.autograd.grad(list(pulled.values()), u, along, retain_graph=True)[0]

    def _pulled(self) -> tuple[Tensor, dict[str, Tensor]]:
        """A cotangent u, and J^T u as a function of it, without the parameters that the values do not depend on."""
        u = torch.zeros_like(self.at).requires_grad_()
        with torch.enable_grad():
            leaves = list(self._leaves.values())
            pulled = torch.autograd.grad(self._out, leaves, u, create_graph=True, allow_unused=True)
        return u, {name: g for name, g in zip(self._leaves, pulled, strict=True) if g is not None}


def jacobian_of(model: nn.Module, x: Tensor) -> Transformed | Recorded:
    """In the trained parameters, at x as the model takes it; by torch.func where the model allows for it."""
    values, parameters = values_of(model)
    x = x.detach()
    try:
        return Transformed(lambda p: values(p, x), parameters)
    except RuntimeError:  # torch.func refuses requires_grad_() and autograd.grad within, each in words of its own
        return Recorded(lambda p: values(p, x.detach().requires_grad_()), parameters)


def values_of(model: nn.Module) -> tuple[Callable[[Parameters, Tensor], Tensor], Parameters]:
    """The values (M, C) as a function of the trained parameters and points, and those parameters."""
    trained = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    held = {name: p.detach() for name, p in model.named_parameters() if not p.requires_grad}
    held |= {name: b.detach().clone() for name, b in model.named_buffers()}

    def values(parameters: Parameters, x: Tensor) -> Tensor:
        out = functional_call(model, (parameters, held), (x,))
        if not isinstance(out, Tensor) or out.ndim not in (1, 2) or len(out) != len(x):
            was = f"shape {tuple(out.shape)}" if isinstance(out, Tensor) else type(out).__name__
            raise ValueError(f"model: returned {was}, must return ({len(x)},) or ({len(x)}, C)")
        return out.reshape(len(x), -1)

    return values, trained
