"""Networks built against spectral bias, as ordinary ``torch.nn.Module``s."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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
from .retune import retune
from .sine import SineLayer
from .standard import Standard

if TYPE_CHECKING:
    from .regressor import PhaseRegressor as PhaseRegressor

__all__ = [
    "AdaptiveActivation",
    "BroadLearning",
    "DeepFrequencyFilter",
    "Filtered",
    "FourierFeatures",
    "MscaleMLP",
    "MultiStage",
    "PhaseMLP",
    "PhaseRegressor",
    "PolyNet",
    "Reflected",
    "Rowdy",
    "SineLayer",
    "Standard",
    "phi",
    "retune",
    "srelu",
]


def __getattr__(name: str) -> Any:
    """What needs scikit-learn is imported when it is asked for."""
    if name != "PhaseRegressor":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return import_module(".regressor", __name__).PhaseRegressor
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{error}: pip install 'fastspec-torch[sklearn]'", name=error.name) from error
