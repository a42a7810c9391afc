"""How a loss reduces the sums of its rows, the members of the batch and channels: one object each."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from .. import _check


class Reduction(NamedTuple):
    apply: Callable[[Tensor], Tensor]
    adds: bool  # whether it is a sum of the rows' sums, each times a factor, which an op can do as it goes
    divides: bool  # whether that factor is one over their number, rather than one


def _as_they_are(sums: Tensor) -> Tensor:
    return sums


REDUCTIONS = {
    "mean": Reduction(torch.mean, adds=True, divides=True),
    "sum": Reduction(torch.sum, adds=True, divides=False),
    "none": Reduction(_as_they_are, adds=False, divides=False),
}


def reduction_of(name: str) -> Reduction:
    return REDUCTIONS[_check.choice("reduction", name, tuple(REDUCTIONS))]
