"""The errors of a target's low and high part under Gaussian filters."""

import math
from typing import Any

import torch
from torch import Tensor

from ... import _check
from ..classes import padded
from ..filter import filter_error
from .method import Frequency, Method, Request


class Filter(Method):
    """e_low of each width, then e_high of each: (2D,)."""

    name = "filter"

    deltas: Tensor

    def __init__(self, request: Request):
        if request.bands is not None:
            raise ValueError("bands: were given, must be None where method is 'filter', whose widths are its bands")
        super().__init__(request, request.x.shape[1])
        if request.target.is_complex():
            raise TypeError(f"target: dtype was {request.target.dtype}, must be real for method 'filter'")
        if request.peaks is not None:
            raise ValueError("peaks: was given, must be None for method 'filter'")
        self.deltas = _checked_widths(request.modes)
        self._x, self._target = request.x, request.target
        cut_off = 1 / (2 * math.pi * self.deltas.double().sqrt())
        self.wavenumbers = self.frequencies = torch.cat([cut_off, cut_off])[:, None]

    def errors(self, residual: Tensor) -> Tensor:
        target = padded(self._target, residual.shape[1])
        return torch.cat(filter_error(self._x, target + residual, target, self.deltas.to(self._x)))

    def names(self) -> list[Frequency]:
        cut_offs = self.frequencies.flatten().tolist()[: len(self.deltas)]
        return [(part, cut_off) for part in ("low", "high") for cut_off in cut_offs]

    def axis_label(self, unit: str | None) -> str:
        return f"cut-off (cycles per {unit or 'unit of x'})"


def _checked_widths(deltas: Any) -> Tensor:
    _check.tensor("modes", deltas)
    if deltas.ndim != 1 or len(deltas) == 0 or not bool(((deltas > 0) & deltas.isfinite()).all()):
        raise ValueError("modes: must be positive and finite widths δ, (D,), for method 'filter'")
    out: Tensor = deltas.detach().cpu()
    return out
