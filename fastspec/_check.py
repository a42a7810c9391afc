"""Checks of what users pass: each names the argument, what it was and what it must be."""

import math
import operator
import sys
import warnings
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, NamedTuple

import torch
from torch import Tensor

REAL_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
MOST_MODES = 2**40  # far beyond any memory, and well within the planner's integers
ALGORITHMS = ("auto", "direct", "gridding")
REAL_OF = {torch.complex32: torch.float16, torch.complex64: torch.float32, torch.complex128: torch.float64}
COMPLEX_DTYPES = tuple(REAL_OF)
INTEGERS = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
FLOORS = {torch.float32: 2.5e-7, torch.float64: 4e-15}  # what rounding leaves of a small transform at any eps


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
    return REAL_OF.get(data.dtype, data.dtype)  # no view: of a conjugate one torch's forward mode takes none


def points(x: Tensor, name: str = "x") -> None:
    tensor(name, x)
    if x.dtype not in REAL_DTYPES:
        raise TypeError(f"{name}: dtype was {x.dtype}, must be real and floating")
    if x.ndim == 0:
        raise ValueError(f"{name}: shape was (), must be (M,), (M, d) or (..., M, d)")
    if x.ndim > 1 and not 1 <= x.shape[-1] <= 3:
        raise ValueError(f"{name}: had {x.shape[-1]} dimensions, must be 1 to 3 where a grid of modes is used")


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
    return choice("algorithm", value, ALGORITHMS)


def tensor(name: str, value: object) -> None:
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}: was {type(value).__name__}, must be a tensor")
    if value.is_nested or value.layout != torch.strided:
        raise TypeError(f"{name}: was {said(value)}, must be dense: pad ragged sets with strengths of zero")
    if value.dtype not in REAL_DTYPES + COMPLEX_DTYPES + INTEGERS:
        raise TypeError(f"{name}: dtype was {value.dtype}, must be one that numbers are computed in")


def said(value: object) -> str:
    """What messages say of it: of tensors not their numbers, which some have not."""
    if not isinstance(value, Tensor):
        return repr(value)
    if value.is_nested or value.layout != torch.strided:
        return f"a {'nested' if value.is_nested else value.layout} tensor"
    return f"a tensor of shape {tuple(value.shape)}"


