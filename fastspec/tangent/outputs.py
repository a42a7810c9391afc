"""What a tangent kernel is the kernel of: a model's outputs, or a residual made of them, at points."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

Parameters = dict[str, Tensor]
Operator = Callable[[nn.Module, Tensor], Tensor]


class Outputs:
    """The outputs (M, C) at points as they depend on the trained parameters, apart from the model: neither its
    gradients nor its buffers change.

    Args:
        model: maps points (M, ...) to (M,) or (M, C).
        operator: takes the model and the points to the outputs, as the residual of an equation; default model(x).

    Attributes:
        parameters: the trained ones by name, leaves of their own that share the model's memory.
    """

    def __init__(self, model: nn.Module, operator: Operator | None = None):
        self.model, self.operator = model, operator
        self._whole = _Operated(model, operator)
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        self.parameters = {name: p.detach().requires_grad_() for name, p in named}
        self._held = {f"model.{name}": p.detach() for name, p in model.named_parameters() if not p.requires_grad}
        self._held |= {f"model.{name}": b.detach().clone() for name, b in model.named_buffers()}

    def __call__(self, x: Tensor) -> Tensor:
        # a residual may differentiate in the very points that it is given
        return self.of(self.parameters, x.detach().requires_grad_(x.is_floating_point()))

    def of(self, parameters: Parameters, x: Tensor) -> Tensor:
        """As they depend on other parameters."""
        given = {f"model.{name}": p for name, p in parameters.items()}
        out = functional_call(self._whole, (given, self._held), (x,))
        if not isinstance(out, Tensor) or out.ndim not in (1, 2) or len(out) != len(x):
            was = f"shape {tuple(out.shape)}" if isinstance(out, Tensor) else type(out).__name__
            raise ValueError(f"model: returned {was}, must return ({len(x)},) or ({len(x)}, C)")
        return out.reshape(len(x), -1)

    def trained(self) -> list[Tensor]:
        return list(self.parameters.values())


class _Operated(nn.Module):
    def __init__(self, model: nn.Module, operator: Operator | None):
        super().__init__()
        self.model, self.operator = model, operator

    def forward(self, x: Tensor) -> Any:
        return self.model(x) if self.operator is None else self.operator(self.model, x)


def working_dtype(dtype: torch.dtype) -> torch.dtype:
    """That of matrices made from a model's numbers."""
    return torch.promote_types(dtype, torch.float32)
