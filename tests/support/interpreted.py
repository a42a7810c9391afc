"""The Triton ops against exact sums, for test_triton.py: on the CPU in Triton's interpreter, or on a GPU.

Each function returns relative errors by name. To interpret, a process must have TRITON_INTERPRET=1 before it imports
Triton.
"""

import math

import exact
import numpy as np
import torch
from torch import Tensor


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
    from fastspec._core.triton.exponential_sums import (
        exponential_sums,
        exponential_sums_gradient,
        exponential_sums_real,
    )

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
    given = x, c, s
    found = (
        *(op(*given, sign) for op in (exponential_sums, exponential_sums_real)),
        exponential_sums_gradient(*given, g, sign),
    )
    names = "sums", "real part", "gradient"
    return dict(zip(names, map(_error, found, (want, want.real, want_gradient)), strict=True))


def no_sums(dtype: torch.dtype, device="cpu") -> dict:
    from fastspec._core.triton.exponential_sums import (
        exponential_sums,
        exponential_sums_gradient,
        exponential_sums_real,
    )

    empty = {"dtype": dtype, "device": device}
    x, c, s = torch.zeros(0, 2, **empty), torch.zeros(3, 0, **empty), torch.ones(4, 2, **empty)
    gradient = exponential_sums_gradient(s, torch.ones(3, 4, **empty), x, c, 1)
    found = exponential_sums(x, c, s, 1), exponential_sums_real(x, c, s, 1), gradient
    shapes = [tuple(t.shape) for t in found]
    return {"shapes": float(shapes != [(3, 4), (3, 4), (4, 2)]), "zero": sum(t.abs().sum().item() for t in found)}


