"""A model's tangent kernel K = J J^T between points: J is the Jacobian of its outputs in its trained parameters."""

from .gram import Gram, gram
from .jacobian import jacobian_of, product
from .modes import outside_of_modes
from .outputs import Operator, Outputs

__all__ = ["Gram", "Operator", "Outputs", "gram", "jacobian_of", "outside_of_modes", "product"]
