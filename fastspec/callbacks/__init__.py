"""A monitor, and its picture, in a trainer that you already use: one line in its list of callbacks.

    trainer = lightning.Trainer(callbacks=[fs.callbacks.Lightning(fs.SpectralMonitor(x, y, 64), picture="errors.png")])

One file a trainer; each is imported when it is asked for, and needs the package it is for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .deepxde import DeepXDE
    from .huggingface import HuggingFace
    from .lightning import Lightning
    from .skorch import Skorch

__all__ = ["DeepXDE", "HuggingFace", "Lightning", "Skorch"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f".{name.lower()}", __name__), name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{error}: pip install 'fastspec-torch[{name.lower()}]'", name=error.name) from error


def __dir__() -> list[str]:
    return __all__
