"""A model's tangent kernel K = J J^T between points: J is the Jacobian of its outputs in its trained parameters."""

from .gram import Gram, gram
from .modes import outside_of_modes
from .outputs import Operator, Outputs
from .products import product

__all__ = ["Gram", "Operator", "Outputs", "gram", "outside_of_modes", "product"]
