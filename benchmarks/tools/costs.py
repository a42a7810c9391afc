"""The planner's costs as csrc's plan.h has them, linear in the rates of rates.h; and that file, to read and to write.

A cost is a dict from the names of rates to how often each is paid; a test holds these formulas to the planner's own.
"""

import math
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import ROOT
from fastspec._files import write_whole

RATES = next((ROOT / "csrc").rglob("rates.h"))
OBJECT = r"(?:^//[^\n]*\n)+inline constexpr {type} {name}\{{\n.*?^\}};\n"  # with what is said of it

Cost = dict[str, float]
Rates = dict[str, float]  # an array's entries as name[0], name[1], ...


@dataclass(frozen=True)
class Work:
    """A transform, and the fine grid that the planner chose for it."""

    modes: tuple[int, ...]
    points: int
    single: bool
    complex: bool
    cells: tuple[int, ...]
    tile: tuple[int, ...]
    width: int

    @property
    def dim(self) -> int:
        return len(self.modes)

    @property
    def number(self) -> int:
        """Bytes."""
        return (4 if self.single else 8) * (2 if self.complex else 1)

    @property
    def grid(self) -> int:
        return math.prod(self.cells)

    @property
    def with_halo(self) -> float:
        return math.prod(n * (1 + (self.width - 1) / t) for n, t in zip(self.cells, self.tile, strict=True))

    @property
    def odd(self) -> "Work":
        """What the loss does: real numbers, on an odd number of modes each way."""
        return replace(self, modes=tuple(n | 1 for n in self.modes), complex=False)


def total(cost: Cost, rates: Rates) -> float:
    """Nanoseconds."""
    return sum(rates[name] * times for name, times in cost.items())


def plus(*costs: Cost) -> Cost:
    return {name: sum(c.get(name, 0.0) for c in costs) for name in dict.fromkeys(n for c in costs for n in c)}


def times(factor: float, cost: Cost) -> Cost:
    return {name: factor * value for name, value in cost.items()}


# --- a CPU ------------------------------------------------------------------------------------------------------------


def meeting_points(w: Work) -> Cost:
    """Spreading, or interpolating."""
    halo = {"halo_byte": w.number * w.with_halo}
    if w.dim == 1 and w.points >= 8 * w.cells[0]:
        return {"dense_point": w.points} | halo
    row, rows = 2 ** math.ceil(math.log2(w.width * w.number)), w.width ** (w.dim - 1)
    taps = {"axis": w.dim, "tap": w.dim * w.width * max(1, row / 64), "row": rows, "row_byte": rows * row}
    return times(w.points, taps) | halo


def transforming(w: Work) -> Cost:
    return {"fft_byte": w.number * w.grid * math.log2(w.grid + 2)}


def gridding(w: Work) -> Cost:
    """But for the share of it that few points pay, and the call."""
    return plus(meeting_points(w), transforming(w))


