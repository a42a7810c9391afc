"""Spectra of points that are sharded over the ranks of a torch.distributed process group."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd import Function


def sum_(spectrum: Tensor, group: Any) -> Tensor:
    """Sums a complex spectrum over the ranks, in place where it can. Without a group, the spectrum as it is."""
    if group is None:
        return spectrum
    spectrum = spectrum.contiguous()
    dist.all_reduce(torch.view_as_real(spectrum), group=group)
    return spectrum


class _Sum(Function):
    """Every rank computes the same loss from the sum, so its gradient in a rank's own part is that in the sum."""

    @staticmethod
    def forward(spectrum, group):
        return sum_(spectrum.clone(), group)

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, grad):
        return grad, None


def differentiable_sum(spectrum: Tensor, group: Any) -> Tensor:
    """As sum_, out of place and differentiable."""
    return spectrum if group is None else _Sum.apply(spectrum, group)


def point_count(count: int, device: torch.device, group: Any) -> int:
    """Points of all ranks."""
    if group is None:
        return count
    total = torch.tensor(count, device=device)
    dist.all_reduce(total, group=group)
    if int(total) == 0:
        raise ValueError("x: had no points on any rank, must have at least one")
    return int(total)
