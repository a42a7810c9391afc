"""The minimum-norm interpolant by a dense factorisation, for points that come so close that iterations stall."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..measure.spectra import wavenumbers

_MOST = 2**33  # products of a factorisation: some seconds


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
    q, r = torch.linalg.qr(tall)
    rows = y.to(tall.dtype).mT
    u = q @ torch.linalg.solve_triangular(r.mH, rows, upper=False)
    missed = torch.linalg.vector_norm(tall.mH @ u - rows, dim=0)
    size = torch.linalg.vector_norm(rows, dim=0)
    coefficients = (u[: len(root)] * root[:, None]).mT.reshape(-1, *modes)
    return coefficients, missed / torch.where(size > 0, size, 1)
