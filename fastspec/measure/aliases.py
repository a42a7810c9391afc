"""What sampling does to a spectrum: frequencies that the training set shows and the whole function does not have."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .. import _check
from .._box import period_of
from .._core.plain import without_autocast
from .._data import Given, numbers
from ..nufft import Period
from .checks import check_finite, check_values
from .directions import flat_points
from .spectra import spectrum


@dataclass(frozen=True)
class AliasReport:
    """The training set's spectrum against the whole function's, as :func:`alias_report` returns it.

    Attributes:
        k: wavenumbers, ``(K, d)``, by distance from zero.
        train, full: mean over points of y e^{-ik·x}, complex ``(K,)`` or ``(K, C)``.
        excess: ‖train_k - full_k‖ over the norm of the full spectrum's largest entry, ``(K,)``.
        spurious: indices of the wavenumbers whose magnitude sampling more than doubled, and by more than the
            threshold, lowest wavenumber first.
        aliased_energy: Σ_k ‖train_k - full_k‖² / Σ_k ‖full_k‖².
    """

    k: Tensor
    train: Tensor
    full: Tensor
    excess: Tensor
    spurious: Tensor
    aliased_energy: float

    def __str__(self) -> str:
        lines = [f"aliased energy {self.aliased_energy:.3g} of the function's on {len(self.k)} wavenumbers"]
        size = [torch.linalg.vector_norm(v.reshape(len(v), -1), dim=1) for v in (self.train, self.full)]
        for i in self.spurious.tolist():
            k = ", ".join(f"{value:.4g}" for value in self.k[i].tolist())
            lines.append(f"spurious k = {k}: {size[0][i].item():.3g} in training, {size[1][i].item():.3g} in all")
        return "\n".join(lines)


@without_autocast()
def alias_report(
    x_train: Given,
    y_train: Given,
    x_full: Given,
    y_full: Given,
    k: Given,
    *,
    period: Period | str = 2 * math.pi,
    threshold: float = 0.2,
) -> AliasReport:
    """Compare the training set's spectrum with the whole function's at wavenumbers ``k``, in any dimension.

    A network that sees only the training set learns the low frequencies of *its* spectrum first. Where sampling put
    energy there that the function has not, it fits the training set and errs elsewhere, until the true frequencies
    come: the frequency account of grokking (arXiv 2405.17479) and of parity functions (arXiv 1901.06523).

    Args:
        x_train, x_full: points, real ``(n, d)`` or ``(n,)``; y_train, y_full: values ``(n,)`` or ``(n, C)``;
            tensors, arrays, pandas or xarray objects, times as days.
        k: real wavenumbers, ``(K, d)``, or ``(K,)`` for d = 1 and, for d > 1, along the diagonal (1, …, 1).
        period: phases are 2π k·x / period.
        threshold: least excess, over the full spectrum's largest entry, that counts as spurious.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """
    x_train, x_full = flat_points(x_train, "x_train"), flat_points(x_full, "x_full")
    y_train, y_full, k = numbers("y_train", y_train), numbers("y_full", y_full), numbers("k", k)
    threshold = _check.number("threshold", threshold)
    d = x_full.shape[1]
    if x_train.shape[1] != d:
        raise ValueError(f"x_train: had {x_train.shape[1]} dimensions, must have {d} as x_full has")
    check_finite("k", k)
    k = k.detach().double()
    k = k[:, None].expand(-1, d) if k.ndim == 1 else k
    if k.ndim != 2 or k.shape[1] != d or len(k) == 0:
        raise ValueError(f"k: shape was {tuple(k.shape)}, must be (K, {d}) or (K,) and not empty")
    k = k[k.norm(dim=1).argsort(stable=True)]
    box = period_of(period, x_full, warns=False)
    train = _spectrum("train", x_train, y_train, k, box)
    full = _spectrum("full", x_full, y_full, k, box)
    if train.shape != full.shape:
        raise ValueError(f"y_train: had {train.shape[1]} channels, must have {full.shape[1]} as y_full has")
    difference, before, after = (torch.linalg.vector_norm(v, dim=1) for v in (train - full, full, train))
    largest = before.max().clamp_min(torch.finfo(before.dtype).tiny)
    excess = difference / largest
    spurious = ((after > 2 * before) & (after - before > threshold * largest)).nonzero().flatten()
    energy = (difference.square().sum() / before.square().sum()).item()
    shape = (len(k),) if y_full.ndim == 1 else full.shape
    return AliasReport(k, train.reshape(shape), full.reshape(shape), excess, spurious, energy)


def _spectrum(of: str, x: Tensor, y: Tensor, k: Tensor, period: tuple[float, ...]) -> Tensor:
    check_values(f"y_{of}", y, x)
    try:
        return spectrum(x, y.detach().reshape(len(y), -1), k, period)
    except ValueError:  # of numbers that are finite
        raise ValueError(f"k: had products with x_{of} of 2^52 turns or more, must be less") from None
