"""Lightning: ``Trainer(callbacks=[fs.callbacks.Lightning(monitor)])``."""

import sys
from typing import Any

from .watching import Watching

# Who trains by the older name has not imported the newer one, and each trainer knows its own package's callbacks.
if "pytorch_lightning" in sys.modules and "lightning.pytorch" not in sys.modules:
    from pytorch_lightning import Callback
else:
    from lightning.pytorch import Callback


class Lightning(Watching, Callback):  # type: ignore[misc]
    """A monitor as a callback of Lightning's trainer; checkpoints hold its record. On several ranks the first records.

    Args, attributes: those of :class:`fastspec.callbacks.watching.Watching`, which all callbacks share.
    """

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self._record(trainer, pl_module)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *of_the_batch: Any) -> None:
        self._record(trainer, pl_module)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        self._record(trainer, pl_module, always=True)
        if trainer.is_global_zero:
            self.draw()

    def _record(self, trainer: Any, module: Any, always: bool = False) -> None:
        if trainer.is_global_zero:
            self.record(trainer.global_step, module, always=always)

    def state_dict(self) -> dict[str, Any]:
        return {"monitor": self.monitor.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.monitor.load_state_dict(state_dict["monitor"])
