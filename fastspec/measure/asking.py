"""What a model answers at points, of whatever it is made: in evaluation mode, on its own device, as one tensor."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from .. import _check


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """In evaluation mode, each module as it was afterwards."""
    before = [module for module in model.modules() if module.training] if isinstance(model, nn.Module) else []
    try:
        if before:
            model.eval()
        yield
    finally:
        for module in before:
            module.training = True


def called(model: Any, inputs: Any) -> Any:
    """On the device and in the precision of the model's parameters; a mapping is given by name."""
    if isinstance(inputs, dict):
        return model(**{name: _like_parameters(value, model) for name, value in inputs.items()})
    return model(_like_parameters(inputs, model))


def _like_parameters(value: Any, model: Any) -> Any:
    parameter = next(iter(model.parameters()), None) if isinstance(model, nn.Module) else None
    if not isinstance(value, Tensor) or parameter is None:
        return value
    return value.to(parameter.device, parameter.dtype if value.is_floating_point() else value.dtype)


def output_of(returned: Any) -> Tensor:
    """A tensor of what a model returned: itself, its ``logits``, or the first of several."""
    if not isinstance(returned, Tensor):
        found = getattr(returned, "logits", None)
        returned = found if found is not None else returned[0] if isinstance(returned, (tuple, list)) else returned
    _check.tensor("the model's output, unless predict is given", returned)
    output: Tensor = returned
    return output
