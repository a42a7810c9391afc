"""The ops that Triton does on CUDA: exponential sums, direct sums on modes, and Gaussian filters.

Each file has functions with the signatures of the ops in csrc/ that they implement. Triton itself is imported when the
first of them runs.
"""

import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import library as torch_library

HOMES = {
    "exponential_sums": "exponential_sums",
    "exponential_sums_real": "exponential_sums",
    "exponential_sums_gradient": "exponential_sums",
    "direct_type1": "direct",
    "direct_type2": "direct",
    "direct_type2_gradient": "direct",
    "gaussian_filter": "gaussian",
    "gaussian_filter_gradient": "gaussian",
    "gaussian_filter_rounded": "gaussian_rounded",
}


def register() -> torch_library.Library | None:
    """Makes these the CUDA kernels of their ops; the library returned must be kept. None without Triton."""
    if find_spec("triton") is None:
        if torch.cuda.is_available():
            warnings.warn(
                "fastspec: Triton is not installed (pip install triton), so direct sums and Gaussian filters run in "
                "plain torch on CUDA, more slowly",
                RuntimeWarning,
                stacklevel=2,
            )
        return None
    library = torch_library.Library("fastspec", "IMPL")
    for name, home in HOMES.items():
        library.impl(name, _on_its_device(name, home), "CUDA")
    return library


def _on_its_device(name: str, home: str) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        with torch.cuda.device_of(args[0]):
            return getattr(import_module(f"{__name__}.{home}"), name)(*args)

    return call
