"""Recipes: whole experiments of the literature on spectral bias, each checking one claim with the public API."""

from .f_principle import RECIPE as F_PRINCIPLE
from .harness import Outcome, Recipe, run_recipe
from .mauna_loa import RECIPE as MAUNA_LOA
from .plug_in import RECIPE as PLUG_IN
from .upper_limit import RECIPE as UPPER_LIMIT
from .walsh import RECIPE as WALSH

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (PLUG_IN, MAUNA_LOA, F_PRINCIPLE, UPPER_LIMIT, WALSH)}

__all__ = ["RECIPES", "Outcome", "Recipe", "run_recipe"]
