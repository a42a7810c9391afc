"""Points reflected at the ends of a box, and functions continued there."""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

ODD, NONE, EVEN = -1, 0, 1


class Images(NamedTuple):
    """Of points of a box ``low`` to ``low + length``, about ``low`` in each dimension whose parity is not NONE."""

    low: Tensor  # (d,) float64
    length: Tensor
    parity: tuple[int, ...]  # of the functions that values are of

    @property
    def period(self) -> tuple[float, ...]:
        doubled = [length * (1 if p == NONE else 2) for length, p in zip(self.length.tolist(), self.parity, strict=True)]
        return tuple(doubled)

    def points(self, x: Tensor) -> Tensor:
        """(M, d) or (M,) to (2^r M, ...), r dimensions being reflected; the first M are x."""
        low, d = self.low.to(x), len(self.low)
        if x.ndim > 2 or (x.shape[1] if x.ndim == 2 else 1) != d:
            raise ValueError(f"x: shape was {tuple(x.shape)}, must be (M, {d}){' or (M,)' * (d == 1)}")
        signs = torch.tensor(self._signs(), dtype=x.dtype, device=x.device)
        images = low + signs[:, None] * (x.reshape(len(x), d) - low)
        return images.reshape(-1, *x.shape[1:])

    def values(self, values: Tensor) -> Tensor:
        """(M,) or (M, C) to (2^r M, ...)."""
        flips = [sum(s < 0 and p == ODD for s, p in zip(row, self.parity, strict=True)) % 2 for row in self._signs()]
        if not any(flips):
            return values.repeat(len(flips), *[1] * (values.ndim - 1))
        opposite = -values
        return torch.cat([opposite if flip else values for flip in flips])

    def _signs(self) -> list[tuple[int, ...]]:
        return list(product(*[(1,) if p == NONE else (1, -1) for p in self.parity]))


def box(low: float | Sequence[float] | Tensor, high: float | Sequence[float] | Tensor) -> tuple[Tensor, Tensor]:
    """Low ends and lengths, float64 (d,)."""
    first, last = (torch.as_tensor(end, dtype=torch.float64).flatten() for end in (low, high))
    if first.shape != last.shape or not bool((first < last).all()):
        raise ValueError(f"high: was {last.tolist()}, must be above low, {first.tolist()}, in each dimension")
    return first, last - first
