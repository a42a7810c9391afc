"""What theory predicts of training: the linear frequency principle, minimum-norm interpolation, momentum."""

from .._lfp import lfp_rate
from .damping import critical_damping, effective_rates
from .interpolant import MinNormInterpolant, min_norm_interpolant
from .lfp import lfp_evolution
from .momentum import heavy_ball_rates, momentum_rates

__all__ = [
    "MinNormInterpolant",
    "critical_damping",
    "effective_rates",
    "heavy_ball_rates",
    "lfp_evolution",
    "lfp_rate",
    "min_norm_interpolant",
    "momentum_rates",
]
