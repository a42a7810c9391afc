"""Measuring spectral bias: which frequencies a network has learnt, and when."""

from .monitor import SpectralMonitor
from .peaks import dominant_frequencies, spectral_peaks

__all__ = ["SpectralMonitor", "dominant_frequencies", "spectral_peaks"]
