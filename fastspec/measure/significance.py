"""How often noise alone brings forth a line as strong, somewhere in the range that was searched."""

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Background(NamedTuple):
    """Power over frequency f in cycles per span, 1 + ratio / (1 + (f / knee)^slope), over its mean in what is searched.

    An autoregressive process and a random walk have a slope of 2.
    """

    ratio: float = 0.0
    slope: float = 0.0
    knee: float = 1.0
    mean: float = 1.0

    def __call__(self, frequency: Tensor) -> Tensor:
        """(..., d) -> (...)."""
        out: Tensor = (1 + self.ratio / (1 + (frequency.norm(dim=-1) / self.knee) ** self.slope)) / self.mean
        return out


WHITE = Background()


class Trials(NamedTuple):
    """What a search gives to chance: so many ``discrete`` frequencies, or a ``volume`` of them.

    The volume is that of the half-space of frequencies searched times (2π)^d √det cov(x): how often the spectrum of
    white noise at the points turns over in it.
    """

    dimension: int
    volume: float = math.inf
    discrete: float = math.inf

    def chance(self, gain: float, channels: int) -> float:
        """The probability that the largest of twice the log likelihood ratios in white noise exceeds ``gain``.

        At a single frequency the ratio is chi-squared of ν = 2 C degrees (Scargle 1982, ApJ 263, 835, for C = 1). Its
        maximum over a volume exceeds a high level about as often as the Euler characteristic of what lies above it is
        expected to be (Worsley 1994, Adv. Appl. Prob. 26, 13); for d = 1 and C = 1 that is Baluev's bound (2008, MNRAS
        385, 1279).
        """
        single = _tail(channels, gain / 2)
        return min(1.0, self.discrete * single, single + self.volume * _density(gain, 2 * channels, self.dimension))

    def threshold(self, chance: float, channels: int) -> float:
        """The gain whose chance this is, by bisection; the chance falls as the gain grows."""
        low, high = 0.0, 4000.0
        while high - low > 1e-9 * high:
            middle = (low + high) / 2
            low, high = (middle, high) if self.chance(middle, channels) > chance else (low, middle)
        return high


def _tail(channels: int, half: float) -> float:
    one = torch.tensor([float(channels), max(half, 0.0)], dtype=torch.float64)
    out: float = torch.special.gammaincc(one[0], one[1]).item()
    return out


def _density(gain: float, degrees: int, d: int) -> float:
    """Expected Euler characteristic per unit of volume above ``gain``; at least that of the level it is greatest at."""
    u = max(gain, degrees + d - 2.0, 1e-9)
    shape = {
        1: 1.0,
        2: u - (degrees - 1),
        3: u**2 - (2 * degrees - 1) * u + (degrees - 1) * (degrees - 2),
    }.get(d, u ** (d - 1))
    log = (degrees - d) / 2 * math.log(u) - u / 2 - (degrees - 2) / 2 * math.log(2) - math.lgamma(degrees / 2)
    return float(max(shape, 0.0) * math.exp(log) / (2 * math.pi) ** (d / 2))


def volume_of(unit_x: Tensor, searched: float) -> float:
    """Of ``searched`` units of the half-space of frequencies, at points (M, d)."""
    centred = unit_x - unit_x.mean(0)
    spread = (centred.mT @ centred / len(centred)).det().clamp_min(0).sqrt().item()
    return searched * (2 * math.pi) ** unit_x.shape[1] * spread
