"""Problems over all pairs of points and frequencies, or of points, and their rivals: what one would write by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

import fastspec as fs
from benchmarks.measure import Contender, brief, plain


@dataclass(frozen=True)
class OnFrequencies:
    """The loss on Sobolev-drawn frequencies: points in [-pi, pi)^d, normal data, weight 1, float32."""

    points: int
    frequencies: int
    dim: int
    eps: float = 3e-6

    def __str__(self) -> str:
        return f"{self.dim}-D {brief(self.points)} points, {brief(self.frequencies)} frequencies"

    def _normal(self, seed: int) -> Tensor:
        return torch.randn(self.points, generator=torch.Generator().manual_seed(seed))

    @cached_property
    def x(self) -> Tensor:
        gen = torch.Generator().manual_seed(0)
        return (torch.rand(self.points, self.dim, generator=gen) - 0.5) * 2 * torch.pi

    @cached_property
    def k(self) -> Tensor:
        return fs.weights.sample_sobolev(self.frequencies, self.dim, -self.dim, torch.Generator().manual_seed(1))

    @cached_property
    def pred(self) -> Tensor:
        return self._normal(2).requires_grad_()

    @cached_property
    def target(self) -> Tensor:
        return self._normal(3)

    @cached_property
    def exact(self) -> Tensor:
        """The gradient in pred."""
        residual, out = self.pred.detach().double() - self.target, []
        spectrum = sum(
            fs.reference.nufft3(x, r, self.k.double())
            for x, r in zip(self.x.double().split(1000), residual.split(1000), strict=True)
        )
        for x in self.x.double().split(1000):
            out.append(fs.reference.nufft3(self.k.double(), spectrum, x, sign=1).real)
        return torch.cat(out) * (2 / self.points**2)


def loss_on_frequencies(p: OnFrequencies) -> Contender:
    """Loss and backward through autograd."""
    loss = fs.SpectralLoss(frequencies=p.k, x=p.x)

    def step():
        p.pred.grad = None
        loss(p.pred, p.target).backward()
        return p.pred.grad

    return plain("fastspec", step)


def torch_on_frequencies(p: OnFrequencies, chunk: int) -> Contender:
    """Cosines, sines and matrix products by hand, ``chunk`` points at a time; no autograd to pay for."""
    chunks, k = p.x.split(chunk), p.k.mT.contiguous()

    @torch.no_grad()
    def step():
        residual = (p.pred - p.target) / p.points
        cosine, sine = torch.zeros(p.frequencies), torch.zeros(p.frequencies)
        for x, r in zip(chunks, residual.split(chunk), strict=True):
            phase = x @ k
            cosine += r @ phase.cos()
            sine += r @ phase.sin()
        cosine.square().sum() + sine.square().sum()  # the loss
        gradient = []
        for x in chunks:
            phase = x @ k
            gradient.append(phase.cos() @ cosine + phase.sin() @ sine)
        return torch.cat(gradient) * (2 / p.points)

    return plain(f"torch, {chunk} points at a time", step)


def keops_on_frequencies(p: OnFrequencies) -> Contender:
    """The two reductions by hand, compiled beforehand; no autograd to pay for."""
    from pykeops.torch import LazyTensor

    forth = LazyTensor(p.k[:, None]) | LazyTensor(p.x[None])
    back = LazyTensor(p.x[:, None]) | LazyTensor(p.k[None])
    cosine_sine = forth.cos().concat(forth.sin())

    @torch.no_grad()
    def step():
        residual = (p.pred - p.target) / p.points
        spectrum = (cosine_sine * LazyTensor(residual[None, :, None])).sum(1)
        spectrum.square().sum()  # the loss
        cosine, sine = (LazyTensor(part.contiguous()[None, :, None]) for part in spectrum.unbind(1))
        return (back.cos() * cosine + back.sin() * sine).sum(1)[:, 0] * (2 / p.points)

    return plain("pykeops", step)


@dataclass(frozen=True)
class Filtering:
    """Normal points and values, float32; widths as for CIFAR10 in arXiv 1901.06523."""

    points: int
    dim: int = 64
    widths: int = 20
    eps: float = 1e-6

    def __str__(self) -> str:
        return f"{self.dim}-D {brief(self.points)} points, {self.widths} widths"

    @cached_property
    def x(self) -> Tensor:
        return torch.randn(self.points, self.dim, generator=torch.Generator().manual_seed(0))

    @cached_property
    def y(self) -> Tensor:
        return torch.randn(self.points, 1, generator=torch.Generator().manual_seed(1))

    @property
    def deltas(self) -> list[float]:
        return torch.linspace(2, 100, self.widths).tolist()


def torch_filter(x: Tensor, y: Tensor, deltas: Sequence[float], chunk: int) -> Tensor:
    """Squared distances of ``chunk`` points at a time by a matrix product, then each width."""
    norms, out = x.square().sum(1), torch.empty(len(deltas), *y.shape)
    for first in range(0, len(x), chunk):
        rows = slice(first, first + chunk)
        squares = norms + norms[rows, None] - 2 * (x[rows] @ x.mT)
        for w, delta in enumerate(deltas):
            kernel = torch.exp(squares * (-0.5 / delta))
            out[w, rows] = (kernel @ y) / kernel.sum(1, keepdim=True)
    return out
