"""DeepXDE: ``model.train(..., callbacks=[fs.callbacks.DeepXDE(monitor)])``, with any of its backends."""

from typing import Any

import torch
from deepxde.callbacks import Callback
from torch import Tensor

from .watching import Watching


class DeepXDE(Watching, Callback):  # type: ignore[misc]
    """A monitor of a known solution as a callback of DeepXDE; the model is asked by its own ``predict``.

    Args, attributes: those of :class:`fastspec.callbacks.watching.Watching`, which all callbacks share.
    """

    def on_train_begin(self) -> None:
        self.record(self._step, self.model)

    def on_epoch_end(self) -> None:
        self.record(self._step, self.model)

    def on_train_end(self) -> None:
        self.record(self._step, self.model, always=True)
        self.draw()

    @property
    def _step(self) -> int:
        return int(self.model.train_state.step)

    def asked(self, model: Any) -> Tensor:
        if self.predict is not None:
            return super().asked(model)
        points = self.monitor.x if self.inputs is None else self.inputs
        return torch.as_tensor(model.predict(points.cpu().numpy() if isinstance(points, Tensor) else points))
