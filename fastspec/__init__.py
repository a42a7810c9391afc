"""fastspec: nonuniform Fourier transforms and frequency-weighted losses, to measure and cure spectral bias."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import measure, nn, precondition, reference, theory, walsh, weights
from ._box import PeriodWarning
from ._core.planning import override
from ._data import PrecisionWarning
from ._version import __version__ as __version__
from .diagnosis import Diagnosis, diagnose
from .loss import BandWarning, SpectralLoss, spectral_loss
from .measure import SpectralMonitor, spectrum
from .nufft import nufft1, nufft2, nufft3, rnufft1, rnufft2
from .plan import Plan
from .reporting import report

if TYPE_CHECKING:
    from . import callbacks as callbacks

__all__ = [
    "BandWarning",
    "Diagnosis",
    "PeriodWarning",
    "Plan",
    "PrecisionWarning",
    "SpectralLoss",
    "SpectralMonitor",
    "callbacks",
    "diagnose",
    "measure",
    "nn",
    "nufft1",
    "nufft2",
    "nufft3",
    "override",
    "precondition",
    "reference",
    "report",
    "rnufft1",
    "rnufft2",
    "spectral_loss",
    "spectrum",
    "theory",
    "walsh",
    "weights",
]


def __getattr__(name: str) -> Any:
    """What needs more than torch is imported when it is asked for."""
    if name == "callbacks":
        return import_module(".callbacks", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
