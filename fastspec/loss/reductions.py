"""How a loss reduces the sums of its rows, the members of the batch and channels: one object each."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Reduction(NamedTuple):
    apply: Callable[[Tensor], Tensor]
    share: Callable[[int], float] | None  # of each row, given their number, where it is a sum of shares; else None


REDUCTIONS = {
    "mean": Reduction(torch.mean, lambda rows: 1 / rows),
    "sum": Reduction(torch.sum, lambda rows: 1.0),
    "none": Reduction(lambda sums: sums, None),
}


def reduction(name: str) -> Reduction:
    if name not in REDUCTIONS:
        raise ValueError(f"reduction: was {name!r}, must be 'mean', 'sum' or 'none'")
    return REDUCTIONS[name]
