"""Checks of what users pass: each names the argument, what it was and what it must be."""

import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

REAL_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
MOST_MODES = 2**40  # far beyond any memory, and well within the planner's integers
ALGORITHMS = ("auto", "direct", "gridding")
COMPLEX_DTYPES = (torch.complex32, torch.complex64, torch.complex128)


class Wanted(NamedTuple):
    """What a user asks of a transform between points and a grid of modes."""

    dtype: torch.dtype  # real, of the computation
    modes: tuple[int, ...]
    period: tuple[float, ...]
    centered: bool
    eps: float
    algorithm: str


def wanted(
    x: Tensor,
    data: Tensor | None,
    modes_: object,
    eps_: object,
    period_: object,
    order_: object,
    algorithm_: str = "auto",
) -> Wanted:
    """For points x and, unless it is None, data to transform."""
    dim, dtype = dimension(x), precision(x, data)
    grid = modes(modes_, dim), period(period_, dim), order(order_)
    return Wanted(dtype, *grid, eps(eps_, dtype), algorithm(algorithm_))


def may_read(x: Tensor) -> bool:
    """Whether its numbers are there to be looked at: not where it is traced, fake, on meta or one of many to vmap."""
    return not (
        torch.compiler.is_compiling()
        or x.device.type == "meta"
        or torch._C._len_torch_dispatch_stack()
        or torch._C._functorch.is_functorch_wrapped_tensor(x)
    )


def dimension(x: Tensor) -> int:
    return 1 if x.ndim == 1 else x.shape[-1]


def precision(x: Tensor, data: Tensor | None = None) -> torch.dtype:
    """Real dtype of the computation: that of the data, as points are coordinates."""
    return torch.promote_types(x.dtype if data is None else real_dtype(data), torch.float32)


def real_dtype(data: Tensor) -> torch.dtype:
    return data.real.dtype if data.is_complex() else data.dtype


def points(x: Tensor) -> None:
    tensor("x", x)
    if x.dtype not in REAL_DTYPES:
        raise TypeError(f"x: dtype was {x.dtype}, must be real and floating")
    if x.ndim == 0:
        raise ValueError("x: shape was (), must be (M,), (M, d) or (..., M, d)")
    if x.ndim > 1 and not 1 <= x.shape[-1] <= 3:
        raise ValueError(f"x: had {x.shape[-1]} dimensions, must be 1 to 3 where a grid of modes is used")


def coordinates(name: str, value: Tensor, ranks: tuple[int, ...] | None = None) -> None:
    """Points or frequencies in any dimension, of these ranks or any."""
    tensor(name, value)
    if value.dtype not in REAL_DTYPES:
        raise TypeError(f"{name}: dtype was {value.dtype}, must be real and floating")
    letter = "M" if name == "x" else "K"
    shapes = {1: f"({letter},)", 2: f"({letter}, d)", 3: f"(..., {letter}, d)"}
    wrong = value.ndim not in ranks if ranks else value.ndim == 0
    if wrong or (value.ndim > 1 and value.shape[-1] == 0):
        said = " or ".join(shapes[r] for r in ranks or (1, 2, 3))
        raise ValueError(f"{name}: shape was {tuple(value.shape)}, must be {said}")


def frequencies(s: Tensor, x: Tensor) -> None:
    coordinates("s", s)
    if s.device != x.device:
        raise ValueError(f"s: was on {s.device}, must be on {x.device} as x is")
    wanted, had = (dimension(t) for t in (x, s))
    if had != wanted:
        raise ValueError(f"s: had {had} dimensions, must have {wanted} as x has")
    if x.ndim > 2 and s.ndim > 2 and x.shape[:-2] != s.shape[:-2]:
        raise ValueError(f"s: shape was {tuple(s.shape)}, must begin with {tuple(x.shape[:-2])}, x's number of sets")


def algorithm(value: str) -> str:
    if value not in ALGORITHMS:
        raise ValueError(f"algorithm: was {value!r}, must be 'auto', 'direct' or 'gridding'")
    return value


def tensor(name: str, value: object) -> None:
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}: was {type(value).__name__}, must be a tensor")
    if value.is_nested or value.layout != torch.strided:
        kind = "nested" if value.is_nested else str(value.layout)
        raise TypeError(f"{name}: was a {kind} tensor, must be dense: pad ragged sets with strengths of zero")


