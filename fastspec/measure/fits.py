"""Linear fits to scattered data."""

import itertools

import torch
from torch import Tensor


def least_squares(design: Tensor, y: Tensor) -> Tensor:
    """Normal equations with a trace of ridge: their size is the number of terms, however many points there are."""
    gram = design.mT @ design
    gram.diagonal().add_(1e-12 * gram.diagonal().mean())
    out: Tensor = torch.linalg.solve(gram, design.mT @ y)
    return out


def polynomials(x: Tensor, degree: int) -> Tensor:
    """(M, d) -> (M, P): Legendre-like monomials of total degree at most ``degree``; x in [-1, 1]."""
    powers = [p for p in itertools.product(range(degree + 1), repeat=x.shape[1]) if sum(p) <= degree]
    return torch.stack([(x ** torch.tensor(p, device=x.device, dtype=x.dtype)).prod(-1) for p in powers], 1)
