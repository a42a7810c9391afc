"""Products with the Jacobian J of a model's outputs in its parameters: by torch.func, or by a recorded graph."""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.func import jvp, vjp, vmap

from .outputs import Outputs, Parameters

_BYTES = 2**28  # of parameter gradients held at a time
_WORK = 2**31  # multiply-adds at a time, about: a second of a processor, in which no interrupt is heard


class Transformed:
    """By torch.func: many products at once, in forward mode too. The model's own code must allow for it."""

    def __init__(self, outputs: Outputs, x: Tensor):
        self.values = lambda parameters: outputs.of(parameters, x.detach())
        self.parameters = {name: p.detach() for name, p in outputs.parameters.items()}
        self.at, self._pullback = vjp(self.values, self.parameters)[:2]

    def energies(self, u: Tensor, w: Tensor | None = None) -> Tensor:
        """(J^T u)·(J^T w) of each pair of cotangents (K, M, C), (K,); default w = u."""

        def energy(u: Tensor, w: Tensor | None) -> Tensor:
            left = self._pullback(u)[0]
            return _inner(left.values(), left.values() if w is None else self._pullback(w)[0].values(), u)

        count = sum(p.numel() for p in self.parameters.values())
        size = sum(p.numel() * p.element_size() for p in self.parameters.values())
        together = min(_BYTES // max(1, size + 8 * self.at.numel()), _WORK // max(1, 2 * count * len(self.at)))
        return vmap(energy, in_dims=(0, None if w is None else 0), chunk_size=max(1, together))(u, w)

    def push(self, tangent: Parameters) -> Tensor:
        """J v, (M, C)."""
        out: Tensor = jvp(self.values, (self.parameters,), (tangent,))[1]
        return out


class Recorded:
    """By autograd's graph of one call, for models that differentiate by autograd themselves, as residuals do.

    J v is the derivative of <J^T u, v> in u, which J^T u is linear in: two products backward, none forward.
    """

    def __init__(self, outputs: Outputs, x: Tensor):
        self.parameters = outputs.parameters
        with torch.enable_grad():
            self._out = outputs(x)
        self.at = self._out.detach()
        self._linear: tuple[Tensor, dict[str, Tensor]] | None = None

    def energies(self, u: Tensor, w: Tensor | None = None) -> Tensor:
        """(J^T u)·(J^T w) of each pair of cotangents (K, M, C), (K,); default w = u."""
        left = [self.pull(one).values() for one in u]
        right = left if w is None else [self.pull(one).values() for one in w]
        return torch.stack([_inner(a, b, u) for a, b in zip(left, right, strict=True)])

    def pull(self, u: Tensor) -> Parameters:
        """J^T u."""
        leaves = list(self.parameters.values())
        pulled = torch.autograd.grad(
            self._out, leaves, u.to(self.at), retain_graph=True, materialize_grads=True, allow_unused=True
        )
        return dict(zip(self.parameters, pulled, strict=True))

    def push(self, tangent: Parameters) -> Tensor:
        """J v, (M, C)."""
        u, pulled = self._linear = self._linear or self._pulled()
        along = [tangent[name] for name in pulled]
        return torch.autograd.grad(list(pulled.values()), u, along, retain_graph=True)[0]

    def _pulled(self) -> tuple[Tensor, dict[str, Tensor]]:
        """A cotangent u, and J^T u as a function of it, without the parameters that the values do not depend on."""
        u = torch.zeros_like(self.at).requires_grad_()
        with torch.enable_grad():
            leaves = list(self.parameters.values())
            pulled = torch.autograd.grad(self._out, leaves, u, create_graph=True, allow_unused=True)
        return u, {name: g for name, g in zip(self.parameters, pulled, strict=True) if g is not None}


def _inner(left: Iterable[Tensor], right: Iterable[Tensor], like: Tensor) -> Tensor:
    return sum(((a * b).sum() for a, b in zip(left, right, strict=True)), start=like.new_zeros(()))


def jacobian_of(outputs: Outputs, x: Tensor) -> Transformed | Recorded:
    """At x as the model takes it; by torch.func where the model allows for it."""
    try:
        return Transformed(outputs, x)
    except RuntimeError:  # torch.func refuses requires_grad_() and autograd.grad within, each in words of its own
        return Recorded(outputs, x)


def product(outputs: Outputs, x: Tensor, v: Tensor, z: Tensor | None = None) -> Tensor:
    """K(x, z) v for v (R, C) at the points z, default x: (M, C)."""
    at_x = Recorded(outputs, x)
    at_z = at_x if z is None else Recorded(outputs, z)
    return at_x.push(at_z.pull(v))
