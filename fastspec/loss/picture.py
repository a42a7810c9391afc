"""What a notebook shows of a loss: how much the error of each frequency counts."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .._notebook import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_DRAWN = 2**20  # wavenumbers
_DOTS = 2**14
_WIDE = 30.0  # a range of weights that needs a logarithmic axis


def draw_weight(k: Tensor, values: Tensor, period: Sequence[float]) -> "Figure":
    """The weight over the size of the frequency k / period, of wavenumbers ``(..., d)`` and values ``(...)``."""
    angular = all(math.isclose(p, 2 * math.pi, rel_tol=1e-6) for p in period)
    units = torch.ones(len(period)) if angular else torch.tensor(period)
    size = (k.detach().cpu().double() / units).norm(dim=-1).flatten()
    order = size.argsort()
    order = order[:: -(-len(order) // _DOTS)]
    figure = new_figure(5.0, 2.6)
    axes = figure.add_subplot()
    weight = values.detach().cpu().double().flatten()
    axes.plot(size[order].numpy(), weight[order].numpy(), ".-" if k.shape[-1] == 1 else ".", markersize=3)
    if bool((weight > 0).all()) and weight.max() > _WIDE * weight.min():
        axes.set_yscale("log")
    elif bool((weight >= 0).all()):
        axes.set_ylim(bottom=0)
    axes.set(xlabel="wavenumber |k|" if angular else "frequency (cycles per unit of x)", ylabel="weight")
    return figure
