"""Scattered points with a prediction and a target, for losses."""

import torch
from samples import TAU

import fastspec as fs

SIZES = {1: (13,), 2: (8, 7), 3: (4, 5, 6)}
EVEN = {1: (12,), 2: (6, 8), 3: (4, 6, 4)}


def lopsided(k):
    """Not symmetric in k, in any of its components: what a half spectrum must not silently symmetrise."""
    slopes = torch.tensor([0.3, -0.2, 0.5], dtype=k.dtype, device=k.device)[: k.shape[-1]]
    return (1 + (k * slopes).sum(-1)).exp() / (1 + (k**2).sum(-1))


def wavenumbers(modes):
    axes = [fs.reference.wavenumbers(n) for n in modes]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).double()


def scattered(modes, m=40, shape=(), dtype=torch.float64, seed=0, period=TAU):
    """Points, prediction and target for a network that returns ``shape`` beside its points; of the target a wave of the
    first axis' lowest mode is most."""
    gen = torch.Generator().manual_seed(seed)
    x = (torch.rand(m, len(modes), generator=gen, dtype=torch.float64) - 0.5) * torch.tensor(period)
    shape = (*shape[:-1], m, shape[-1]) if shape else (m,)
    pred, target = (torch.randn(shape, generator=gen, dtype=dtype) for _ in range(2))
    wave = 3 * (TAU / torch.tensor(period).expand(len(modes))[0] * x[:, 0]).cos().to(dtype)
    return x, pred, target + (wave[:, None] if len(shape) > 1 else wave)
