"""The loss's pass between its two FFTs: one read and one write of the half spectrum, its sums made in a fixed order."""

import struct

import torch
from torch import Tensor

import triton
import triton.language as tl

TILE = 1024  # complex numbers of a program


@triton.jit(do_not_specialize=["scale"])
def weigh_kernel(
    spectrum,
    weight,
    partial,
    scale,
    lines,
    columns,
    inner,
    row_count,
    band,
    inner_band,
    nonnegative,
    negative,
    weight_stride,
    line_blocks,
    column_blocks,
    ROWS_IN_COLUMNS: tl.constexpr,
    LINES: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """A tile of lines of one transform; ``scale`` is the bits of a float64.

    Line l is wavenumber l // inner of the halved axis, of which the first row_count have weights, and l % inner of the
    middle one. A line's weights are of its first ``nonnegative`` columns and its last ``negative`` ones.
    """
    dtype: tl.constexpr = spectrum.dtype.element_ty
    place = tl.program_id(0)
    tile, column_block = place // column_blocks, place % column_blocks
    transform, line_block = tile // line_blocks, tile % line_blocks
    line = (line_block * LINES + tl.arange(0, LINES))[:, None]
    number = (column_block * COLUMNS * 2 + tl.arange(0, COLUMNS * 2))[None, :]  # real or imaginary
    column = number // 2

    row, middle = line // inner, line % inner
    low = middle < inner_band - inner_band // 2
    weighed_line = middle - tl.where(low, 0, inner - inner_band)
    in_band = (row < row_count) & (low | (middle >= inner - inner_band // 2))
    low = column < nonnegative
    weighed_column = column - tl.where(low, 0, columns - band)
    in_band = in_band & (low | (column >= columns - negative)) & (column < columns)

    spectrum += (transform.to(tl.int64) * lines + line) * (columns * 2) + number
    weight += transform.to(tl.int64) * weight_stride + (row * inner_band + weighed_line) * band + weighed_column
    z = tl.load(spectrum, mask=in_band, other=0)
    w = tl.load(weight, mask=in_band, other=0)
    scale = scale.to(tl.int64).to(tl.float64, bitcast=True)
    tl.store(spectrum, w * (2 * scale).to(dtype) * z, mask=(line < lines) & (column < columns))

    once = (column if ROWS_IN_COLUMNS else row) == 0
    power = w * z * z
    total = tl.sum(tl.sum(tl.where(once, power, power + power), 1), 0)
    tl.store(partial + place, scale * total.to(tl.float64))


def _check(spectrum: Tensor, weight: Tensor) -> None:
    torch._check(
        spectrum.is_complex() and 2 <= spectrum.ndim <= 4 and spectrum.is_contiguous(),
        lambda: "spectrum: must be complex, contiguous, of rank 2 to 4",
    )
    torch._check(
        weight.is_contiguous() and weight.dtype == spectrum.real.dtype and weight.ndim == spectrum.ndim,
        lambda: "weight: must be contiguous, of the spectrum's precision and rank",
    )
    torch._check(weight.shape[0] in (1, spectrum.shape[0]), lambda: "weight: one, or one per transform")
    torch._check(weight.shape[1] <= spectrum.shape[1], lambda: "weight: at most the spectrum's rows")
    torch._check(
        all(w % 2 and w <= n for w, n in zip(weight.shape[2:], spectrum.shape[2:], strict=True)),
        lambda: "weight: its other axes must be odd and at most the spectrum's",
    )


def weigh(spectrum: Tensor, weight: Tensor, scale: float) -> Tensor:
    """As _ops.weigh: spectrum (R, K, *cells) complex, in place, weight (1 or R, K or less, *band) -> sums (R,) float64.

    A line's sum is made in the spectrum's precision, as a tree; those of the tiles in float64.
    """
    _check(spectrum, weight)
    transforms, rows, *cells = spectrum.shape
    sums = torch.zeros(transforms, dtype=torch.float64, device=spectrum.device)
    if not spectrum.numel():
        return sums
    halved, *band = weight.shape[1:]
    if not cells:  # the halved axis is the only one: a line of columns
        inner, row_count, inner_band, columns = 1, 1, 1, rows
        lines, band, nonnegative, negative = 1, halved, halved, 0
    else:
        inner, inner_band = (cells[0], band[0]) if len(cells) == 2 else (1, 1)
        lines, row_count, columns, band = rows * inner, halved, cells[-1], band[-1]
        nonnegative, negative = band - band // 2, band // 2
    width = min(TILE, triton.next_power_of_2(columns))
    height = min(TILE // width, triton.next_power_of_2(lines))
    line_blocks, column_blocks = triton.cdiv(lines, height), triton.cdiv(columns, width)
    partial = torch.empty(transforms, line_blocks * column_blocks, dtype=torch.float64, device=spectrum.device)
    weigh_kernel[(partial.numel(),)](
        torch.view_as_real(spectrum),
        weight,
        partial,
        struct.unpack("<q", struct.pack("<d", scale))[0],
        lines,
        columns,
        inner,
        row_count,
        band,
        inner_band,
        nonnegative,
        negative,
        0 if weight.shape[0] == 1 else weight[0].numel(),
        line_blocks,
        column_blocks,
        ROWS_IN_COLUMNS=not cells,
        LINES=height,
        COLUMNS=width,
    )
    return torch.sum(partial, 1, out=sums)


def weigh_copy(spectrum: Tensor, weight: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """As weigh, on a copy."""
    weighed = spectrum.clone()
    return weigh(weighed, weight, scale), weighed
