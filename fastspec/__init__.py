"""fastspec: nonuniform Fourier transforms and frequency-weighted losses, to measure and cure spectral bias."""

from . import measure, nn, precondition, reference, theory, walsh, weights
from ._core.planning import override
from ._version import __version__ as __version__
from .loss import SpectralLoss, spectral_loss
from .measure import SpectralMonitor
from .nufft import nufft1, nufft2, nufft3, rnufft1, rnufft2
from .plan import Plan

__all__ = [
    "Plan",
    "SpectralLoss",
    "SpectralMonitor",
    "measure",
    "nn",
    "nufft1",
    "nufft2",
    "nufft3",
    "override",
    "precondition",
    "reference",
    "rnufft1",
    "rnufft2",
    "spectral_loss",
    "theory",
    "walsh",
    "weights",
]
