"""Raw ops called with anything: each call returns or raises, and the process goes on.

Run as a script, `garbage.py SEED CALLS`, for a crash ends the process; `--emulated` calls the CUDA ops, on a CPU. The
last line it prints is the count of calls that returned and of those that raised; `--tell` prints each beforehand.
"""

import argparse
import random

import emulated
import torch

from fastspec import _C
from fastspec._core import ops

RAW = torch.ops.fastspec
FLOATS = (torch.float32, torch.float64)
DTYPES = (*FLOATS, torch.complex64, torch.complex128, torch.int32, torch.int64, torch.float16, torch.bool)
SIZES = (0, 1, 2, 3, 7, 20)
HUGE = (-1, -(2**63), 2**31, 2**40, 2**62, 2**63 - 1)
ODD_NUMBERS = (0.0, -1.0, 1e-320, 1e308, float("inf"), float("nan"))
GRIDS = (((64,), (32,)), ((640,), (160,)), ((8,), (8,)), ((24, 20), (12, 20)), ((12, 10, 9), (12, 5, 9)))


class Maker:
    """Arguments that fit together, and ones that do not."""

    def __init__(self, seed: int, on_cuda: bool = False):
        self.random = random.Random(seed)
        self.names = [name for name in VALID if name in ON_CUDA or not on_cuda]
        self.on_cuda = on_cuda
        torch.manual_seed(seed)

    def tensor(self, shape, dtype):
        if dtype.is_floating_point or dtype.is_complex:
            return torch.randn(shape).to(dtype)
        return torch.randint(-5, 50, shape).to(dtype)

    def spoiled(self, given):
        """The same argument, or something else in its place."""
        r = self.random
        if isinstance(given, torch.Tensor):
            return self.spoiled_tensor(given)
        if isinstance(given, bool) or given is None:
            return given
        if isinstance(given, (list, tuple)):
            kind = r.choice(("number", "less", "more", "none"))
            if kind == "number" and given:
                at = r.randrange(len(given))
                return [*given[:at], self.spoiled(given[at]), *given[at + 1 :]]
            return {"less": given[:-1], "more": [*given, *given[:1]], "none": [], "number": given}[kind]
        return r.choice(ODD_NUMBERS) if isinstance(given, float) else r.choice((*HUGE, *SIZES, given + 1))

    def spoiled_tensor(self, t):
        r = self.random
        kind = r.choice(("shape", "dtype", "numbers", "stride", "rank", "one"))
        if kind == "shape":
            return self.tensor([r.choice((n, n, n + 1, *SIZES)) for n in t.shape], t.dtype)
        if kind == "dtype":
            return t.to(r.choice(DTYPES))
        if kind == "stride" and t.ndim > 1:
            return t.transpose(0, -1)
        if kind == "rank":
            return t.unsqueeze(0) if r.random() < 0.5 or not t.ndim else t[..., 0] if t.shape[-1] else t.flatten()
        t = t.contiguous().clone()
        if not t.numel():
            return t
        if t.dtype.is_floating_point or t.dtype.is_complex:
            t.view(-1)[r.randrange(t.numel())] = torch.tensor(r.choice(ODD_NUMBERS), dtype=torch.float64).to(t.dtype)
        elif kind == "one":
            t.view(-1)[r.randrange(t.numel())] = torch.tensor(r.choice((-1, 2**31 - 1, 1000, 0))).to(t.dtype)
        else:
            t = torch.randint(-(2**31), 2**31 - 1, t.shape).to(t.dtype)
        return t

    def call(self):
        """An op and its arguments, of which none to three are spoiled."""
        name = self.random.choice(self.names)
        args = list(VALID[name](self))
        for _ in range(self.random.choice((0, 1, 1, 2, 3))):
            at = self.random.randrange(len(args))
            args[at] = self.spoiled(args[at])
        return name, args

    def op(self, name):
        """Of the CPU's kernels for any instruction set, or of any way in which CUDA's work."""
        if self.on_cuda:
            return getattr(emulated.Ops(self.random.choice(emulated.WAYS)), name)
        _C.select_instruction_set(self.random.choice(_C.instruction_sets()))
        return getattr(RAW, name)

    # --- what fits together ---

    def precision(self):
        return self.random.choice(FLOATS)

    def kind(self, dtype):
        return self.random.choice((dtype, torch.promote_types(dtype, torch.complex32)))

    def count(self):
        return self.random.choice((0, 1, 5, 300, 700))

    def sets(self):
        return self.random.choice((1, 1, 2, 0))

    def channels(self):
        return self.random.choice((1, 2, 9, 0))

    def points(self, dtype):
        """Sorted, with the grid they are on."""
        cells, tile = self.random.choice(GRIDS)
        width = 4
        x = torch.rand(self.sets(), self.count(), len(cells), dtype=torch.float64)
        places = RAW.sort(x, [1.0] * len(cells), cells, tile, width, dtype == torch.float32)
        return (*places, torch.tensor(_C.Window(width, 1.6).polynomials(), dtype=dtype)), list(cells), list(tile)

    def modes(self, dim):
        return [self.random.choice((1, 2, 7, 16)) for _ in range(dim)]

    def rule(self, band, dtype, rows):
        """Of a half spectrum with these cells, axes reversed: the arguments of a weight."""
        modes = [self.random.randrange(1, n + 1) if a == 0 else (n - 1) // 2 * 2 + 1 for a, n in enumerate(band)]
        weights = self.random.choice((1, rows))
        return torch.rand(weights, *modes, dtype=dtype), 0.5, [], ops.RULES["table"], 0.0

    def residual(self, groups, count, dtype):
        channels = self.random.choice((1, 3))
        shape = (count,) if groups == channels == 1 else (groups, count, channels)
        quadrature = self.random.choice((None, torch.rand(count, dtype=dtype)))
        given = torch.randn(shape, dtype=dtype), torch.randn(shape, dtype=dtype), quadrature
        return (*given, self.random.random() < 0.5, self.random.random() < 0.7), groups * channels


def _sort(m):
    cells, tile = m.random.choice(GRIDS)
    x = torch.rand(m.sets(), m.count(), len(cells), dtype=m.precision())
    return x, [1.0] * len(cells), list(cells), list(tile), m.random.choice((3, 4, 7)), m.random.random() < 0.5


def _spread(m):
    dtype = m.precision()
    points, cells, tile = m.points(dtype)
    return *points, m.tensor((points[0].shape[0], m.channels(), points[0].shape[1]), m.kind(dtype)), cells, tile


def _interpolate(m):
    dtype = m.precision()
    points, cells, tile = m.points(dtype)
    return *points, m.tensor((points[0].shape[0], m.channels(), *cells), m.kind(dtype)), tile


def _interpolate_gradient(m):
    *points, grid, tile = _interpolate(m)
    strengths = m.tensor((*grid.shape[:2], points[0].shape[1]), grid.dtype)
    return *points, grid, strengths, tile, m.random.random() < 0.5


def _band(m):
    cells = list(m.random.choice(GRIDS)[0])
    modes = [m.random.randrange(1, n + 1) for n in cells]
    return cells, modes, [m.random.randrange(n + 1) for n in modes]


def _grid_to_modes(m):
    (cells, modes, negative), dtype = _band(m), m.precision()
    grid = m.tensor((m.random.choice((0, 1, 3)), *cells), m.kind(dtype))
    if not grid.is_complex():
        modes[-1] = min(modes[-1], cells[-1] // 2 + 1)
        negative[-1] = min(negative[-1], modes[-1])
    return grid, torch.rand(sum(modes), dtype=dtype), modes, negative, m.random.random() < 0.5, -1


def _modes_to_grid(m):
    (cells, modes, negative), dtype = _band(m), m.precision()
    whole = m.random.choice((0, modes[-1]))
    if whole:
        modes[-1], negative[-1] = whole // 2 + 1, 0
    given = m.tensor((m.random.choice((0, 1, 3)), *modes), torch.promote_types(dtype, torch.complex32))
    return given, torch.rand(sum(modes), dtype=dtype), cells, negative, m.random.random() < 0.5, 1, whole


def _weigh(m):
    dtype, band = m.precision(), [m.random.choice((1, 5, 12)) for _ in range(m.random.choice((1, 2, 3)))]
    rows = m.random.choice((0, 1, 4))
    spectrum = m.tensor((rows, *band), torch.promote_types(dtype, torch.complex32))
    if m.random.random() < 0.5:
        return spectrum, *m.rule(band, dtype, rows)
    modes = [max(2 * n - 2, 1) if a == 0 else max(n - 1, 1) for a, n in enumerate(band)]
    count = sum(n // 2 + 1 if a == 0 else n | 1 for a, n in enumerate(modes))
    return spectrum, torch.rand(count, dtype=dtype), 1.0, modes, ops.RULES["focal"], 1.0


def _loss_step(m):
    dtype = m.precision()
    points, cells, tile = m.points(dtype)
    residual, rows = m.residual(points[0].shape[0], points[0].shape[1], dtype)
    band = [cells[-1] // 2 + 1, *reversed(cells[:-1])]
    return *residual, *points, cells, tile, *m.rule(band, dtype, rows)


def _direct(m):
    dtype, dim = m.precision(), m.random.choice((1, 2, 3))
    x = torch.rand(m.sets(), m.count(), dim, dtype=m.random.choice((dtype, torch.float64)))
    return dtype, x, m.modes(dim), [6.28] * dim


def _direct_loss_step(m):
    dtype, x, modes, period = _direct(m)
    residual, rows = m.residual(x.shape[0], x.shape[1], dtype)
    band = [modes[-1] // 2 + 1, *[n | 1 for n in reversed(modes[:-1])]]
    return *residual, x, modes, period, *m.rule(band, dtype, rows)


def _direct_type1(m):
    dtype, x, modes, period = _direct(m)
    return x, m.tensor((x.shape[0], m.channels(), x.shape[1]), m.kind(dtype)), modes, period, True, -1


def _spectrum(m, x, modes, dtype, real):
    stored = [*modes[:-1], modes[-1] // 2 + 1] if real else modes
    return m.tensor((x.shape[0], m.channels(), *stored), torch.promote_types(dtype, torch.complex32))


def _direct_type2(m):
    dtype, x, modes, period = _direct(m)
    real = m.random.random() < 0.5
    return x, _spectrum(m, x, modes, dtype, real), modes, period, False, 1, real


def _direct_type2_gradient(m):
    dtype, x, modes, period = _direct(m)
    real = m.random.random() < 0.5
    f = _spectrum(m, x, modes, dtype, real)
    strengths = m.tensor((*f.shape[:2], x.shape[1]), dtype if real else f.dtype)
    return x, f, strengths, modes, period, True, 1, m.random.random() < 0.5


def _exponential_sums(m):
    dtype, dim = m.precision(), m.random.choice((0, 1, 2, 4))
    points = torch.randn(m.count(), dim, dtype=dtype)
    strengths = m.tensor((m.channels(), len(points)), m.kind(dtype))
    return points, strengths, torch.randn(m.random.choice((0, 1, 50)), dim, dtype=dtype), 1


def _exponential_sums_gradient(m):
    points, strengths, frequencies, sign = _exponential_sums(m)
    gradient = m.tensor((len(strengths), len(frequencies)), m.kind(points.dtype))
    return points, strengths, frequencies, gradient, sign


def _gaussian_filter(m):
    dtype, widths = m.precision(), m.random.choice((0, 1, 3))
    x = torch.randn(m.count(), m.random.choice((0, 1, 3)), dtype=dtype)
    y = torch.randn(m.random.choice((1, widths)), len(x), m.random.choice((0, 1, 9)), dtype=dtype)
    return x, y, torch.rand(widths, dtype=torch.float64)


def _gaussian_filter_gradient(m):
    x, y, deltas = _gaussian_filter(m)
    return x, y[:1], deltas, torch.randn(len(deltas), *y.shape[1:], dtype=x.dtype)


def _hadamard(m):
    dtype = m.random.choice(DTYPES[:6])
    shape = m.random.choice((0, 1, 3)), 2 ** m.random.randrange(11), m.random.choice((0, 1, 2, 5))
    return m.tensor(shape, dtype), 1.0


VALID = {
    "sort": _sort,
    "spread": _spread,
    "interpolate": _interpolate,
    "interpolate_slopes": _interpolate,
    "interpolate_gradient": _interpolate_gradient,
    "grid_to_modes": _grid_to_modes,
    "modes_to_grid": _modes_to_grid,
    "weigh": _weigh,
    "weigh_copy": _weigh,
    "loss_step": _loss_step,
    "direct_loss_step": _direct_loss_step,
    "direct_type1": _direct_type1,
    "direct_type2": _direct_type2,
    "direct_type2_gradient": _direct_type2_gradient,
    "exponential_sums": _exponential_sums,
    "exponential_sums_real": _exponential_sums,
    "exponential_sums_gradient": _exponential_sums_gradient,
    "gaussian_filter": _gaussian_filter,
    "gaussian_filter_gradient": _gaussian_filter_gradient,
    "hadamard": _hadamard,
}


ON_CUDA = (
    *("sort", "spread", "interpolate", "interpolate_slopes", "interpolate_gradient"),
    *("grid_to_modes", "modes_to_grid", "weigh", "hadamard"),
)


def described(value) -> str:
    return f"{tuple(value.shape)} {value.dtype}" if isinstance(value, torch.Tensor) else repr(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seed", type=int)
    parser.add_argument("calls", type=int)
    parser.add_argument("--emulated", action="store_true")
    parser.add_argument("--tell", action="store_true")
    given = parser.parse_args()
    if given.emulated and not emulated.available():
        raise SystemExit("this build has the CUDA kernels themselves")
    maker, returned = Maker(given.seed, given.emulated), 0
    for number in range(given.calls):
        name, args = maker.call()
        if given.tell:
            print(number, name, *map(described, args), sep=" | ", flush=True)
        try:
            maker.op(name)(*args)
            returned += 1
        except (RuntimeError, ValueError, TypeError, IndexError, NotImplementedError, OverflowError) as error:
            if given.tell:
                print("   ", str(error).splitlines()[0][:150])
    print(returned, given.calls - returned)


if __name__ == "__main__":
    main()
