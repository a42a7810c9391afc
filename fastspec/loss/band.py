"""Whether a target is within the band of modes that a loss or a monitor sees."""

import math

import torch
from torch import Tensor

from .._core.plain import without_autocast
from .._warn import warn
from ..plan import Plan

_LEAST = 0.5  # of the target's variance
_CROWDED = 0.5  # modes per point from which scattered points no longer tell what is in the band


class BandWarning(UserWarning):
    """Most of the target is outside of the band of modes, where it is not seen."""


@torch.no_grad()
def warn_of_band(plan: Plan, target: Tensor) -> None:
    """Of a target (M,) or (..., M, C) at the points of a plan.

    Warns:
        BandWarning: where less than half of its variance is that of the modes.
    """
    share = band_share(plan, target)
    if share < _LEAST:
        warn(
            f"modes: the {plan.modes} modes hold {max(share, 0):.0%} of the target's variance, so most of it is not"
            " seen: give more modes, or the period of its box (fs.spectrum(x, target) tells its frequencies)",
            BandWarning,
        )


@without_autocast()
def band_share(plan: Plan, target: Tensor) -> float:
    """Of the target's variance, about the share in the band; 1 where that cannot be told.

    At M scattered points the sum of |f_k|^2 over N modes has all that is in the band, and N / M of what is not.
    """
    sets, count, modes = plan.x.ndim > 2, plan.x.shape[-2 if plan.x.ndim > 1 else 0], math.prod(plan.modes)
    if sets or modes > _CROWDED * count or target.numel() == 0 or target.dtype in (torch.float16, torch.bfloat16):
        return 1.0
    values = target.detach().reshape(-1, count, target.shape[-1] if target.ndim > 1 else 1)[0].mT
    values = (values - values.mean(1, keepdim=True)).contiguous()
    total = values.abs().square().mean(1).sum().item()
    if not (math.isfinite(total) and total > 0):
        return 1.0
    seen = (plan.nufft1(values).abs().square().sum() / count**2).item() / total
    return (seen - modes / count) / (1 - modes / count)
