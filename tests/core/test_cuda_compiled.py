"""The CUDA kernels as compiled for a GPU, without one: registers, spills, and what fits a processor."""

import csv
import ctypes
import re

import compiling
import emulated
import pytest


@pytest.fixture(scope="module", autouse=True)
def shapes():
    if not emulated.available():
        pytest.skip("this build has the kernels themselves")
    return ctypes.CDLL(str(compiling.emulation()))


needs_nvcc = pytest.mark.skipif(compiling.nvcc() is None, reason="no nvcc here")
RESULTS = compiling.ROOT / "benchmarks" / "results" / "cuda_resources.csv"
ENTRY = re.compile(
    r"Compiling entry function '(?P<name>\S+)' for 'sm_(?P<target>\d+)'.*?(?P<stack>\d+) bytes stack frame, "
    r"(?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill loads.*?Used (?P<registers>\d+) registers",
    re.S,
)
SPREAD = re.compile(r"SpreadI(?P<type>[fd])Li(?P<dim>\d)ELi(?P<parts>\d)ELNS0_8SpreadByE(?P<by>\d)")
PLANES = re.compile(r"SpreadPlanesI(?P<type>[fd])Li(?P<parts>\d)ELi(?P<width>\d+)E")
HADAMARD = re.compile(r"HadamardI(?P<type>[fdjm])Lb(?P<large>[01])EE")
INTERPOLATE = re.compile(
    r"InterpolateI(?P<type>[fd])Li(?P<dim>\d)ELi(?P<parts>\d)ELi(?P<width>\d+)ELb(?P<slopes>\d)ELb(?P<held>\d)"
)
COLUMNS = (
    *("kernel", "dtype", "dim", "compiled for width", "target", "registers", "spilled bytes"),
    *("threads", "width", "shared bytes", "blocks a processor"),
)
SHARED = {"sm_80": 164 << 10, "sm_90": 228 << 10}  # bytes of a processor


def blocks_of_a_processor(row) -> int:
    """As CUDA's occupancy calculator has it: of 64 warps, 32 blocks, 65,536 registers and the shared memory."""
    warps = row["threads"] // 32
    registers = -(-row["registers"] * 32 // 256) * 256  # of a warp
    by_registers = 65536 // registers // 4 * 4 // warps
    by_shared = SHARED[row["target"]] // (-(-row["shared bytes"] // 128) * 128 + 1024)
    return min(64 // warps, 32, by_registers, by_shared)


def hot_kernels(shapes, said: str):
    """A row for each kernel that a transform's time is spent in."""
    for entry in ENTRY.finditer(said):
        name = entry["name"]
        if kernel := HADAMARD.search(name):
            row = hadamard_row(shapes, kernel)
        elif kernel := PLANES.search(name):
            row = planes_row(shapes, kernel)
        elif (kernel := SPREAD.search(name) or INTERPOLATE.search(name)) and kernel.groupdict().get("held") != "0":
            row = gridding_row(shapes, kernel)
        else:
            continue
        row |= {
            "target": f"sm_{entry['target']}",
            "registers": int(entry["registers"]),
            "spilled bytes": int(entry["stores"]) + int(entry["loads"]),
        }
        row["blocks a processor"] = blocks_of_a_processor(row)
        yield {name: row[name] for name in COLUMNS}


def hadamard_row(shapes, kernel):
    asked, dtype = (ctypes.c_int64 * 2)(), {"f": "float32", "d": "float64", "j": "int32", "m": "int64"}[kernel["type"]]
    large = kernel["large"] == "1"
    shapes.hadamard_resources(4 if "32" in dtype else 8, large, asked)
    name = "hadamard" + (" of large tiles" if large else "")
    row = {"kernel": name, "dtype": dtype, "dim": 1, "compiled for width": "", "width": ""}
    return row | {"threads": asked[0], "shared bytes": asked[1]}


def planes_row(shapes, kernel):
    asked, width = (ctypes.c_int64 * 2)(), int(kernel["width"])
    parts = int(kernel["parts"])
    shapes.planes_resources(width, parts, BYTES[kernel["type"]], parts, asked)
    row = {"kernel": "spread by planes", "dtype": dtype_of(kernel), "dim": 3, "compiled for width": width}
    return row | {"width": width, "threads": asked[0], "shared bytes": asked[1]}


def gridding_row(shapes, kernel):
    bytes, asked, given = BYTES[kernel["type"]], (ctypes.c_int64 * 2)(), kernel.groupdict()
    width = int(given.get("width", 0))
    typical = width or {4: 7, 8: 14}[bytes]
    common = int(kernel["dim"]), typical, int(kernel["parts"]), bytes
    if "by" in given:
        shapes.spread_resources(*common, int(kernel["by"]), asked)
        name = "spread by " + ("chunks", "tiles", "points")[int(kernel["by"])]
    else:
        shapes.interpolate_resources(*common, asked)
        name = "interpolate" + (" with slopes" if kernel["slopes"] == "1" else "")
    return {
        "kernel": name,
        "dtype": dtype_of(kernel),
        "dim": common[0],
        "compiled for width": width or "any",
        "width": typical,
        "threads": asked[0],
        "shared bytes": asked[1],
    }


BYTES = {"f": 4, "d": 8}


def dtype_of(kernel) -> str:
    bits = 8 * BYTES[kernel["type"]] * int(kernel["parts"])
    return f"{'complex' if kernel['parts'] == '2' else 'float'}{bits}"


@needs_nvcc
def test_kernels_compile_for_gpus_and_spill_no_registers(shapes):
    rows = sorted(
        hot_kernels(shapes, compiling.on_gpu(("80", "90"))), key=lambda row: [str(value) for value in row.values()]
    )
    assert len(rows) > 250
    with RESULTS.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    assert [row for row in rows if row["spilled bytes"]] == []
    assert [row for row in rows if row["target"] == "sm_90" and not row["blocks a processor"]] == []


def test_the_ops_bind_to_torchs_stable_interface():
    """As the build for CUDA compiles them: that of the emulation lacks streams and devices."""
    command = [*compiling.HOST, *compiling.STABLE, "-DUSE_CUDA"]
    compiling.side_by_side([(command, source, "bound") for source in compiling.OPS])
