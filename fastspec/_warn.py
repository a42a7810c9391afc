"""Warnings that point at the user's own line, so that each line is warned of once."""

import contextlib
import sys
import warnings
from pathlib import Path

import torch

_OURS = (str(Path(__file__).parent), str(Path(torch.__file__).parent), contextlib.__file__)


def warn(message: str, category: type[Warning]) -> None:
    """As warnings.warn, at the line outside of fastspec, torch and contextlib that led here."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
