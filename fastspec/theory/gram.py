"""Approximate inverses of the Gram matrix G_ij = g(x_i - x_j) + ε δ_ij, g(s) = Σ_k w_k^-1 e^{2πi k·s/period}."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..nufft import nufft2, rnufft2

_WHOLE = 2048  # points up to which the matrix is factored as it is: 32 MB and half a second
_NEIGHBOURS = {1: 12, 2: 24, 3: 32}
_CHUNK = 2**21  # differences held at a time
_AT_ONCE = 2**19  # of which the kernel is computed in one call, in which no interrupt is heard, or more of many modes
_EPS = 1e-11
_TRIES = 20  # the last with 1e3 √n times the diagonal added, enough for any n x n matrix of up to a million points

Inverse = Callable[[Tensor], Tensor]


def preconditioner(x: Tensor, inverse: Tensor, period: Sequence[float], ridge: float, real: bool) -> Inverse:
    """The map r -> about G^-1 r on rows (R, n)."""
    x = x[:, None] if x.ndim == 1 else x
    kernel = _Kernel(inverse, period, real)
    return _whole(x, kernel, ridge) if len(x) <= _WHOLE else _nearest(x, kernel, period, ridge)


class _Kernel:
    """g at differences (..., d) of points."""

    def __init__(self, inverse: Tensor, period: Sequence[float], real: bool):
        self.at_zero, self.modes = inverse.sum(), tuple(inverse.shape)
        self.period, self.real = period, real
        self.spectrum = (inverse[..., inverse.shape[-1] // 2 :] if real else inverse).to(torch.complex128)

    def __call__(self, difference: Tensor) -> Tensor:
        flat = difference.reshape(-1, difference.shape[-1])
        return torch.cat([self._of(part) for part in flat.split(max(_AT_ONCE, 4 * math.prod(self.modes)))]).reshape(
            difference.shape[:-1]
        )

    def _of(self, part: Tensor) -> Tensor:
        if self.real:
            return rnufft2(part, self.spectrum, self.modes, eps=_EPS, period=self.period)
        return nufft2(part, self.spectrum, eps=_EPS, period=self.period)


def _whole(x: Tensor, kernel: _Kernel, ridge: float) -> Inverse:
    factor = _cholesky(_gram(x, kernel, ridge))
    return lambda r: torch.cholesky_solve(r.mT, factor).mT


def _gram(points: Tensor, kernel: _Kernel, ridge: float) -> Tensor:
    """(..., n, d) -> (..., n, n), the kernel computed for one of each pair."""
    n = points.shape[-2]
    i, j = torch.tril_indices(n, n, -1, device=points.device)
    below = kernel(points[..., i, :] - points[..., j, :])
    gram = below.new_zeros(*points.shape[:-1], n)
    gram[..., i, j] = below
    gram[..., j, i] = below.conj()
    gram.diagonal(dim1=-2, dim2=-1).fill_(kernel.at_zero + ridge)
    return gram


def _cholesky(gram: Tensor) -> Tensor:
    """Of matrices (..., n, n) with one diagonal throughout, with as little added to it as makes them definite.

    Raises:
        RuntimeError: where nothing does, as with numbers that are not finite.
    """
    diagonal = gram.diagonal(dim1=-2, dim2=-1)
    jitter, more = 0.0, 1e-15 * diagonal.real.max().item() * gram.shape[-1] ** 0.5
    for _ in range(_TRIES):
        factor: Tensor
        factor, failed = torch.linalg.cholesky_ex(gram)
        if not bool(failed.any()):
            return factor
        diagonal += more - jitter
        jitter, more = more, 10 * more
    raise RuntimeError("min_norm_interpolant: the Gram matrix could not be factored: weights or points are too extreme")


def _nearest(x: Tensor, kernel: _Kernel, period: Sequence[float], ridge: float) -> Inverse:
    """L^H L with a sparse L: row i whitens point i given its nearest predecessors in a coarse-to-fine order.

    Vecchia's approximation; in a coarse-to-fine order few neighbours do for kernels of finite smoothness (Schäfer,
    Katzfuss & Owhadi 2021, arXiv 2004.14455). A random order is coarse to fine.
    """
    n, d = x.shape
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0)).to(x.device)
    points = x[order]
    neighbours = _predecessors(points, period, _NEIGHBOURS[d])
    rows = _whitening_rows(points, neighbours, kernel, ridge)
    inverse_order = order.argsort()

    def apply(r: Tensor) -> Tensor:
        whitened = (rows * r[:, order][:, neighbours]).sum(-1)
        scattered = (rows.conj() * whitened[..., None]).flatten(1)
        return torch.zeros_like(r).index_add_(1, neighbours.flatten(), scattered)[:, inverse_order]

    return apply


def _predecessors(points: Tensor, period: Sequence[float], count: int) -> Tensor:
    """(n, count + 1): for each point its ``count`` nearest predecessors, then itself; itself again where too few."""
    try:
        from scipy.spatial import cKDTree
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{error}; {len(points)} points need the theory extra: pip install 'fastspec-torch[theory]'"
        ) from error

    n = len(points)
    folded = torch.remainder(points, torch.tensor(period, device=points.device)).cpu()
    out = torch.arange(n)[:, None].repeat(1, count + 1)
    first = 1
    while first < n:
        last = min(n, 2 * first)
        tree = cKDTree(folded[:last].numpy(), boxsize=[p * (1 + 1e-12) for p in period])
        # Half of what is near comes later in the order; of 3 count neighbours enough remain.
        wanted = min(last, 3 * count + 1)
        found = torch.from_numpy(tree.query(folded[first:last].numpy(), k=wanted)[1]).reshape(last - first, wanted)
        rows = torch.arange(first, last)[:, None]
        found = torch.where(found < rows, found, n)
        # stable, so that predecessors keep their order by distance and come first
        nearest = found.gather(1, (found == n).to(torch.uint8).argsort(dim=1, stable=True))[:, :count]
        out[first:last, : nearest.shape[1]] = torch.where(nearest == n, rows, nearest)
        first = last
    return out.to(points.device)


def _whitening_rows(points: Tensor, neighbours: Tensor, kernel: _Kernel, ridge: float) -> Tensor:
    """The non-zero entries of L, aligned with ``neighbours``."""
    out, size = [], neighbours.shape[1]
    indices = torch.arange(len(points), device=points.device)
    for begin in range(0, len(points), max(1, _CHUNK // size**2)):
        part = neighbours[begin : begin + max(1, _CHUNK // size**2)]
        own = indices[begin : begin + len(part), None]
        gram = _gram(points[part], kernel, ridge)
        # a slot that repeats the point itself stands for no neighbour: cut it off from the rest
        unused = torch.cat([part[:, :-1] == own, torch.zeros_like(own, dtype=torch.bool)], 1)
        gram.masked_fill_((unused[:, :, None] ^ unused[:, None, :]) | _off_diagonal(unused), 0)
        unit = gram.new_zeros(len(part), size, 1)
        unit[:, -1] = 1
        row = torch.cholesky_solve(unit, _cholesky(gram))[..., 0]
        out.append((row / row[:, -1:].real.sqrt()).conj())
    return torch.cat(out)


def _off_diagonal(unused: Tensor) -> Tensor:
    both = unused[:, :, None] & unused[:, None, :]
    return both & ~torch.eye(unused.shape[1], dtype=torch.bool, device=unused.device)
