"""Preconditioning over frequencies: of the gradient under any loss, and the weight that evens a model's rates."""

from .kernel import Kernel, kernel
from .quadrature import quadrature
from .spectral import spectral
from .whitening import CriticalRateWarning, Whitening, check_weight, critical_exponent, whitening_weight

__all__ = [
    "CriticalRateWarning",
    "Kernel",
    "Whitening",
    "check_weight",
    "critical_exponent",
    "kernel",
    "quadrature",
    "spectral",
    "whitening_weight",
]
