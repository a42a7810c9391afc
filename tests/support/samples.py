"""The sample inputs that feed the tests of correctness, gradients and operators."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, cached_property

import pytest
import torch
from torch import Tensor

import fastspec as fs

OPS = ("nufft1", "nufft2", "rnufft1", "rnufft2")
REAL_DATA = {"nufft1": (False, True), "nufft2": (False, True), "rnufft1": (True,), "rnufft2": (False,)}
TAU = 2 * math.pi
# Of tests whose points and targets are anything at all: elsewhere these warnings are errors.
any_box = pytest.mark.filterwarnings("ignore::fastspec.PeriodWarning", "ignore::fastspec.BandWarning")
both_algorithms = pytest.mark.parametrize("algorithm", ["gridding", "direct"], indirect=True)
planners_algorithm = pytest.mark.parametrize("algorithm", ["auto"], indirect=True)


@dataclass(frozen=True)
class Case:
    """What varies from one call to another, for any of the four transforms."""

    id: str
    modes: tuple[int, ...]
    m: int = 60
    points: str = "uniform"
    rows: tuple[int, ...] = ()
    sets: int | None = None
    flat: bool = False
    options: dict = field(default_factory=dict, hash=False)
    signs: tuple[int | None, ...] = (None,)

    @property
    def d(self) -> int:
        return len(self.modes)


# The large cases have enough points and modes for every part of a gridding code to be at work: tiles, threads, edges.
CASES = (
    Case("1d-even", (32,), flat=True, signs=(None, -1, 1)),
    Case("1d-odd", (33,)),
    Case("1d-one-mode", (1,), m=20),
    Case("1d-two-modes", (2,)),
    Case("1d-fft-order", (17,), options={"order": "fft"}),
    Case("1d-period", (20,), options={"period": 0.7}),
    Case("1d-far", (30,), points="far", options={"period": 4.0}),
    Case("1d-no-points", (10,), m=0, rows=(2,)),
    Case("1d-one-point", (10,), m=1),
    Case("1d-rows", (21,), rows=(3,)),
    Case("1d-sets", (18,), sets=3),
    Case("1d-large", (1001,), m=4000, rows=(2,)),
    Case("1d-large-clustered", (1000,), m=4000, points="clustered"),
    Case("1d-large-dense", (40,), m=6000, rows=(2,)),  # many points to a cell
    Case("1d-large-dense-clustered", (201,), m=6000, points="clustered"),
    Case("2d-even-odd", (12, 15), signs=(None, -1, 1)),
    Case("2d-odd-even", (9, 8)),
    Case("2d-narrow", (1, 2)),
    Case("2d-fft-order", (8, 11), options={"order": "fft"}),
    Case("2d-periods", (10, 7), options={"period": (0.5, 30.0)}),
    Case("2d-far", (9, 10), points="far", options={"period": (4.0, 8.0)}),
    Case("2d-no-points", (4, 5), m=0),
    Case("2d-one-point", (4, 5), m=1),
    Case("2d-rows", (6, 11), rows=(2, 3)),
    Case("2d-sets-of-rows", (7, 6), sets=2, rows=(3,)),
    Case("2d-large", (64, 75), m=3000, points="clustered"),
    Case("2d-large-rows", (80, 33), m=3000, rows=(3,)),
    Case("3d-even-odd", (6, 7, 8), signs=(None, -1, 1)),
    Case("3d-odd", (5, 1, 3)),
    Case("3d-fft-order", (4, 5, 7), options={"order": "fft", "period": (1.0, 2.0, 3.0)}),
    Case("3d-far", (5, 6, 4), points="far", options={"period": 4.0}),
    Case("3d-no-points", (3, 2, 4), m=0),
    Case("3d-one-point", (3, 2, 4), m=1),
    Case("3d-sets", (4, 3, 6), sets=2),
    Case("3d-large", (18, 20, 23), m=2000),
    Case("3d-large-clustered", (24, 16, 15), m=2000, points="clustered", rows=(2,)),
)
SMALL = tuple(case for case in CASES if "large" not in case.id)
CASE = {case.id: case for case in CASES}


@dataclass(frozen=True)
class Sample:
    """One call of a transform: ``sample(fs)`` makes it on fastspec, ``sample.exact`` is what it must come to."""

    op: str
    x: Tensor
    data: Tensor
    modes: tuple[int, ...]
    options: dict
    folded: Tensor

    def __call__(self, module, x: Tensor | None = None, data: Tensor | None = None, **more) -> Tensor:
        x, data = self.x if x is None else x, self.data if data is None else data
        modes = () if self.op == "nufft2" else (self.modes,)
        return getattr(module, self.op)(x, data, *modes, **self.options, **more)

    def function(self, module, **more) -> Callable[[Tensor, Tensor], Tensor]:
        """The transform of (points, strengths), all else held."""
        return lambda x, data: self(module, x, data, **more)

    def on(self, device: str) -> "Sample":
        """The same call there, its exact answer that of the CPU."""
        if device == "cpu":
            return self
        moved = replace(self, x=self.x.to(device), data=self.data.to(device), folded=self.folded.to(device))
        moved.__dict__["exact"] = self.exact.to(device)
        return moved

    @cached_property
    def exact(self) -> Tensor:
        return self(fs.reference, self.folded, self.data.to(double(self.data.dtype)))


class ThroughPlan:
    """The transforms under the names and arguments of the functions, each done by a Plan made for it."""

    @staticmethod
    def nufft1(x, c, modes, *, sign=-1, **options):
        return fs.Plan(x, modes, **options).nufft1(c, sign=sign)

    @staticmethod
    def nufft2(x, f, *, sign=1, **options):
        d = 1 if x.ndim == 1 else x.shape[-1]
        return fs.Plan(x, tuple(f.shape[f.ndim - d :]), **options).nufft2(f, sign=sign)

    @staticmethod
    def rnufft1(x, c, modes, **options):
        return fs.Plan(x, modes, **options).rnufft1(c)

    @staticmethod
    def rnufft2(x, f, modes, **options):
        return fs.Plan(x, modes, **options).rnufft2(f)


@cache
def make_sample(op: str, case: Case, dtype: torch.dtype = torch.float64, real: bool = False, sign: int | None = None):
    """The call of ``op`` that ``case`` describes; equal arguments give equal numbers."""
    gen = torch.Generator().manual_seed(sum(map(ord, op + case.id)) + 7 * real)
    x, folded = _points(case, dtype, gen)
    shape = ((case.sets,) if case.sets else ()) + case.rows + _last_axes(op, case)
    data = torch.randn(shape, generator=gen, dtype=torch.float64 if real else torch.complex128)
    options = dict(case.options) | ({} if sign is None or op.startswith("r") else {"sign": sign})
    return Sample(op, x, data.to(dtype if real else to_complex(dtype)), case.modes, options, folded)


def samples(cases=CASES, ops=OPS):
    """Every (op, case, real, sign) that exists, as pytest parameters."""
    return [
        pytest.param(op, case, real, sign, id=f"{op}-{case.id}-{'real' if real else 'complex'}-{sign or ''}")
        for op in ops
        for case in cases
        for sign in (case.signs if not op.startswith("r") else (None,))
        for real in REAL_DATA[op]
    ]


def double(dtype: torch.dtype) -> torch.dtype:
    return torch.complex128 if dtype.is_complex else torch.float64


def to_complex(dtype: torch.dtype) -> torch.dtype:
    return {torch.float32: torch.complex64, torch.float64: torch.complex128}[dtype]


def relative_error(got: Tensor, want: Tensor) -> float:
    """Relative l2 error; that of an exact zero is 0 only if ``got`` is zero too."""
    size = torch.linalg.vector_norm(want).item()
    error = torch.linalg.vector_norm(got.detach().to(want.dtype) - want).item()
    return error / size if size else error


def _points(case: Case, dtype: torch.dtype, gen: torch.Generator) -> tuple[Tensor, Tensor]:
    """Points in ``dtype`` and, in float64, the same points where the direct sums are exact."""
    shape = ((case.sets,) if case.sets else ()) + (case.m, case.d)
    period = torch.tensor(case.options.get("period", TAU), dtype=torch.float64).expand(case.d)
    unit = torch.rand(shape, generator=gen, dtype=torch.float64)
    if case.points == "clustered":
        unit = 0.02 * unit**2 + 0.97
    if case.points == "far":
        return _far_points(unit, period, dtype, gen)
    x = ((unit - 0.5) * period).to(dtype)
    x = x[:, 0] if case.flat else x
    return x, x.double()


def _far_points(unit: Tensor, period: Tensor, dtype: torch.dtype, gen: torch.Generator) -> tuple[Tensor, Tensor]:
    """Multiples of 2^-10 many whole periods away: shift and points are exact in float32, so folding can be too."""
    folded = torch.round(unit * period * 1024) / 1024
    shift = torch.randint(-1000, 1000, unit.shape, generator=gen) * period
    return (folded + shift).to(dtype), folded


def _last_axes(op: str, case: Case) -> tuple[int, ...]:
    if op.endswith("1"):
        return (case.m,)
    return case.modes if op == "nufft2" else case.modes[:-1] + (case.modes[-1] // 2 + 1,)
