"""Recipes: whole experiments of the literature on spectral bias, each checking one claim with the public API."""

from .beyond_gd import RECIPE as BEYOND_GD
from .broad_learning import RECIPE as BROAD_LEARNING
from .complexity import RECIPE as COMPLEXITY
from .dff import RECIPE as DFF
from .dnn_jacobi import RECIPE as DNN_JACOBI
from .every import run_every
from .f_principle import RECIPE as F_PRINCIPLE
from .f_principle_exceptions import RECIPE as F_PRINCIPLE_EXCEPTIONS
from .f_principle_images import RECIPE as F_PRINCIPLE_IMAGES
from .f_principle_parity import RECIPE as F_PRINCIPLE_PARITY
from .f_principle_photograph import RECIPE as F_PRINCIPLE_PHOTOGRAPH
from .grokking import RECIPE as GROKKING
from .harness import Outcome, Recipe, run_recipe
from .lfp import RECIPE as LFP
from .lfp_evolution import RECIPE as LFP_EVOLUTION
from .limit import RECIPE as LIMIT
from .mauna_loa import RECIPE as MAUNA_LOA
from .momentum import RECIPE as MOMENTUM
from .multi_stage import RECIPE as MULTI_STAGE
from .page import readable, table_of, write_page
from .pinn_operator import RECIPE as PINN_OPERATOR
from .plug_in import RECIPE as PLUG_IN
from .polynomial import RECIPE as POLYNOMIAL
from .precondition import RECIPE as PRECONDITION
from .precondition_equations import RECIPE as PRECONDITION_EQUATIONS
from .upper_limit import RECIPE as UPPER_LIMIT
from .walsh import RECIPE as WALSH

_ALL = (
    PLUG_IN,
    MAUNA_LOA,
    F_PRINCIPLE,
    F_PRINCIPLE_IMAGES,
    F_PRINCIPLE_PHOTOGRAPH,
    F_PRINCIPLE_PARITY,
    F_PRINCIPLE_EXCEPTIONS,
    PRECONDITION,
    PRECONDITION_EQUATIONS,
    MULTI_STAGE,
    UPPER_LIMIT,
    LIMIT,
    PINN_OPERATOR,
    WALSH,
    DNN_JACOBI,
    MOMENTUM,
    BROAD_LEARNING,
    POLYNOMIAL,
    COMPLEXITY,
    BEYOND_GD,
    LFP,
    LFP_EVOLUTION,
    GROKKING,
    DFF,
)

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in _ALL}

__all__ = ["RECIPES", "Outcome", "Recipe", "readable", "run_every", "run_recipe", "table_of", "write_page"]