def data(name: str, value: Tensor, x: Tensor, *, real: bool = False, complex: bool = False) -> None:
    """Dtype and device of strengths, values or coefficients."""
    tensor(name, value)
    if value.dtype not in REAL_DTYPES + COMPLEX_DTYPES:
        raise TypeError(f"{name}: dtype was {value.dtype}, must be floating or complex")
    if real and value.is_complex():
        raise TypeError(f"{name}: dtype was {value.dtype}, must be real")
    if complex and not value.is_complex():
        raise TypeError(f"{name}: dtype was {value.dtype}, must be complex")
    if value.device != x.device:
        raise ValueError(f"{name}: was on {value.device}, must be on {x.device} as x is")


def trailing(name: str, value: Tensor, shape: Sequence[int]) -> None:
    """The last axes of ``value``."""
    if value.ndim < len(shape) or tuple(value.shape[value.ndim - len(shape) :]) != tuple(shape):
        wanted = ", ".join(str(n) for n in shape)
        raise ValueError(f"{name}: shape was {tuple(value.shape)}, must be (..., {wanted})")


def modes(value: object, dim: int | None = None, most: int | None = 3) -> tuple[int, ...]:
    """As a tuple; ``dim`` is None where there are no points yet to say it, ``most`` where no grid is needed."""
    try:
        given: Any = value
        if not isinstance(value, (int, Sequence)) and hasattr(value, "tolist"):  # tensors, arrays, NumPy's integers
            given = given.tolist()
        several = isinstance(given, Sequence)
        # plain numbers, also where torch.compile has symbols for them
        counts = tuple([operator.index(n) for n in given]) if several else (operator.index(given),) * (dim or 1)
    except TypeError:
        raise TypeError(f"modes: was {value!r}, must be an int or a sequence of ints") from None
    if dim is not None and len(counts) != dim:
        raise ValueError(f"modes: was {value!r}, must have {dim} numbers, one per dimension of x")
    if not counts or (most is not None and len(counts) > most):
        raise ValueError(f"modes: was {value!r}, must have 1 to 3 numbers, one per dimension of x")
    if min(counts) < 1:
        raise ValueError(f"modes: was {value!r}, must be at least 1 in each dimension")
    if math.prod(counts) > MOST_MODES:
        raise ValueError(f"modes: was {value!r}, must be at most 2^40 in all")
    return counts


def period(value: object, dim: int) -> tuple[float, ...]:
    if isinstance(value, (int, float)):
        lengths: list[Any] = [_plain(value)] * dim
    else:
        lengths = _numbers(value, "period: was {!r}, must be a float or one per dimension")
        lengths = lengths * dim if getattr(value, "ndim", 1) == 0 else lengths
    if len(lengths) != dim:
        raise ValueError(f"period: was {value!r}, must be a float or {dim} of them, one per dimension of x")
    if not all([0 < p < math.inf for p in lengths]):
        raise ValueError(f"period: was {value!r}, must be positive and finite")
    return tuple(lengths)


def _numbers(value: Any, complaint: str) -> list[float]:
    """Of a sequence, a tensor, an array, or one number as any of these."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    listed = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    if not all([isinstance(number, (int, float)) or hasattr(number, "__float__") for number in listed]):
        raise TypeError(complaint.format(value))
    return [_plain(number) for number in listed]


def _plain(number: Any) -> float:
    number = float(number)
    # where torch.compile has a symbol for it, this makes it a number
    return float.fromhex(number.hex()) if torch.compiler.is_compiling() else number


def sign(value: Any) -> int:
    if value not in (-1, 1):
        raise ValueError(f"sign: was {value!r}, must be -1 or +1")
    return int(value)


def eps(value: object, dtype: torch.dtype) -> float:
    if value is None:
        return 1e-12 if dtype == torch.float64 else 1e-6
    if not isinstance(value, (int, float)):
        (value,) = _numbers(value, "eps: was {!r}, must be a float")
    if not 0 < value < 1:
        raise ValueError(f"eps: was {value!r}, must be between 0 and 1")
    return _plain(value)


def order(value: object) -> bool:
    """True for centered."""
    if value not in ("centered", "fft"):
        raise ValueError(f"order: was {value!r}, must be 'centered' or 'fft'")
    return value == "centered"


def weight(value: object) -> None:
    if value is not None and not isinstance(value, Tensor) and not callable(value):
        raise TypeError(f"weight: was {type(value).__name__}, must be a tensor over the modes, a callable or None")
