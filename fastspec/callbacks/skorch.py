"""skorch: ``NeuralNetRegressor(..., callbacks=[fs.callbacks.Skorch(monitor)])``."""

from typing import Any

from skorch.callbacks import Callback

from .watching import Watching


class Skorch(Watching, Callback):  # type: ignore[misc]
    """A monitor as a callback of a skorch net. Steps are batches trained on, over all calls of ``fit``.

    Args, attributes: those of :class:`fastspec.callbacks.watching.Watching`, which all callbacks share.
    """

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **given: Any) -> None:
        self.step_ = self.monitor.steps[-1] if self.monitor.steps else 0
        self.record(self.step_, net.module_)

    def on_batch_end(self, net: Any, batch: Any = None, training: bool | None = None, **given: Any) -> None:
        if training:
            self.step_ += 1
            self.record(self.step_, net.module_)

    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **given: Any) -> None:
        self.record(self.step_, net.module_, always=True)
        self.draw()
