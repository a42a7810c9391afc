"""The first and the last layer of a model that others made: which they are, and the coordinates that the first sees."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..measure.asking import evaluating

Layer = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d

_KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
_AFFINE = 1e-4  # relative


class _Found(Exception):
    """Ends the model's call."""


def first_layer(model: nn.Module, x: Tensor) -> tuple[str, Layer, Tensor]:
    """Name, layer and its inputs, of the first module with parameters of its own that a call of the model calls.

    Raises:
        ValueError: where that is no linear or convolutional layer, or the model calls none.
    """
    seen: list[tuple[nn.Module, Tensor]] = []

    def keep(module: nn.Module, given: tuple[Any, ...]) -> None:
        seen.append((module, given[0].detach()))
        raise _Found

    own = [m for m in model.modules() if next(m.parameters(recurse=False), None) is not None]
    hooks = [module.register_forward_pre_hook(keep) for module in own]
    try:
        with torch.no_grad():
            model(x)
    except _Found:
        pass
    finally:
        for hook in hooks:
            hook.remove()
    if not seen:
        raise ValueError("model: called no layer with parameters, must begin with a linear or convolutional one")
    layer, z = seen[0]
    if not isinstance(layer, _KINDS):
        raise ValueError(
            f"model: its first layer was a {type(layer).__name__}, must be linear or convolutional (1-D to 3-D)"
        )
    name = next(name for name, module in model.named_modules() if module is layer)
    return name, layer, z


def last_layer(model: nn.Module, x: Tensor) -> tuple[str, Layer] | None:
    """Name and layer whose values a model returns as they are, but for their shape; None where it does more to them, as
    the factor of a boundary condition."""
    seen: list[tuple[nn.Module, Tensor]] = []
    hooks = [
        module.register_forward_hook(lambda module, _, values: seen.append((module, values.detach())))
        for module in model.modules()
        if isinstance(module, _KINDS)
    ]
    try:
        with torch.no_grad(), evaluating(model):
            out = model(x[:2])
    finally:
        for hook in hooks:
            hook.remove()
    for layer, values in reversed(seen):
        if isinstance(out, Tensor) and torch.equal(values.flatten(), out.flatten()):
            return next(name for name, module in model.named_modules() if module is layer), layer  # type: ignore[return-value]
    return None


def refuse_images(layer: Layer, x: Tensor) -> None:
    """Where a convolution wider than a point goes over (B, d, ...) that are no coordinates.

    Raises:
        ValueError: then; coordinates rise, or fall, along an axis.
    """
    if isinstance(layer, nn.Linear) or max(layer.kernel_size) == 1:
        return
    for channel in x.unbind(1):
        slopes = [channel.diff(dim=axis) for axis in range(1, channel.ndim)]
        if not any(slope.numel() and bool((slope > 0).all() or (slope < 0).all()) for slope in slopes):
            raise ValueError(
                "x: was an image of values, which a convolution goes over, must be one of coordinates, each of which"
                " rises or falls along an axis: the frequencies of data are those of places, not of what is there"
            )


class Coordinates(NamedTuple):
    """Points as the user gives them and as a layer sees them, rows beside each other."""

    x: Tensor  # (M, d), or those of z where that is no affine map of them
    z: Tensor  # (M, e)
    matrix: Tensor  # float64 (d, e): z = x matrix + a constant

    def taken_to_layer(self, frequencies: Tensor) -> Tensor:
        """Cycles per unit of x, (n, d), to cycles per unit of z, (n, e)."""
        taken: Tensor = torch.linalg.lstsq(self.matrix, frequencies.mT).solution
        return taken.mT


def rows_of(x: Tensor, y: Tensor, z: Tensor, layer: Layer) -> tuple[Coordinates, Tensor]:
    """Coordinates and values (M, C)."""
    if not isinstance(y, Tensor) or not y.is_floating_point():
        was = y.dtype if isinstance(y, Tensor) else type(y).__name__
        raise TypeError(f"y: was {was}, must be a real tensor")
    convolved = not isinstance(layer, nn.Linear)
    if y.ndim == x.ndim - 1 or y.ndim == 1:
        y = y[:, None] if convolved else y[..., None]
    if convolved:
        x, y, z = (t.movedim(1, -1) for t in (x, y, z))
    given = x[..., None] if x.ndim == 1 else x
    if not y.shape[:-1] == z.shape[:-1] == given.shape[:-1]:
        raise ValueError(
            f"y: shape was {tuple(y.shape)}, must have a value at each of the points that the first layer sees,"
            f" {tuple(z.shape)}"
        )
    given, z, y = (t.reshape(-1, t.shape[-1]) for t in (given, z, y))
    return _related(given, z), y


def _related(x: Tensor, z: Tensor) -> Coordinates:
    left, right = (t - t.mean(0) for t in (x.double(), z.double()))
    matrix = torch.linalg.lstsq(left, right).solution
    if (left @ matrix - right).norm() <= _AFFINE * right.norm():
        return Coordinates(x, z, matrix)
    return Coordinates(z, z, torch.eye(z.shape[1], dtype=torch.float64, device=z.device))
