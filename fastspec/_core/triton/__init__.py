"""The ops that Triton does on CUDA: direct sums, Gaussian filters, and the loss's pass between its FFTs.

Each file has functions with the signatures of the ops in csrc/ that they implement. Triton itself is imported when the
first of them runs.
"""

import warnings
from importlib import import_module
from importlib.util import find_spec

import torch
from torch import library as torch_library

HOMES = {
    "weigh": "weigh",
    "weigh_copy": "weigh",
    "direct": "direct",
    "direct_real": "direct",
    "direct_gradient": "direct",
    "direct_type1": "separable",
    "direct_type2": "separable",
    "direct_type2_gradient": "separable",
    "gaussian_filter": "filter",
    "gaussian_filter_gradient": "filter",
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
        with warnings.catch_warnings():  # of the C++ kernels that it replaces
            warnings.simplefilter("ignore", UserWarning)
            library.impl(name, _on_its_device(name, home), "CUDA")
    return library


def _on_its_device(name: str, home: str):
    def call(*args):
        with torch.cuda.device_of(args[0]):
            return getattr(import_module(f"{__name__}.{home}"), name)(*args)

    return call
