"""Transformers: ``Trainer(..., callbacks=[fs.callbacks.HuggingFace(monitor)])``."""

from typing import Any

from transformers import TrainerCallback

from .watching import Watching


class HuggingFace(Watching, TrainerCallback):  # type: ignore[misc]
    """A monitor as a callback of the trainer of transformers. On several ranks the first records.

    Args, attributes: those of :class:`fastspec.callbacks.watching.Watching`, which all callbacks share.
    """

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        self._record(state, given)

    def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        self._record(state, given)

    def on_train_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        self._record(state, given, always=True)
        if state.is_world_process_zero:
            self.draw()

    def _record(self, state: Any, given: dict[str, Any], always: bool = False) -> None:
        if state.is_world_process_zero:
            self.record(state.global_step, given["model"], always=always)