def direct_sums(w: Work) -> Cost:
    halved = [n // 2 + 1 for n in w.modes]
    others = math.prod(w.modes[1:] if w.complex else [*w.modes[1:-1], *halved[1:][-1:]])
    sums = math.ceil(others / 2) * 4 * math.ceil(w.modes[0] / 4) * 4
    each = {"coordinate": w.dim, "exponential": sum(halved) + 1, "other": others, "sum": sums}
    of_precision = f"direct[{int(w.single)}]."
    return {of_precision + name: value for name, value in (times(w.points, each) | {"number": sums}).items()}


def planners_gridding(w: Work, rates: Rates) -> float:
    """Nanoseconds of a transform that is called."""
    return rates[f"call[{w.dim - 1}]"] + rates[f"share[{w.dim - 1}]"] * total(gridding(w), rates)


def planners_direct(w: Work, rates: Rates) -> float:
    return rates["direct_call"] + total(direct_sums(w), rates)


def planners_steps(w: Work, rates: Rates) -> tuple[float, float]:
    """The loss's by gridding and by direct sums, but for what both have in common."""
    real = replace(w, complex=False)
    ffts = rates["step_ffts"] if w.dim > 1 else 0.0
    both = 2 * rates[f"share[{w.dim - 1}]"] * total(gridding(real), rates) + ffts
    return both, 2 * total(direct_sums(w.odd), rates)


# --- a GPU ------------------------------------------------------------------------------------------------------------


def cuda_instructions(w: Work) -> Cost:
    """What keeps its processors busy, of real numbers in float32."""
    taps = 2 * w.dim * w.width
    return times(w.points, {"tap": taps, "term": taps * (w.width + 4), f"cell[{w.dim - 1}]": w.width**w.dim})


def cuda_factor(w: Work, rates: Rates) -> float:
    """How many times as long others take."""
    return (rates["complex_numbers"] if w.complex else 1) * (1 if w.single else rates["double_precision"])


def cuda_memory(w: Work, fft: bool) -> Cost:
    """With the FFT, or of spreading or interpolating alone."""
    grid = w.number * w.grid * (1 + (2 * w.dim if fft else 0))
    return {"byte": grid + w.points * (32 + 4 * (w.dim + 1)), "halo_byte": w.number * w.with_halo}


def planners_cuda(w: Work, rates: Rates, fft: bool = True) -> float:
    """Nanoseconds of the device."""
    return cuda_factor(w, rates) * total(cuda_instructions(w), rates) + total(cuda_memory(w, fft), rates)


def cuda_pairs(w: Work) -> float:
    """Of a point and a mode."""
    half = w.modes[-1] if w.complex else w.modes[-1] // 2 + 1
    return w.points * math.prod(w.modes[:-1]) * half


def planners_cuda_direct(w: Work, rates: Rates) -> float:
    """Nanoseconds of direct sums that are called."""
    return rates["direct_call"] + (1 if w.single else rates["double_precision"]) * rates["pair"] * cuda_pairs(w)


# --- rates.h ----------------------------------------------------------------------------------------------------------

DIRECT = ("coordinate", "exponential", "other", "sum", "number")


def read(name: str, path: Path = RATES) -> Rates:
    """``name``: cpu_rates or cuda_rates."""
    text = re.search(OBJECT.format(type=r"\w+", name=name), path.read_text(), re.MULTILINE | re.DOTALL).group()
    found: Rates = {}
    for field, value in re.findall(r"\.(\w+) = (.+),\n", text):
        entries = [list(map(float, part.split(","))) for part in re.findall(r"[^{}]*\d[^{}]*", value)]
        if field == "direct":
            single = {f"direct[{i}].{n}": e for i, row in enumerate(entries) for n, e in zip(DIRECT, row, strict=True)}
            found |= single
        elif "{" in value:
            found |= {f"{field}[{i}]": entry for i, entry in enumerate(entries[0])}
        else:
            found[field] = entries[0][0]
    return found


def write(name: str, rates: Rates, said: str, path: Path = RATES) -> None:
    """Replaces an object and what is said of it."""
    text = path.read_text()
    kind = {"cpu_rates": "CpuRates", "cuda_rates": "CudaRates"}[name]
    fields = dict.fromkeys(re.match(r"\w+", key).group() for key in rates)
    lines = [f"    .{field} = {initialiser(field, rates)}," for field in fields]
    told = [f"// {part}" for line in said.splitlines() for part in textwrap.wrap(line, 117)]
    made = "\n".join([*told, f"inline constexpr {kind} {name}{{", *lines, "};\n"])
    pattern = re.compile(OBJECT.format(type=kind, name=name), re.MULTILINE | re.DOTALL)
    write_whole(path, pattern.sub(lambda _: made, text, count=1))


def initialiser(field: str, rates: Rates) -> str:
    if field == "direct":
        return "{" + ", ".join(listed(rates[f"direct[{i}].{name}"] for name in DIRECT) for i in (0, 1)) + "}"
    entries = [value for key, value in rates.items() if key.startswith(f"{field}[")]
    return listed(entries) if entries else f"{rates[field]:.4g}"


def listed(values: Sequence[float]) -> str:
    return "{" + ", ".join(f"{value:.4g}" for value in values) + "}"
