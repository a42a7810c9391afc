"""The handwritten digits of scikit-learn: real images, 8 × 8, of ten classes."""

from importlib import import_module

import torch
from torch import Tensor

COUNT = 1797


def load_digits(device: torch.device) -> tuple[Tensor, Tensor]:
    """Images (1797, 8, 8) float32 in [0, 1] and labels (1797,)."""
    data = import_module("sklearn.datasets").load_digits()
    images = torch.from_numpy(data.images).float() / 16
    return images.to(device), torch.from_numpy(data.target).long().to(device)


def split(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Indices of a random five sixths, and of the rest."""
    order = torch.randperm(COUNT, generator=torch.Generator().manual_seed(seed))
    return order[:count], order[count:]
