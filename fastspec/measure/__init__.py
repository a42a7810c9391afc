"""Measuring spectral bias: which frequencies a network has learnt, and when."""

from .filter import filter_error, gaussian_filter
from .monitor import SpectralMonitor
from .peaks import dominant_frequencies, spectral_peaks

__all__ = ["SpectralMonitor", "dominant_frequencies", "filter_error", "gaussian_filter", "spectral_peaks"]
