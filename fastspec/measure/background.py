"""The spectrum of the noise that lines stand on: white, or redder by a power of the frequency."""

import math

import torch
from torch import Tensor

from .joint import Fit
from .search import Grid, modes_of, power_spectrum
from .significance import WHITE, Background

_SLOPES = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0)
_RATIOS = 10.0 ** torch.linspace(-1, 10, 67, dtype=torch.float64)  # of the red part to the white one, at zero
_KNEES = 2.0 ** torch.arange(-1, 12)  # cycles per span, below which the red part levels off
_DECIDED = 14.0  # twice the gain in log likelihood by which red must beat white: a chance below 1e-3
_BINS_PER_OCTAVE = 4


def background(fit: Fit, search: Grid) -> Background:
    """What the residual's spectrum looks like between the lines, by maximum likelihood (Whittle 1953, as in Vaughan
    2005, A&A 431, 391), white unless red is decidedly likelier."""
    size, power = _between_lines(fit, search)
    count, size, power = _binned(size, power)
    forms = [Background(r, s, k) for r in _RATIOS.tolist() for s in _SLOPES for k in _KNEES.tolist()]
    columns = torch.tensor([form[:3] for form in forms], dtype=size.dtype, device=size.device).T[..., None]
    shape = 1 + columns[0] / (1 + (size / columns[2]) ** columns[1])  # (forms, bins)
    total = count.sum()
    level = (count * power / shape).sum(-1) / total
    cost = total * level.log() + (count * shape.log()).sum(-1)
    white = total * ((count * power).sum() / total).log()
    best = int(cost.argmin())
    if 2 * (white - cost[best]).item() < _DECIDED:
        return WHITE
    return forms[best]._replace(mean=((count * shape[best]).sum() / total).item())


def _between_lines(fit: Fit, search: Grid) -> tuple[Tensor, Tensor]:
    """Sizes of frequencies one per resolution, and the residual's power there; not where the fit has emptied it."""
    coarse = search.coarse()
    scale = fit.residual.std(0).clamp_min(torch.finfo(fit.y.dtype).tiny)
    power = power_spectrum(coarse.turns, fit.residual / scale, coarse.modes, (1.0,) * len(coarse.modes))
    f = modes_of(coarse.modes, power) / coarse.period
    f, power = f.flatten(0, -2), power.flatten()
    keep = f.norm(dim=1) >= search.separation
    for row in (*fit.frequencies, *-fit.frequencies):
        keep &= (f - row).norm(dim=1) >= 1
    return f[keep].norm(dim=1), power[keep]


def _binned(size: Tensor, power: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Counts, mean frequencies and mean powers of bins of equal width in the logarithm."""
    index = (_BINS_PER_OCTAVE * size.log2()).floor()
    _, index = index.unique(return_inverse=True)
    count = torch.bincount(index).to(power)
    mean = [torch.bincount(index, weights=t) / count for t in (size.log(), power)]
    return count, mean[0].exp(), mean[1].clamp_min(math.ulp(0) + torch.finfo(power.dtype).tiny)
