"""Preconditioning over frequencies: of the gradient under any loss, of residuals, and the weight that evens rates."""

from .kernel import Kernel, kernel
from .quadrature import Quadrature, quadrature
from .residual import EnergyNorm, RandomPointsWarning, residual
from .spectral import spectral
from .whitening import CriticalRateWarning, Whitening, check_weight, critical_exponent, whitening_weight

__all__ = [
    "CriticalRateWarning",
    "EnergyNorm",
    "Kernel",
    "Quadrature",
    "RandomPointsWarning",
    "Whitening",
    "check_weight",
    "critical_exponent",
    "kernel",
    "quadrature",
    "residual",
    "spectral",
    "whitening_weight",
]
