"""Spectral losses: a weighted sum over wavenumbers of the squared error spectrum of scattered data."""

from .band import BandWarning
from .spectral import SpectralLoss, spectral_loss
from .weighing import Weight

__all__ = ["BandWarning", "SpectralLoss", "Weight", "spectral_loss"]