def instance(name: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{name}: was {type(value).__name__}, must be a {kind.__name__}")


def choice(name: str, value: Any, options: Sequence[str]) -> str:
    """One of some names."""
    if not isinstance(value, str) or value not in options:
        *others, last = map(repr, options)
        raise ValueError(f"{name}: was {said(value)}, must be {', '.join(others)} or {last}")
    return value


def flag(name: str, value: Any) -> bool:
    """True or False; also NumPy's, 0 and 1."""
    if isinstance(value, bool):
        return value
    if not isinstance(value, Integral) and type(value).__name__ not in ("bool_", "bool"):
        raise TypeError(f"{name}: was {said(value)}, must be True or False")
    return bool(value)


def integer(name: str, value: Any) -> int:
    """Also NumPy's, and a float that is whole."""
    if not isinstance(value, Integral) and not (isinstance(value, float) and value.is_integer()):
        raise TypeError(f"{name}: was {said(value)}, must be an integer")
    return int(value)


def number(name: str, value: Any) -> float:
    """A real one; also NumPy's, a tensor's or an array's only one."""
    given = numbers(value, f"{name}: was {{}}, must be a number")
    if len(given) != 1:
        raise ValueError(f"{name}: was {said(value)}, must be one number")
    return given[0]


def finite(name: str, value: Tensor) -> None:
    """Whether all its numbers are, which must be there to be looked at."""
    if value.device.type == "meta":
        raise ValueError(f"{name}: was on meta, must have numbers")
    if not bool(value.isfinite().all()):
        raise ValueError(f"{name}: had non-finite numbers, must be finite")


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
            given = _listed(value)
        several = isinstance(given, Sequence)
        # plain numbers, also where torch.compile has symbols for them
        counts = tuple([operator.index(n) for n in given]) if several else (operator.index(given),) * (dim or 1)
    except TypeError:
        raise TypeError(f"modes: was {said(value)}, must be an int or a sequence of ints") from None
    if dim is not None and len(counts) != dim:
        raise ValueError(f"modes: was {said(value)}, must have {dim} numbers, one per dimension of x")
    if not counts or (most is not None and len(counts) > most):
        raise ValueError(f"modes: was {said(value)}, must have 1 to 3 numbers, one per dimension of x")
    if min(counts) < 1:
        raise ValueError(f"modes: was {said(value)}, must be at least 1 in each dimension")
    if math.prod(counts) > MOST_MODES:
        raise ValueError(f"modes: was {said(value)}, must be at most 2^40 in all")
    return counts


def period(value: object, dim: int) -> tuple[float, ...]:
    if isinstance(value, (int, float)):
        lengths: list[Any] = [_plain(value)] * dim
    else:
        lengths = numbers(value, "period: was {}, must be a float or one per dimension")
        lengths = lengths * dim if getattr(value, "ndim", 1) == 0 else lengths
    if len(lengths) != dim:
        raise ValueError(f"period: was {said(value)}, must be a float or {dim} of them, one per dimension of x")
    if not all([sys.float_info.min <= p < math.inf for p in lengths]):  # smaller ones have no finite inverse
        raise ValueError(f"period: was {said(value)}, must be positive and finite, and at least {sys.float_info.min}")
    return tuple(lengths)


def numbers(value: Any, complaint: str) -> list[float]:
    """Of a sequence, a tensor, an array, or one number as any of these."""
    listed = _listed(value) if hasattr(value, "tolist") else value
    listed = listed if isinstance(listed, Sequence) and not isinstance(listed, (str, bytes)) else [listed]
    if not all([isinstance(n, (int, float)) or (hasattr(n, "__float__") and not isinstance(n, type)) for n in listed]):
        raise TypeError(complaint.format(said(value)))
    return [_plain(number) for number in listed]


def _listed(value: Any) -> Any:
    """A tensor's or an array's numbers, where it has them; else an empty list of lists, which is no number."""
    if isinstance(value, Tensor) and (
        value.is_nested or value.layout != torch.strided or value.is_quantized or value.device.type == "meta"
    ):
        return [[]]
    return value.tolist()


def _plain(number: Any) -> float:
    try:
        number = float(number)
    except OverflowError:  # an integer of more than 308 digits
        return math.inf
    # where torch.compile has a symbol for it, this makes it a number
    return float.fromhex(number.hex()) if torch.compiler.is_compiling() else number


def sign(value: Any) -> int:
    if not isinstance(value, (int, Real)):
        raise TypeError(f"sign: was {said(value)}, must be -1 or +1, a plain number")
    if value not in (-1, 1):
        raise ValueError(f"sign: was {value!r}, must be -1 or +1")
    return 1 if value == 1 else -1


def eps(value: object, dtype: torch.dtype) -> float:
    """For data of this precision, of whose limit it warns."""
    if value is None:
        return 1e-12 if dtype == torch.float64 else 1e-6
    given = value if isinstance(value, (int, float)) else number("eps", value)
    if not 0 < given < 1:
        raise ValueError(f"eps: was {said(value)}, must be between 0 and 1")
    if given < FLOORS.get(dtype, 0) and not torch.compiler.is_compiling():
        least = f"{dtype} gives at best about {FLOORS[dtype]}".removeprefix("torch.")
        warnings.warn(f"eps: was {given}, below what rounding leaves: {least}", RuntimeWarning, stacklevel=4)
    return _plain(given)


def order(value: object) -> bool:
    """True for centered."""
    return choice("order", value, ("centered", "fft")) == "centered"


def weight(value: object) -> None:
    if isinstance(value, Tensor):
        tensor("weight", value)
    elif value is not None and not callable(value):
        raise TypeError(f"weight: was {type(value).__name__}, must be a tensor over the modes, a callable or None")
