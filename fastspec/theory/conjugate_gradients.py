"""Preconditioned conjugate gradients for several right-hand sides at once."""

from collections.abc import Callable

import torch
from torch import Tensor

Operator = Callable[[Tensor], Tensor]

_RESTARTS = 4
_PATIENCE = 100


def solve(matrix: Operator, preconditioner: Operator, b: Tensor, tol: float, most: int) -> tuple[Tensor, Tensor, int]:
    """``matrix`` x = ``b`` for a Hermitian positive definite matrix, rows (R, n), real or complex.

    The residual that the recurrence carries drifts from the true one, so on convergence that is computed, and the
    iteration begun anew from it where it is still too large.

    Returns:
        x, the relative l2 residual of each row (R,), and the number of iterations.
    """
    scale = torch.linalg.vector_norm(b, dim=-1)
    scale = torch.where(scale > 0, scale, 1)
    if len(b) == 0:
        return b, scale, 0
    x, residual, count = torch.zeros_like(b), b, 0
    best, best_x = torch.linalg.vector_norm(b, dim=-1) / scale, x
    for _ in range(1 + _RESTARTS):
        step, taken = _iterate(matrix, preconditioner, residual, tol * scale, most - count)
        x, count = x + step, count + taken
        residual = b - matrix(x)
        error = torch.linalg.vector_norm(residual, dim=-1) / scale
        better = error < best
        gained = bool((error < best / 2).any())
        best_x = torch.where(better[:, None], x, best_x)
        best = torch.minimum(error, best)
        if bool((best <= tol).all()) or count >= most or not gained:
            break
    return best_x, best, count


def _iterate(matrix: Operator, preconditioner: Operator, r: Tensor, goal: Tensor, most: int) -> tuple[Tensor, int]:
    """One run of the recurrence from zero, until each row's residual is at most its ``goal`` or it stagnates."""
    x, z = torch.zeros_like(r), preconditioner(r)
    p, rz = z, _dot(r, z)
    best, since = torch.inf, 0
    for count in range(most):
        norm = torch.linalg.vector_norm(r, dim=-1)
        excess = (norm / goal).max().item()
        since = 0 if excess < 0.99 * best else since + 1
        best = min(best, excess)
        if excess <= 1 or since > _PATIENCE:
            return x, count
        q = matrix(p)
        alpha = _ratio(rz, _dot(p, q))
        x = x + alpha * p
        r = r - alpha * q
        z = preconditioner(r)
        before, rz = rz, _dot(r, z)
        p = z + _ratio(rz, before) * p
    return x, most


def _dot(a: Tensor, b: Tensor) -> Tensor:
    out: Tensor = torch.linalg.vecdot(a, b).real
    return out


def _ratio(above: Tensor, below: Tensor) -> Tensor:
    """As a column; zero for a row that is already solved."""
    return torch.where(below > 0, above / torch.where(below > 0, below, 1), 0)[:, None]
