"""A network that you have, started at the frequencies of your data."""

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn

from .._core.plain import exact
from .._data import Given, as_held, for_model, points
from ..measure.fits import polynomials
from ..measure.lines import Lines
from ..tangent import outside_of_modes
from .data import TREND, lines_of
from .first_layer import Layer, first_layer, last_layer, refuse_images, rows_of
from .standard import InUnits, Standard

KINDS = ("auto", "phases", "features", "sines")
_FEATURES = 128
_CYCLE = 0.5  # per unit of coordinates in [-1, 1]: one over the extent, the least bandwidth of random features
_TRIED, _HELD_OUT, _RIDGE = 2048, 4, 1e-3  # points of the choice, one of so many held out, of the columns' mean square


class Phases(nn.Module):
    """A layer W u + b that is given phases beside its coordinates: W u + b + V [cos 2πBu, sin 2πBu] / size.

    Args:
        layer: W and b, linear or convolutional.
        standard: takes the layer's coordinates to u, in [-1, 1].
        frequencies: B, ``(n, d)``, cycles per unit of u.
        order: of the differential operator of a loss. size = (1 + |2πB|)^(order/2), so that a high frequency is not as
            many times louder in the operator's values.

    Shapes: as of the layer.
    """

    B: Tensor
    size: Tensor

    def __init__(self, layer: Layer, standard: Standard, frequencies: Tensor, order: float = 0.0):
        super().__init__()
        self.standard, self.layer = standard, layer
        self.register_buffer("B", frequencies.to(layer.weight))
        size = (1 + 2 * math.pi * self.B.norm(dim=1)) ** (order / 2)
        self.register_buffer("size", torch.cat([size, size]))
        self.phases = _like(layer, 2 * len(self.B)).to(layer.weight) if len(self.B) else None

    def forward(self, z: Tensor) -> Tensor:
        axis = -1 if isinstance(self.layer, nn.Linear) else 1
        u = self.standard(z.movedim(axis, -1))
        values: Tensor = self.layer(u.movedim(-1, axis))
        return values if self.phases is None else values + self.phases(self._waves(u).movedim(-1, axis))

    @exact
    def _waves(self, u: Tensor) -> Tensor:
        phase = 2 * math.pi * u.to(self.B) @ self.B.mT
        return torch.cat([phase.cos(), phase.sin()], -1) / self.size

    def extra_repr(self) -> str:
        return f"frequencies={len(self.B)}"


class Sines(nn.Module):
    """sin(Wu + b), a quarter of the units as they were, the others at the frequencies ± half a cycle over the extent.

    Args:
        layer: linear; W and b are trained on.
        standard, frequencies: as in :class:`Phases`.
    """

    def __init__(self, layer: nn.Linear, standard: Standard, frequencies: Tensor):
        super().__init__()
        self.standard, self.layer = standard, layer
        kept = len(layer.weight) // 4
        with torch.no_grad():
            if layer.bias is None:
                layer.bias = nn.Parameter(layer.weight.new_empty(len(layer.weight)))
            layer.bias.uniform_(0, 2 * math.pi)
            if len(frequencies):
                moved = frequencies.to(layer.weight)[torch.arange(len(layer.weight) - kept) % len(frequencies)]
                moved = moved + _CYCLE / 2 * (2 * torch.rand_like(moved) - 1)
                layer.weight[kept:] = 2 * math.pi * moved

    @exact
    def forward(self, z: Tensor) -> Tensor:
        return torch.sin(self.layer(self.standard(z)))


def retune(
    model: nn.Module,
    x: Given,
    y: Given,
    *,
    kind: str = "auto",
    order: float = 0.0,
    n_frequencies: int | None = None,
    max_frequency: float | None = None,
    inplace: bool = False,
) -> nn.Module:
    """The same network, unchanged from its second layer on, started at the frequencies of the data.

    Where a network's kernel holds nothing at a frequency no preconditioner helps; this does. The first linear or
    convolutional layer that the model calls is looked for by calling it, the data's significant lines
    (:func:`fastspec.spectrum`) are taken to that layer's own coordinates, and it is given, standardised to [-1, 1],

    - ``"phases"``: cosines and sines of exactly these lines beside its coordinates, by further weights;
    - ``"features"``: the same of 128 random frequencies, normal with the bandwidth of the lines (arXiv 2006.10739);
    - ``"sines"``: frequencies that are trained: W at those of the lines, and a sine before the layer's own activation.

    ``"auto"`` takes features where least squares on 128 of them tell values held out better than on the lines, by more
    than that difference is sure to, else phases: a picture has a spectrum but no lines.

    Where the model returns its last layer's values as they are, these get the mean and the standard deviation of y, so
    that neither the units of x nor those of y matter.

    An equation's source has the frequencies of its solution: for a network that is trained on a linear operator's
    values pass the source as y and the operator's order, 2 for the Laplacian; the source's units are not the model's.

    Measured on the tanh networks of benchmarks/studies/cure by Adam at 7e-3, all tracked frequencies within 10 %: sines
    to k = 40 after 30 to 50 steps (4,160 as it was), CO2 after 40 to 60 (never), five seeds each.

    Args:
        model: whose first layer sees coordinates: points ``(M, d)``, ``(M,)`` or, of a convolution, ``(B, d, ...)``.
            They may be standardised, or mapped otherwise, by the model before.
        x: points as the model takes them: a tensor, or an array, a Series or times (days since 1970), which are given
            to it in the precision of its parameters.
        y: values there, in the shape of the model's outputs, alike; integers are classes, and no values.
        kind: one of the above.
        order: of the operator whose values y are.
        n_frequencies: at most so many lines; default as many as are significant, at most 16.
        max_frequency: search no further than this, in cycles per unit of x; to be given for d > 3.
        inplace: change the model itself.

    Returns:
        The new model, or with ``inplace`` the model.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be; where no first layer is found.

    Example::

        new = fs.nn.retune(model, x, y)
        optimizer = torch.optim.Adam(new.parameters(), 1e-3)
    """
    if kind not in KINDS:
        raise ValueError(f"kind: was {kind!r}, must be one of {', '.join(map(repr, KINDS))}")
    if isinstance(order, bool) or not isinstance(order, (int, float)) or not 0 <= order < math.inf:
        raise ValueError(f"order: was {order!r}, must be a finite number, at least 0")
    if not isinstance(model, nn.Module):
        raise TypeError(f"model: was {type(model).__name__}, must be an nn.Module")
    model = model if inplace else copy.deepcopy(model)
    x, y = for_model(points("x", x), x, model), as_held("y", y)
    with outside_of_modes(x.device):
        name, layer, z = first_layer(model, x)
        refuse_images(layer, x)
        last = last_layer(model, x if z.dtype == layer.weight.dtype else x.to(layer.weight)) if order == 0 else None
    coordinates, values = rows_of(x, y, z, layer)
    lines = lines_of(coordinates.x, values, n_frequencies, max_frequency)
    standard = Standard(coordinates.z.shape[1]).fit(coordinates.z).to(layer.weight)
    frequencies = coordinates.taken_to_layer(lines.frequency) * standard.scale
    new = _started(
        layer, standard, frequencies, chosen_kind(coordinates.x, values, lines) if kind == "auto" else kind, order
    )
    model = _with(model, name, new)
    return model if last is None else _in_units_of(values, model, *last)


