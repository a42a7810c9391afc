"""fastspec: nonuniform Fourier transforms and frequency-weighted losses, to measure and cure spectral bias."""

from . import reference
from .nufft import Plan, nufft1, nufft2, rnufft1, rnufft2

__all__ = ["Plan", "nufft1", "nufft2", "reference", "rnufft1", "rnufft2"]
