"""Networks built against spectral bias, as ordinary ``torch.nn.Module``s."""

from .fourier_features import FourierFeatures
from .grouped import phi, srelu
from .mscale import MscaleMLP
from .phase import PhaseMLP

__all__ = ["FourierFeatures", "MscaleMLP", "PhaseMLP", "phi", "srelu"]
