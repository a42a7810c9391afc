"""Measuring spectral bias: which frequencies a network has learnt, and when."""

from .aliases import AliasReport, alias_report
from .directions import projection
from .filter import filter_error, gaussian_filter
from .kernel import kernel_exponent
from .lines import InsignificantWarning, Lines
from .monitor import SpectralMonitor
from .peaks import dominant_frequencies, spectral_peaks
from .rates import decay_exponent, ntk_rates
from .spectrum import Spectrum, spectrum

__all__ = [
    "AliasReport",
    "InsignificantWarning",
    "Lines",
    "SpectralMonitor",
    "Spectrum",
    "alias_report",
    "decay_exponent",
    "dominant_frequencies",
    "filter_error",
    "gaussian_filter",
    "kernel_exponent",
    "ntk_rates",
    "projection",
    "spectral_peaks",
    "spectrum",
]