def _axis(x: Tensor, n: int, period: float, centered: bool, halved: bool, sign: int) -> tuple[np.ndarray, np.ndarray]:
    """Exponentials (S, M, N) of one axis and d phase / dx for each mode, of points folded exactly."""
    k = np.arange(n // 2 + 1) if halved else np.arange(-(n // 2), (n + 1) // 2)
    k = k if centered or halved else np.roll(k, -(n // 2))
    tau = 2 * np.arctan2(np.longdouble(0), np.longdouble(-1))
    rate = sign * k * (tau / (tau if period == math.tau else np.longdouble(period)))
    folded = np.array([exact.cycles(v, period) >> exact.BITS - 63 for v in x.flatten().tolist()])
    phase = tau * sign * k * (folded.astype(np.longdouble).reshape(*x.shape, 1) / 2**63)
    return np.cos(phase) + 1j * np.sin(phase), rate


def on_modes(dtype: torch.dtype, modes, m: int, sets: int, channels: int, real: bool, centered: bool, device="cpu"):
    """Both types and the gradient in the points, which lie in many periods, of float64 up to a million."""
    from fastspec._core.triton.direct import direct_type1, direct_type2, direct_type2_gradient

    gen, d, sign = _generator(modes, m, sets, channels), len(modes), 1 if centered else -1
    paired = torch.promote_types(dtype, torch.complex32)
    period = [math.tau, 0.3, 5.0][:d]
    kept = (*modes[:-1], modes[-1] // 2 + 1) if real else modes
    periods = 2e6 if dtype == torch.float64 else 100
    x = ((torch.rand(sets, m, d, generator=gen, dtype=torch.float64) - 0.5) * periods * torch.tensor(period)).to(dtype)
    c = torch.randn(sets, channels, m, generator=gen, dtype=dtype if real else paired)
    f = torch.randn(sets, channels, *kept, generator=gen, dtype=paired)

    waves, rates = np.ones((sets, m, 1)), []
    for a, (n, p) in enumerate(zip(modes, period, strict=True)):
        wave, rate = _axis(x[..., a], n, p, centered, real and a == d - 1, sign)
        waves = (waves[..., None] * wave[:, :, None]).reshape(sets, m, -1)
        rates.append(np.broadcast_to(rate.reshape(-1, *[1] * (d - 1 - a)), kept).reshape(-1))
    k = np.arange(kept[-1])
    counts = np.where((k == 0) | (2 * k == modes[-1]) | (not real), 1, 2)
    spectrum = (_numpy(f) * counts).reshape(sets, channels, -1)
    first = _numpy(c) @ waves
    second = spectrum @ waves.swapaxes(1, 2)
    slopes = [(1j * rate * spectrum) @ waves.swapaxes(1, 2) for rate in rates]
    gradient = np.stack([(_numpy(c).conj() * slope).real.sum(1) for slope in slopes], -1)
    want = [_torch(first.reshape(sets, channels, *kept)), _torch(second), _torch(gradient).real]
    want[1] = want[1].real if real else want[1]

    x, c, f = (t.to(device) for t in (x, c, f))
    given = modes, period, centered, sign
    values, with_values = direct_type2_gradient(x, f, c, *given, True)
    nothing, alone = direct_type2_gradient(x, f, c, *given, False)
    found = direct_type1(x, c, *given), direct_type2(x, f, *given, real), alone, values, with_values
    names = "type 1", "type 2", "gradient", "values", "gradient beside values"
    errors = dict(zip(names, map(_error, found, (*want, want[1], want[2])), strict=True))
    return errors | {"not wanted": float(nothing.numel()), "shape": float(found[0].shape != want[0].shape)}


def on_no_modes(dtype: torch.dtype, device="cpu") -> dict:
    from fastspec._core.triton.direct import direct_type1, direct_type2, direct_type2_gradient

    given, wrong = ((4, 3), [1.0, 2.0], True, 1), 0
    paired = torch.promote_types(dtype, torch.complex32)
    for sets, channels, m in ((0, 1, 5), (1, 0, 5), (2, 1, 0)):
        x = torch.ones(sets, m, 2, dtype=dtype, device=device)
        c, f = (torch.ones(sets, channels, *more, dtype=paired, device=device) for more in ((m,), (4, 3)))
        first, second = direct_type1(x, c, *given), direct_type2(x, f, *given, False)
        values, gradient = direct_type2_gradient(x, f, c, *given, True)
        wrong += (first.shape != f.shape) + (second.shape != c.shape) + (values.shape != c.shape)
        wrong += (gradient.shape != x.shape) + bool(first.any()) + bool(gradient.any())
    return {"wrong": float(wrong)}


def filters(dtype: torch.dtype, n: int, d: int, channels: int, widths: int, sets: int, device="cpu"):
    """Far from the origin, where squares of distances would cancel."""
    from fastspec._core.triton.gaussian import gaussian_filter, gaussian_filter_gradient

    gen = _generator(n, d, channels, widths)
    x = torch.randn(n, d, generator=gen, dtype=dtype) + 30
    y = torch.randn(sets, n, channels, generator=gen, dtype=dtype)
    g = torch.randn(widths, n, channels, generator=gen, dtype=dtype)
    deltas = torch.linspace(0.05, 1, widths, dtype=torch.float64) * d
    exact = x.double().requires_grad_()
    kernel = (-(exact[:, None] - exact[None]).square().sum(-1) / (2 * deltas[:, None, None])).exp()
    gradient = torch.autograd.grad((kernel @ y[:1].double() * g.double()).sum(), exact)[0]
    want = (kernel @ y.double()).detach(), kernel.sum(-1).detach(), gradient
    x, y, g = (t.to(device) for t in (x, y, g))
    found = *gaussian_filter(x, y, deltas), gaussian_filter_gradient(x, y[:1], deltas, g)
    names = "sums", "normalisers", "gradient"
    return dict(zip(names, map(_error, found, want), strict=True))


def rounded_filters(precision: str, n: int, d: int, channels: int, widths: int, sets: int, device="cpu"):
    """Of normal points far from the origin; what is low-passed, as is measured, and the normalisers."""
    from fastspec._core.triton.gaussian_rounded import gaussian_filter_rounded

    gen = _generator(n, d, channels, widths)
    x = torch.randn(n, d, generator=gen) + 30
    y = torch.randn(sets, n, channels, generator=gen)
    deltas = torch.linspace(0.05, 1, widths, dtype=torch.float64) * d
    kernel = (-(x[:, None] - x[None]).double().square().sum(-1) / (2 * deltas[:, None, None])).exp()
    want = (kernel @ y.double()) / kernel.sum(-1, keepdim=True), kernel.sum(-1)
    sums, normalisers = gaussian_filter_rounded(x.to(device), y.to(device), deltas, precision)
    found = sums / normalisers.unsqueeze(-1), normalisers
    return dict(zip(("low-passed", "normalisers"), map(_error, found, want), strict=True))
