"""Ops in plain torch, for devices and installations that no kernel serves."""

import torch
from torch import Tensor


def weigh(spectrum: Tensor, weight: Tensor, scale: float) -> Tensor:
    bands = [[(0, weight.shape[1])]]
    for n, band in zip(spectrum.shape[2:], weight.shape[2:], strict=True):
        bands.append([(0, band - band // 2), (n - band // 2, n)])
    whole = torch.zeros((len(weight), *spectrum.shape[1:]), dtype=weight.dtype, device=weight.device)
    _scatter(whole, weight, bands)
    power = whole * (spectrum.real.square() + spectrum.imag.square())
    power[:, 1:] *= 2
    sums = scale * power.flatten(1).sum(1, dtype=torch.float64)
    spectrum.copy_(torch.where(whole > 0, spectrum * (whole * (2 * scale)), 0))
    return sums


def _scatter(whole: Tensor, part: Tensor, bands, axis: int = 1) -> None:
    if not bands:
        whole.copy_(part)
        return
    start = 0
    for first, end in bands[0]:
        length = end - first
        _scatter(whole.narrow(axis, first, length), part.narrow(axis, start, length), bands[1:], axis + 1)
        start += length


def weigh_copy(spectrum: Tensor, weight: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    weighed = spectrum.clone()
    return weigh(weighed, weight, scale), weighed


for _op in (weigh, weigh_copy):
    torch.library.impl(f"fastspec::{_op.__name__}", "CompositeExplicitAutograd")(_op)
