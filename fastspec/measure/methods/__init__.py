"""What a monitor can look at, one file a method: to add one, write its file and list it here."""

from collections.abc import Callable

from .filter import Filter
from .frequencies import Frequencies
from .method import Frequency, Method, Request
from .nufft import Nufft
from .projection import Projection

METHODS: dict[str, Callable[[Request], Method]] = {
    method.name: method for method in (Nufft, Projection, Filter, Frequencies)
}

__all__ = ["METHODS", "Frequency", "Method", "Request"]
