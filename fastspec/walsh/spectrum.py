"""Functions of n bits: their inputs in the transform's order, and how much of them is of which degree."""

from collections.abc import Callable

import torch
from torch import Tensor

from .. import _check
from .transform import fwht

MOST_BITS = 30
_BATCH = 2**16  # inputs at a time

Device = torch.device | str | None
Model = Callable[[Tensor], Tensor]


def cube(
    n: int, *, start: int = 0, end: int | None = None, dtype: torch.dtype | None = None, device: Device = None
) -> Tensor:
    """All inputs {0, 1}^n as rows in the transform's order, the first bit the most significant.

    Args:
        n: number of bits, at most 30.
        start, end: of the 2^n rows those from ``start`` up to ``end``.
        dtype: of the rows, default torch's default.

    Returns:
        ``(end - start, n)``.
    """
    check_bits("n", n)
    index = torch.arange(start, 2**n if end is None else end, device=device)
    place = torch.arange(n - 1, -1, -1, device=device)
    return ((index[:, None] >> place) & 1).to(dtype or torch.get_default_dtype())


def degrees(n: int, device: Device = None) -> Tensor:
    """The degree |f|, the number of ones, of every frequency f of n bits in the transform's order: int64 ``(2^n,)``."""
    check_bits("n", n)
    count = torch.zeros(1, dtype=torch.int64, device=device)
    for _ in range(n):
        count = torch.cat([count, count + 1])
    return count


def spectrum_by_degree(f: Model | Tensor, n: int) -> Tensor:
    """The energy of a function of n bits by degree: E_d = Σ_{|f| = d} c_f², with g(x) = Σ_f c_f (-1)^⟨f,x⟩.

    c_f = 2^-n Σ_x g(x) (-1)^⟨f,x⟩ over all x in {0, 1}^n, so by Parseval's identity Σ_d E_d is the mean of g². Networks
    learn the low degrees first (arXiv 2305.09779).

    Args:
        f: the function, of rows ``(m, n)`` of zeros and ones to ``(m,)``, ``(m, 1)`` or ``(m, C)``; or its values
            ``(2^n,)`` or ``(2^n, C)`` on the rows of :func:`cube`. A module is called in its own dtype and device.
        n: number of bits.

    Returns:
        ``(n + 1,)``, or ``(n + 1, C)`` where there is more than one channel; real. Gradients flow through it.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """
    values = f if isinstance(f, Tensor) else evaluate(f, n)
    check_bits("n", n)
    if values.ndim not in (1, 2) or values.shape[0] != 2**n:
        raise ValueError(f"f: had values of shape {tuple(values.shape)}, must be ({2**n},) or ({2**n}, C)")
    rows = values.reshape(2**n, -1)
    energy = (fwht(rows, dim=0) / 2**n).abs().square()
    out: Tensor = energy.new_zeros(n + 1, rows.shape[1]).index_add(0, degrees(n, rows.device), energy)
    return out[:, 0] if rows.shape[1] == 1 else out


def evaluate(f: Model, n: int) -> Tensor:
    """The values of f on the whole cube, some inputs at a time."""
    if not callable(f):
        raise TypeError(f"f: was {type(f).__name__}, must be a tensor of values or callable")
    check_bits("n", n)
    like, step = parameter_of(f), _BATCH
    starts = range(0, 2**n, step)
    batches = [f(cube(n, start=i, end=min(i + step, 2**n), dtype=like.dtype, device=like.device)) for i in starts]
    for batch in batches[:1]:
        _check.tensor("f", batch)
    return torch.cat(batches)


def parameter_of(model: object) -> Tensor:
    """A module's first, whose dtype and device its inputs have; of anything else one of the default kind."""
    parameters = model.parameters() if isinstance(model, torch.nn.Module) else iter(())
    return next(parameters, torch.empty(0))


def scalar_output(model: Model, x: Tensor) -> Tensor:
    """model(x) as (m,), in float32 at least, as losses are: what is regularised is one function."""
    out = model(x)
    _check.tensor("model", out)
    if out.shape not in ((len(x),), (len(x), 1)):
        raise ValueError(f"model: returned shape {tuple(out.shape)}, must be ({len(x)},) or ({len(x)}, 1)")
    return out.reshape(len(x)).to(torch.promote_types(out.dtype, torch.float32))


def check_bits(name: str, n: int, most: int = MOST_BITS) -> None:
    if isinstance(n, bool) or not isinstance(n, int):
        raise TypeError(f"{name}: was {type(n).__name__}, must be an int")
    if not 1 <= n <= most:
        raise ValueError(f"{name}: was {n}, must be 1 to {most}")
