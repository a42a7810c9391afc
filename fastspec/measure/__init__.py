"""Measuring spectral bias: which frequencies a network has learnt, and when."""

from .aliases import AliasReport, alias_report
from .directions import projection
from .filter import filter_error, gaussian_filter
from .kernel import kernel_exponent
from .monitor import SpectralMonitor
from .peaks import dominant_frequencies, spectral_peaks
from .rates import decay_exponent, ntk_rates

__all__ = [
    "AliasReport",
    "SpectralMonitor",
    "alias_report",
    "decay_exponent",
    "dominant_frequencies",
    "filter_error",
    "gaussian_filter",
    "kernel_exponent",
    "ntk_rates",
    "projection",
    "spectral_peaks",
]
