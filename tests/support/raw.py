"""What the raw ops take, for tests of a device's kernels against another's."""

import torch
from samples import relative_error

from fastspec import _C

ROUNDING = {torch.float32: 2e-6, torch.float64: 4e-15}
SINGLE, DOUBLE = (3, 4, 5, 6, 7, 8, 9), (4, 6, 8, 10, 12, 14, 16)
# cells, tile: strips that do and do not divide the axis, one tile that is its own neighbour, windows that go round
GRIDS = (
    ((600,), (75,)),
    ((64,), (256,)),
    ((8,), (256,)),
    ((50, 44), (25, 16)),
    ((96, 70), (24, 32)),
    ((9, 10), (256, 32)),
    ((40, 25, 18), (20, 16, 5)),
    ((8, 20, 36), (256, 16, 16)),
    ((10, 9, 11), (256, 4, 16)),
)
# rows, length, inner: lines that share a tile, that fill it, and of several passes; columns that do not fill theirs;
# more large tiles than blocks
LINES = (
    *[(5, 1, 1), (7, 2, 1), (130, 16, 1), (1, 2**10, 1), (3, 2**11, 1), (1, 2**13, 1), (1, 2**15, 1), (3, 2**16, 1)],
    *[(9, 2**14, 1), (9, 2**15, 1), (1, 2**11, 2), (9, 8, 2), (1, 4, 700), (3, 64, 40), (2, 2**12, 3), (1, 2**15, 5)],
    *[(2, 2**10, 48), (0, 8, 1)],
)


def raw_inputs(cells, tile, width, dtype, complex, gen, count=400, sets=2, channels=2):
    """Points of two sets, one of them in a corner of the box, and all else that the raw ops take."""
    x = torch.rand(sets, count, len(cells), generator=gen, dtype=torch.float64)
    x[1:] = 0.1 * x[1:] - 0.05
    single = dtype == torch.float32
    args = x.to(dtype), [1.0] * len(cells), cells, tile, width, single
    kind = (torch.complex64 if single else torch.complex128) if complex else dtype
    strengths = torch.randn(sets, channels, count, generator=gen, dtype=kind)
    grid = torch.randn(sets, channels, *cells, generator=gen, dtype=kind)
    return args, torch.tensor(_C.Window(width, 1.6).polynomials(), dtype=dtype), strengths, grid


def widths(cells, tile, dtype):
    """Those that fit the grid: a strip is no lower than a window, and a window goes round at most twice."""
    kinds = SINGLE if dtype == torch.float32 else DOUBLE
    for width in kinds if len(cells) < 3 else kinds[::3]:
        last = cells[0] - (-(-cells[0] // tile[0]) - 1) * tile[0]
        if (tile[0] >= cells[0] or min(last, tile[0]) >= width) and 2 * min(cells) >= width:
            yield width


def close(got, want):
    assert got.shape == want.shape and got.dtype == want.dtype
    if want.numel():
        assert relative_error(got, want) <= ROUNDING[want.real.dtype if want.is_complex() else want.dtype]
