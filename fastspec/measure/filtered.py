"""The monitor's errors of a target's low and high part under Gaussian filters."""

import math

import torch
from torch import Tensor

from .. import _check


class FilterErrors:
    """From a residual (M, C) to e_low of each width, then e_high of each, (2D,)."""

    def __init__(self, x: Tensor, target: Tensor, deltas: Tensor, peaks):
        if target.is_complex():
            raise TypeError(f"target: dtype was {target.dtype}, must be real for method 'filter'")
        if peaks is not None:
            raise ValueError("peaks: was given, must be None for method 'filter'")
        _check.tensor("modes", deltas)
        if deltas.ndim != 1 or len(deltas) == 0 or not bool((deltas > 0).all()):
            raise ValueError("modes: must be positive widths δ, (D,), for method 'filter'")
        self.x, self.target, self.deltas = x, target, deltas.detach().cpu()
        cut_off = 1 / (2 * math.pi * self.deltas.double().sqrt())
        self.frequencies = torch.cat([cut_off, cut_off])[:, None]

    def __call__(self, residual: Tensor) -> Tensor:
        from .. import measure

        widths = self.deltas.to(self.x)
        return torch.cat(measure.filter_error(self.x, self.target + residual, self.target, widths))
