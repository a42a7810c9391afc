"""The Walsh-Hadamard transform, the Fourier transform of functions of bits, and regularisers made of it."""

from .regularizers import FullRegularizer, HashedRegularizer
from .sparse import SparseRegularizer, SparseTransform
from .spectrum import cube, degrees, spectrum_by_degree
from .transform import fwht

__all__ = [
    "FullRegularizer",
    "HashedRegularizer",
    "SparseRegularizer",
    "SparseTransform",
    "cube",
    "degrees",
    "fwht",
    "spectrum_by_degree",
]
