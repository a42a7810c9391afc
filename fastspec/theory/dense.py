"""The minimum-norm interpolant by a dense factorisation, for points that come so close that iterations stall."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..measure.spectra import wavenumbers

_MOST = 2**33  # products of a factorisation: some seconds
_PANEL = 64  # columns factored at a time, so that an interrupt is heard between them


def affordable(points: int, modes: int) -> bool:
    return points**2 * modes <= _MOST and points <= modes


def solve(x: Tensor, y: Tensor, inverse: Tensor, period: Sequence[float], ridge: float) -> tuple[Tensor, Tensor]:
    """Coefficients (R, *modes) and each row's relative residual in the system of :mod:`interpolant`.

    With B = A W^-½ and B^H = QR the least-norm solution of B u = y is u = Q R^-H y: it feels the condition number of
    B, the square root of the Gram matrix's. A ridge ε appends √ε to B.
    """
    n, modes = len(x), tuple(inverse.shape)
    points = x.reshape(n, -1) / torch.tensor(period, dtype=x.dtype, device=x.device)
    phase = 2 * math.pi * (wavenumbers(modes, x.device).flatten(0, -2) @ points.mT)
    root = inverse.sqrt().flatten()
    tall = torch.polar(root[:, None].expand_as(phase), -phase)  # B^H
    eye = torch.eye(n, dtype=tall.dtype, device=x.device)
    if ridge:
        tall = torch.cat([tall, math.sqrt(ridge) * eye])
    rows = y.to(tall.dtype).mT
    u = _least_norm(tall, rows)
    missed = torch.linalg.vector_norm(tall.mH @ u - rows, dim=0)
    size = torch.linalg.vector_norm(rows, dim=0)
    coefficients = (u[: len(root)] * root[:, None]).mT.reshape(-1, *modes)
    return coefficients, missed / torch.where(size > 0, size, 1)


def _least_norm(tall: Tensor, rows: Tensor) -> Tensor:
    """Q R^-H rows with tall = QR by Householder reflections, a panel of columns after the other."""
    rest, n, panels = tall.clone(), tall.shape[1], []
    r = tall.new_zeros(n, n)
    for first in range(0, n, _PANEL):
        last = min(n, first + _PANEL)
        panel = torch.geqrf(rest[first:, first:last].contiguous())
        panels.append(panel)
        rest[first:, last:] = torch.ormqr(*panel, rest[first:, last:], transpose=True)
        r[first:last, first:last] = panel[0][: last - first].triu()
        r[first:last, last:] = rest[first:last, last:]
    u = tall.new_zeros(len(tall), rows.shape[1])
    u[:n] = torch.linalg.solve_triangular(r.mH, rows, upper=False)
    for first, panel in zip(reversed(range(0, n, _PANEL)), reversed(panels), strict=True):
        u[first:] = torch.ormqr(*panel, u[first:])
    return u
