"""What all callbacks share: when to record, how to ask a network, and the picture at the end."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .._files import PathLike
from ..measure import SpectralMonitor
from ..measure.asking import called, evaluating, output_of

Predict = Callable[[Any, Any], Tensor]


class Watching:
    """Has a monitor record a model every so many steps of its training.

    The model is asked at the monitor's points, in evaluation mode and without gradients, before the first step, every
    ``every`` steps and after the last.

    Args:
        monitor: of the points and the target; ``monitor.log_to`` sends its errors on to where you track experiments.
        every: steps between records.
        inputs: what the model is given, in place of the monitor's points ``(M, d)``: for one that takes them scaled, or
            in another form. A tensor, or what ``predict`` takes.
        predict: ``(model, inputs) -> Tensor`` where the model is not simply called, or returns neither a tensor nor
            something with ``logits`` or a tensor first.
        picture: image file of the monitor's heatmap, written when training ends.

    Attributes:
        monitor: the one given; ``callback.monitor.plot()`` at any time.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """

    def __init__(
        self,
        monitor: SpectralMonitor,
        *,
        every: int = 1,
        inputs: Any = None,
        predict: Predict | None = None,
        picture: PathLike | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(monitor, SpectralMonitor):
            raise TypeError(f"monitor: was {type(monitor).__name__}, must be a SpectralMonitor")
        if not isinstance(every, int) or every < 1:
            raise ValueError(f"every: was {every!r}, must be an int of at least 1")
        self.monitor, self.every, self.inputs = monitor, every, inputs
        self.predict, self.picture = predict, picture

    def record(self, step: int, model: Any, *, always: bool = False) -> None:
        """If it is due, or in any case, but a step only once."""
        steps = self.monitor.steps
        if not steps or step - steps[-1] >= (1 if always else self.every):
            self.monitor.update(step, self.asked(model).to(self.monitor.x.device))

    def asked(self, model: Any) -> Tensor:
        """The model's output at the monitor's points."""
        inputs = self.monitor.x if self.inputs is None else self.inputs
        with evaluating(model), torch.no_grad():
            if self.predict is not None:
                return self.predict(model, inputs)
            return output_of(called(model, inputs))

    def draw(self) -> None:
        """The picture, where one is wanted and there is something to draw."""
        if self.picture is not None and self.monitor.steps:
            self.monitor.plot(self.picture)
