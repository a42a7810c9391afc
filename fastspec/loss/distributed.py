"""What ranks agree on, of a torch.distributed process group over which the points are sharded."""

import hashlib
from typing import Any, NamedTuple

import torch
import torch.distributed as dist


class Shard(NamedTuple):
    """What ranks must agree on: the loss is one of all their points."""

    modes: tuple[int, ...]
    box: tuple[float, ...] | float  # its period, or a sum over frequencies of one's own
    eps: float | None
    dtype: torch.dtype
    shape: tuple[int, ...]  # of pred, but for its points
    relative: bool
    quadrature: bool  # whether there is one


def point_count(count: int, shard: Shard, device: torch.device, group: Any) -> int:
    """Points of all ranks of a group.

    Raises:
        ValueError: on all ranks, where they disagree on what they share, or none has a point.
    """
    parts = [_number(part) for part in shard]
    told = torch.tensor([count, *parts], dtype=torch.int64, device=device)
    all_told = told.new_empty(dist.get_world_size(group), len(told))
    dist.all_gather(list(all_told.unbind()), told, group=group)
    differs = (all_told[:, 1:] != all_told[0, 1:]).any(0).tolist()
    if any(differs):
        names = ", ".join(name for name, wrong in zip(Shard._fields, differs, strict=True) if wrong)
        own = ", ".join(f"{name} {part}" for name, part in zip(Shard._fields, shard, strict=True) if name in names)
        raise ValueError(f"group: its ranks disagreed on {names} (here {own}), must agree")
    total = int(all_told[:, 0].sum())
    if total == 0:
        raise ValueError("x: no rank of the group had points, at least one must")
    return total


def _number(part: Any) -> int:
    """The same on every rank for what is equal, as Python's own hash of a text is not."""
    return int.from_bytes(hashlib.blake2b(repr(part).encode(), digest_size=7).digest(), "big")
