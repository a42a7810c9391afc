import math

import torch
from torch import Tensor

from .. import _check
from .._core.hadamard import hadamard

_HALVES = (torch.float16, torch.bfloat16)


def fwht(x: Tensor, dim: int = -1, normalized: bool = False) -> Tensor:
    """The fast Walsh-Hadamard transform along a dimension: F_f = Σ_t (-1)^⟨f,t⟩ x_t, ⟨f,t⟩ the common bits of f and t.

    Natural (Hadamard) order, that of the Sylvester matrix H_{2n} = [[H_n, H_n], [H_n, -H_n]] (Fino & Algazi 1976), in
    n log2 n additions. The transform is symmetric and, normalised, its own inverse: unnormalised, applying it twice
    multiplies by n. Differentiable to any order, under torch.func, torch.vmap and torch.compile.

    Args:
        x: any shape, a power of two long along ``dim``: real, complex or integer. float16 and bfloat16 are computed in
            float32. Integers are exact, modulo 2^32 or 2^64 beyond; those shorter than 32 bits and booleans become
            int64, as in torch.sum.
        dim: the dimension to transform.
        normalized: divide by √n, which makes the transform orthonormal; integers then become the default float dtype.

    Returns:
        The transform, of the shape of ``x`` and, but for integers as told, its dtype.

    Raises:
        TypeError: if ``x`` is not a tensor.
        IndexError: if ``x`` has no such dimension.
        ValueError: if ``x`` has no dimension, or its length there is not a power of two.
    """
    _check.tensor("x", x)
    if x.ndim == 0:
        raise ValueError("x: had no dimension, must have at least one")
    dim, normalized = _check.integer("dim", dim), _check.flag("normalized", normalized)
    if not -x.ndim <= dim < x.ndim:
        raise IndexError(f"dim: was {dim}, must be {-x.ndim} to {x.ndim - 1} for x of {x.ndim} dimensions")
    dim %= x.ndim
    n = x.shape[dim]
    if n < 1 or n & (n - 1):
        raise ValueError(f"x: length was {n} along dimension {dim}, must be a power of two")
    work = x.to(_working_dtype(x.dtype, normalized))
    lines = work.reshape(math.prod(x.shape[:dim]), n, math.prod(x.shape[dim + 1 :]))
    out = hadamard(lines.resolve_conj().contiguous(), n**-0.5 if normalized else 1.0).reshape(x.shape)
    return out.to(x.dtype) if x.dtype in _HALVES or x.dtype == torch.complex32 else out


def _working_dtype(dtype: torch.dtype, normalized: bool) -> torch.dtype:
    if dtype in _HALVES:
        return torch.float32
    if dtype == torch.complex32:
        return torch.complex64
    if dtype.is_floating_point or dtype.is_complex:
        return dtype
    if normalized:
        return torch.get_default_dtype()
    return dtype if dtype in (torch.int32, torch.int64) else torch.int64
