"""Networks built against spectral bias, as ordinary ``torch.nn.Module``s."""

from .adaptive import AdaptiveActivation, Rowdy
from .broad import BroadLearning
from .filtered import Filtered
from .fourier_features import FourierFeatures
from .frequency_filter import DeepFrequencyFilter
from .grouped import phi, srelu
from .mscale import MscaleMLP
from .multistage import MultiStage
from .phase import PhaseMLP
from .poly import PolyNet
from .reflected import Reflected
from .sine import SineLayer

__all__ = [
    "AdaptiveActivation",
    "BroadLearning",
    "DeepFrequencyFilter",
    "Filtered",
    "FourierFeatures",
    "MscaleMLP",
    "MultiStage",
    "PhaseMLP",
    "PolyNet",
    "Reflected",
    "Rowdy",
    "SineLayer",
    "phi",
    "srelu",
]
