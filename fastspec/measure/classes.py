"""Classifiers seen as functions: their logits as probabilities, beside those that labels are."""

import torch
from torch import Tensor
from torch.nn import functional as F


def of_labels(labels: Tensor, count: int) -> Tensor:
    """(M,) integers from 0 to (M, C) of zeros and ones, C the classes seen but at least two."""
    if labels.ndim != 1 or len(labels) != count or bool((labels < 0).any()):
        shape = tuple(labels.shape)
        raise ValueError(f"target: shape was {shape}, must be ({count},) labels from 0, or (M, C) probabilities")
    return F.one_hot(labels.long(), max(2, int(labels.max()) + 1)).to(torch.float64)


def of_probabilities(values: Tensor) -> Tensor:
    """(M, C), of which a single column is the probability of class 1, beside class 0."""
    if not bool(((values >= 0) & (values <= 1)).all()):
        raise ValueError("target: had numbers outside [0, 1], must be probabilities where logits is true")
    return torch.cat([1 - values, values], 1) if values.shape[1] == 1 else values


def of_logits(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities (M, C) of logits, a single one being class 1's beside a 0 of class 0, and the target's beside them:
    classes that no label is of have zeros.
    """
    if logits.shape[1] == 1:
        logits = F.pad(logits, (1, 0))
    classes = logits.shape[1]
    if classes > target.shape[1] and _is_labels(target):  # which asks a device, so not at each update
        target = padded(target, classes)
    return logits.softmax(-1), target


def padded(values: Tensor, channels: int) -> Tensor:
    """(M, C) with columns of zeros up to so many."""
    return F.pad(values, (0, max(0, channels - values.shape[1])))


def _is_labels(target: Tensor) -> bool:
    return bool(((target == 0) | (target == 1)).all())
