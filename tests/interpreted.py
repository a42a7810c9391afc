"""The Triton ops against exact sums, for test_triton.py: on the CPU in Triton's interpreter, or on a GPU.

Each function returns relative errors by name. To interpret, a process must have TRITON_INTERPRET=1 before it imports
Triton.
"""

import numpy as np
import torch
from torch import Tensor

from fastspec import _fallback


def _generator(*seed) -> torch.Generator:
    return torch.Generator().manual_seed(sum(map(ord, repr(seed))))


def _error(got: Tensor, want: Tensor) -> float:
    if not want.norm():
        return got.norm().item()
    return ((got.cpu().to(want.dtype) - want).norm() / want.norm()).item()


def _exponentials(x: Tensor, s: Tensor, sign: int) -> np.ndarray:
    """(K, M) in extended precision: float64 itself keeps but 1e-12 of a phase of 1e4."""
    phase = sign * (s.numpy().astype(np.longdouble) @ x.numpy().astype(np.longdouble).T)
    return np.cos(phase) + 1j * np.sin(phase)


def _numpy(t: Tensor) -> np.ndarray:
    return t.numpy().astype(np.clongdouble)


def _torch(a: np.ndarray) -> Tensor:
    return torch.from_numpy(a.astype(np.complex128))


def sums(dtype: torch.dtype, d: int, m: int, k: int, rows: int, paired: bool, sign: int, phase: float, device="cpu"):
    """Sums and gradients in the points, the dimensions of very different size, phases up to ``phase``."""
    from fastspec.triton.direct import direct, direct_gradient, direct_real

    gen = _generator(d, m, k, rows, paired)
    spread = torch.logspace(-2, 2, d, dtype=dtype) if d > 1 else torch.ones(1, dtype=dtype)
    x = (torch.rand(m, d, generator=gen, dtype=dtype) - 0.5) * spread
    s = torch.randn(k, d, generator=gen, dtype=dtype) / spread
    s = s * (phase / (s.abs().amax(0) * x.abs().amax(0)).sum())
    c = torch.randn(rows, m, generator=gen, dtype=torch.promote_types(dtype, torch.complex32) if paired else dtype)
    g = torch.randn(rows, k, generator=gen, dtype=torch.promote_types(dtype, torch.complex32))
    waves = _exponentials(x, s, sign)
    want = _torch(_numpy(c) @ waves.T)
    pairs = (np.conj(_numpy(g)).T[:, None, :] * _numpy(c).T[None]).sum(-1) * (1j * sign * waves)
    want_gradient = _torch(pairs.real.T @ _numpy(s)).real
    x, c, s, g = (t.to(device) for t in (x, c, s, g))
    found = direct(x, c, s, sign), direct_real(x, c, s, sign), direct_gradient(x, c, s, g, sign)
    names = "direct", "direct_real", "direct_gradient"
    return dict(zip(names, map(_error, found, (want, want.real, want_gradient)), strict=True))


def no_sums(dtype: torch.dtype, device="cpu") -> dict:
    from fastspec.triton.direct import direct, direct_gradient, direct_real

    empty = {"dtype": dtype, "device": device}
    x, c, s = torch.zeros(0, 2, **empty), torch.zeros(3, 0, **empty), torch.ones(4, 2, **empty)
    found = direct(x, c, s, 1), direct_real(x, c, s, 1), direct_gradient(s, torch.ones(3, 4, **empty), x, c, 1)
    shapes = [tuple(t.shape) for t in found]
    return {"shapes": float(shapes != [(3, 4), (3, 4), (4, 2)]), "zero": sum(t.abs().sum().item() for t in found)}


def weighs(dtype: torch.dtype, cells: tuple, band: tuple, rows: int, weights: int, device="cpu"):
    from fastspec.triton.weigh import weigh, weigh_copy

    gen = _generator(cells, band)
    spectrum = torch.randn(rows, *cells, generator=gen, dtype=torch.promote_types(dtype, torch.complex32))
    weight = torch.rand(weights, *band, generator=gen, dtype=dtype)
    exact = spectrum.to(torch.complex128, copy=True)
    sums = _fallback.weigh(exact, weight.double(), 0.37 / 1e5)
    spectrum, weight = spectrum.to(device), weight.to(device)
    copied_sums, copied = weigh_copy(spectrum, weight, 0.37 / 1e5)
    found = weigh(spectrum, weight, 0.37 / 1e5)
    same = float(not torch.equal(copied, spectrum) or not torch.equal(copied_sums, found))
    return {"sums": _error(found, sums), "spectrum": _error(spectrum, exact), "copy": same}


def filters(dtype: torch.dtype, n: int, d: int, channels: int, widths: int, sets: int, device="cpu"):
    """Far from the origin, where squares of distances would cancel."""
    from fastspec.triton.filter import gaussian_filter, gaussian_filter_gradient

    gen = _generator(n, d, channels, widths)
    x = torch.randn(n, d, generator=gen, dtype=dtype) + 30
    y = torch.randn(sets, n, channels, generator=gen, dtype=dtype)
    g = torch.randn(widths, n, channels, generator=gen, dtype=dtype)
    deltas = torch.linspace(0.05, 1, widths, dtype=torch.float64) * d
    exact = x.double().requires_grad_()
    kernel = (-(exact[:, None] - exact[None]).square().sum(-1) / (2 * deltas[:, None, None])).exp()
    x, y, g = (t.to(device) for t in (x, y, g))
    found = *gaussian_filter(x, y, deltas), gaussian_filter_gradient(x, y[:1], deltas, g)
    gradient = torch.autograd.grad((kernel @ y[:1].double() * g.double()).sum(), exact)[0]
    want = (kernel @ y.double()).detach(), kernel.sum(-1).detach(), gradient
    names = "sums", "normalisers", "gradient"
    return dict(zip(names, map(_error, found, want), strict=True))