def _with(model: nn.Module, name: str, layer: nn.Module) -> nn.Module:
    """The layer in the place of that name."""
    if not name:
        return layer
    parent, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(parent), leaf, layer)
    return model


def _in_units_of(values: Tensor, model: nn.Module, name: str, layer: Layer) -> nn.Module:
    """Of values (M, C), where the last layer has as many channels."""
    if len(layer.weight) != values.shape[1]:
        return model
    standard = Standard(values.shape[1]).fit_values(values).to(layer.weight)
    axis = -1 if isinstance(layer, nn.Linear) else 1
    return _with(model, name, InUnits(model.get_submodule(name), standard, axis))


def chosen_kind(x: Tensor, y: Tensor, lines: Lines) -> str:
    """What ``"auto"`` means for data (M, d) and (M, C) of these lines: features where least squares on them tell values
    held out better than on the lines, by more than a standard error of the difference (Breiman et al. 1984, section
    3.4.3: of two that cannot be told apart the simpler)."""
    if len(lines) == 0:
        return "phases"
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randperm(len(x), generator=generator)[:_TRIED].to(x.device)
    held = len(drawn) // _HELD_OUT
    x, y = x[drawn].double(), y[drawn].double()
    standard = Standard(x.shape[1]).fit(x)
    u, frequencies = standard(x), lines.frequency.to(x) * standard.scale
    of_lines, of_features = (_held_out(u, y, waves, held) for waves in (frequencies, _random(frequencies, generator)))
    gain = of_lines - of_features
    return "features" if gain.mean() > gain.std() / math.sqrt(held) else "phases"


def _held_out(u: Tensor, y: Tensor, frequencies: Tensor, held: int) -> Tensor:
    """Squared errors (held,) at the first points, of a trend and waves fitted to the others with a ridge."""
    phase = 2 * math.pi * u @ frequencies.mT
    columns = torch.cat([polynomials(u, TREND), phase.cos(), phase.sin()], 1)
    fitted = columns[held:]
    gram = fitted.mT @ fitted
    gram.diagonal().add_(_RIDGE * gram.diagonal().mean())
    coefficients = torch.linalg.solve(gram, fitted.mT @ y[held:])
    errors: Tensor = (columns[:held] @ coefficients - y[:held]).square().sum(1)
    return errors


def _random(frequencies: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """128 frequencies, normal with the bandwidth of those given, no less than a cycle over the extent."""
    spread = frequencies.square().mean(0).sqrt().clamp_min(_CYCLE)
    return torch.randn(_FEATURES, len(spread), generator=generator).to(spread) * spread


def _started(layer: Layer, standard: Standard, frequencies: Tensor, kind: str, order: float) -> nn.Module:
    if kind == "phases" or len(frequencies) == 0:
        return Phases(layer, standard, frequencies, order)
    if kind == "features":
        return Phases(layer, standard, _random(frequencies), order)
    if not isinstance(layer, nn.Linear):
        raise ValueError(f"kind: was 'sines', must be 'phases' or 'features' for a {type(layer).__name__}")
    return Sines(layer, standard, frequencies)


def _like(layer: Layer, inputs: int) -> nn.Module:
    """A layer of the same outputs on other inputs, without a bias."""
    if isinstance(layer, nn.Linear):
        return nn.Linear(inputs, layer.out_features, bias=False)
    same: dict[str, Any] = {
        name: getattr(layer, name) for name in ("kernel_size", "stride", "padding", "dilation", "padding_mode")
    }
    made: type[nn.Module] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}[layer.weight.ndim - 2]
    return made(inputs, layer.out_channels, bias=False, **same)
