"""One self-contained page about data and a model of them."""

from .report import report

__all__ = ["report"]
