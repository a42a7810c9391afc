"""Problems drawn at random by hypothesis: shapes, dtypes, layouts, periods, modes, accuracies."""

import math
from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import Tensor

FLOOR = {torch.float32: 1e-6, torch.float64: 1e-12}  # accuracies that are asked for
PLACES = "uniform", "clustered", "on a lattice", "at the edges", "far", "one place"
LAYOUTS = "dense", "transposed", "every other", "backwards stored", "expanded", "conjugated", "part of more"
MOST = {1: 700, 2: 40, 3: 11}  # modes along an axis


@dataclass(frozen=True)
class Problem:
    """Points and all that a transform is told of them; numbers are drawn by ``seed``."""

    seed: int
    modes: tuple[int, ...]
    period: tuple[float, ...]
    points: int
    sets: int | None  # point sets, each of as many points
    rows: tuple[int, ...]  # the axes of strengths before their points
    place: str
    layout: str
    dtype: torch.dtype  # of the data, real
    x_dtype: torch.dtype
    eps: float
    algorithm: str

    @property
    def generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed)

    @property
    def batch(self) -> tuple[int, ...]:
        return ((self.sets,) if self.sets else ()) + self.rows

    def x(self) -> Tensor:
        """(M, d) or (sets, M, d), of the points' dtype; what it is exactly is what it is rounded to."""
        gen, shape = self.generator, (*((self.sets,) if self.sets else ()), self.points, len(self.modes))
        box = torch.tensor(self.period, dtype=torch.float64)
        u = torch.rand(shape, generator=gen, dtype=torch.float64)
        u = {
            "uniform": lambda: u - 0.5,
            "clustered": lambda: 0.3 + 1e-3 * u,
            "on a lattice": lambda: (8 * u).round() / 8 - 0.5,
            "at the edges": lambda: torch.where(u < 0.5, -0.5, 0.5) + (u > 0.9) * 1e-16,
            "far": lambda: u + (1000 * torch.rand(shape, generator=gen, dtype=torch.float64)).round() - 500,
            "one place": lambda: 0 * u + u[..., :1, :],
        }[self.place]()
        return laid((u * box).to(self.x_dtype), self.layout)

    def data(self, last: tuple[int, ...], complex: bool, seed: int = 1) -> Tensor:
        """(*batch, *last)."""
        dtype = torch.promote_types(self.dtype, torch.complex32) if complex else self.dtype
        gen = torch.Generator().manual_seed(self.seed + seed)
        wide = torch.complex128 if complex else torch.float64
        return laid(torch.randn((*self.batch, *last), generator=gen, dtype=wide).to(dtype), self.layout)


def laid(t: Tensor, layout: str) -> Tensor:
    """The same numbers, or rows repeated where the layout is "expanded", otherwise in memory."""
    if layout == "transposed" and t.ndim > 1:
        return t.mT.contiguous().mT
    if layout == "every other":
        return torch.stack([t, torch.full_like(t, math.nan)], -1).flatten(-2)[..., ::2]
    if layout == "backwards stored" and t.ndim > 1:
        return t.movedim(0, -1).contiguous().movedim(-1, 0)
    if layout == "expanded" and t.ndim > 1 and t.shape[0]:
        return t[:1].expand(t.shape)
    if layout == "conjugated" and t.is_complex():
        return t.conj().resolve_conj().conj()
    if layout == "part of more":
        return torch.cat([t.new_full((3,), math.nan), t.flatten()])[3:].view(t.shape)
    return t


def log_integers(low: int, high: int) -> st.SearchStrategy[int]:
    """All sizes alike, from ``low`` to ``high``."""
    return st.floats(math.log(low), math.log(high + 0.99)).map(lambda v: min(max(int(math.exp(v)), low), high))


@st.composite
def problems(draw, points: st.SearchStrategy[int] | None = None, work: int = 300_000, **fixed) -> Problem:
    """``work``: most products of points and modes, which the exact sums are of. ``fixed`` overrides what is drawn."""
    d = draw(st.integers(1, 3))
    modes = tuple(draw(st.lists(log_integers(1, MOST[d]), min_size=d, max_size=d)))
    period = tuple(draw(st.lists(st.sampled_from([2 * math.pi, 1.0, 0.37, 7e3]), min_size=d, max_size=d)))
    sets, rows = draw(st.sampled_from([None, None, 1, 3])), draw(st.sampled_from([(), (), (1,), (2,), (2, 3)]))
    each = math.prod(modes) * (sets or 1) * math.prod(rows)
    count = min(
        draw(st.one_of(st.integers(1, 3), log_integers(1, 4000)) if points is None else points), max(work // each, 1)
    )
    dtype = draw(st.sampled_from([torch.float64, torch.float32]))
    drawn = {
        "seed": draw(st.integers(0, 2**31)),
        "modes": modes,
        "period": period,
        "points": count,
        "sets": sets,
        "rows": rows,
        "place": draw(st.sampled_from(PLACES)),
        "layout": draw(st.sampled_from(LAYOUTS)),
        "dtype": dtype,
        "x_dtype": draw(st.sampled_from([dtype, dtype, torch.float64])),
        "eps": 10 ** draw(st.floats(math.log10(FLOOR[dtype]), -1)),
        "algorithm": draw(st.sampled_from(["auto", "gridding", "direct"])),
    }
    return Problem(**(drawn | fixed))
