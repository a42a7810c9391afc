"""L1 norms of a network's Walsh spectrum, to be added to its loss."""

import torch
from torch import Tensor, nn

from .spectrum import Model, check_bits, cube, parameter_of, scalar_output
from .transform import fwht


class FullRegularizer(nn.Module):
    """FullWH: mean |H_n g| over all 2^n inputs of a network g of n bits, H_n orthonormal (arXiv 2305.09779).

    This is 2^{-n/2} Σ_f |c_f| for g(x) = Σ_f c_f (-1)^⟨f,x⟩: it makes the spectrum sparse, whatever the degrees. Add
    ``weight`` times it to the loss. By the fast transform: n 2^n operations, no matrix. For more than some twenty bits
    use :class:`HashedRegularizer`.

    Args:
        n: number of input bits.
        weight: factor λ.

    Shapes: the model takes ``(2^n, n)`` zeros and ones in the dtype of its parameters and returns ``(2^n,)`` or
    ``(2^n, 1)``; the result is a scalar.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """

    def __init__(self, n: int, weight: float = 1.0):
        super().__init__()
        check_bits("n", n)
        self.n, self.weight = n, weight

    def forward(self, model: Model) -> Tensor:
        like = parameter_of(model)
        values = scalar_output(model, cube(self.n, dtype=like.dtype, device=like.device))
        return self.weight * fwht(values, normalized=True).abs().mean()

    def extra_repr(self) -> str:
        return f"n={self.n}, weight={self.weight:g}"


class HashedRegularizer(nn.Module):
    """HashWH: the L1 norm of a network's Walsh spectrum, hashed at random into 2^b bins (arXiv 2305.09779, section 4).

    At each call σ ~ Bernoulli(1/2)^{b x n} anew, u(m) = g(mσ mod 2) for m in {0, 1}^b, and the result is mean |H_b u|,
    H_b orthonormal. A bin of u's spectrum is the sum of the coefficients c_f that share the hash σf mod 2: the L1 norm
    of the whole spectrum but for collisions, by 2^b evaluations and the fast transform, whatever n. That is b 2^b
    operations and O(2^b) memory, where the dense H_b takes 4^b.

    Args:
        n: number of input bits.
        b: hashed bits; 2^b should be well above the number of coefficients wanted.
        weight: factor λ.
        generator: of the random hashes; default torch's own.

    Shapes: the model takes ``(2^b, n)`` zeros and ones in the dtype of its parameters and returns ``(2^b,)`` or
    ``(2^b, 1)``; the result is a scalar.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.

    Example::

        regularizer = fs.walsh.HashedRegularizer(50, 10, weight=1e-2)
        loss = mse(model(x), y) + regularizer(model)
    """

    def __init__(self, n: int, b: int, weight: float = 1.0, generator: torch.Generator | None = None):
        super().__init__()
        check_bits("n", n, most=2**20)
        check_bits("b", b)
        if b > n:
            raise ValueError(f"b: was {b}, must be at most n, {n}")
        self.n, self.b, self.weight, self.generator = n, b, weight, generator

    def forward(self, model: Model) -> Tensor:
        x = hashed_inputs(self.sample().to(parameter_of(model)))
        return self.weight * fwht(scalar_output(model, x), normalized=True).abs().mean()

    def sample(self) -> Tensor:
        """A hash σ, (b, n) zeros and ones."""
        device = self.generator.device if self.generator is not None else None
        return torch.randint(2, (self.b, self.n), generator=self.generator, device=device).to(torch.get_default_dtype())

    def extra_repr(self) -> str:
        return f"n={self.n}, b={self.b}, weight={self.weight:g}"


def hashed_inputs(sigma: Tensor) -> Tensor:
    """mσ mod 2 for all m in {0, 1}^b: (b, n) -> (2^b, n), bit by bit from the last, without a product of matrices."""
    rows = torch.zeros_like(sigma[:1])
    for row in sigma.flip(0):
        rows = torch.cat([rows, (rows - row).abs()])  # of zeros and ones: their sum modulo 2
    return rows
