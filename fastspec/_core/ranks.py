"""Sums of spectra over the ranks of a torch.distributed process group.

On GPUs they are ordered by the current stream, and no host waits for them.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from .autograd import TypedFunction


def sum_(spectrum: Tensor, group: Any) -> Tensor:
    """Sums a complex spectrum over the ranks, in place where it can. Without a group, the spectrum as it is."""
    if group is None:
        return spectrum
    spectrum = spectrum.contiguous()
    dist.all_reduce(torch.view_as_real(spectrum), group=group)  # NCCL has no complex numbers
    return spectrum


class _Sum(TypedFunction):
    """Every rank computes the same loss from the sum, so its gradient in a rank's own part is that in the sum."""

    @staticmethod
    def forward(spectrum: Tensor, group: Any) -> Tensor:
        return sum_(spectrum.clone(), group)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return grad, None


def differentiable_sum(spectrum: Tensor, group: Any) -> Tensor:
    """As sum_, out of place and differentiable."""
    if group is None:
        return spectrum
    out: Tensor = _Sum.apply(spectrum, group)
    return out
