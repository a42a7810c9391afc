"""Compiles the Triton kernels for GPUs that need not be there, and records registers, shared memory and spills.

    python -m benchmarks.tools.triton_resources    writes results/triton_resources.csv; returns 1 where a kernel spills

What is compiled is what the ops launch: they are called on CPU tensors while launches are recorded instead of made.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import triton
from torch import Tensor
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.runtime.autotuner import Autotuner
from triton.runtime.jit import KernelInterface

from benchmarks import RESULTS
from benchmarks.report import write_csv
from fastspec._core.triton import direct, exponential_sums, gaussian, gaussian_rounded
from fastspec._core.triton._tune import FUSED

TARGETS = (80, 90)
CUOBJDUMP = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
POINTERS = {torch.float16: "*fp16", torch.bfloat16: "*bf16", torch.float32: "*fp32", torch.float64: "*fp64"}


@dataclass(frozen=True)
class Launch:
    kernel: KernelInterface
    arguments: tuple
    constants: dict

    @property
    def function(self):
        return self.kernel.fn if isinstance(self.kernel, Autotuner) else self.kernel

    @property
    def configs(self) -> list[triton.Config]:
        if not isinstance(self.kernel, Autotuner):
            return [triton.Config({})]
        named = dict(zip(self.kernel.arg_names, self.arguments, strict=False))
        return self.kernel.early_config_prune(self.kernel.configs, named)


@dataclass(frozen=True)
class Resources:
    op: str
    kernel: str
    constants: str
    target: int
    warps: int
    registers: int
    spilled_bytes: int
    shared_bytes: int


# --- what is launched -------------------------------------------------------------------------------------------------


@contextmanager
def recorded() -> Iterator[list[Launch]]:
    launches: list[Launch] = []
    launch = KernelInterface.__getitem__
    KernelInterface.__getitem__ = lambda kernel, grid: (
        lambda *args, **named: launches.append(Launch(kernel, args, named))
    )
    try:
        yield launches
    finally:
        KernelInterface.__getitem__ = launch


def problems(dtype: torch.dtype) -> dict[str, Callable[[], object]]:
    """A call of each op for each of its kernels and of the kernels' constants that matter."""
    paired = torch.promote_types(dtype, torch.complex32)

    def zeros(*shape: int, like: torch.dtype = dtype) -> Tensor:
        return torch.zeros(shape, dtype=like)

    def filtered(d: int, channels: int):
        return zeros(500, d), zeros(1, 500, channels), torch.ones(20, dtype=torch.float64)

    sums = {
        f"{name} {kind} {rows} x d = {d}": lambda op=op, d=d, rows=rows, like=like: op(
            zeros(5000, d), zeros(rows, 5000, like=like), zeros(300, d), 1
        )
        for name, op in (
            ("exponential_sums", exponential_sums.exponential_sums),
            ("exponential_sums_real", exponential_sums.exponential_sums_real),
        )
        for kind, like in (("real", dtype), ("complex", paired))
        for rows, d in ((1, 8), (5, 8), (1, 40))
    }
    gradients = {
        f"exponential_sums_gradient {kind} d = {d}": lambda d=d, like=like: exponential_sums.exponential_sums_gradient(
            zeros(5000, d), zeros(1, 5000, like=like), zeros(300, d), zeros(1, 300, like=paired), 1
        )
        for kind, like in (("real", dtype), ("complex", paired))
        for d in (8, 40)
    }
    filters = {
        f"gaussian_filter d = {d}, C = {c}": lambda d=d, c=c: gaussian.gaussian_filter(*filtered(d, c))
        for d, c in ((3, 1), (64, 1), (64, 4), (784, 1))
    }
    filter_gradients = {
        f"gaussian_filter_gradient d = {d}": lambda d=d: gaussian.gaussian_filter_gradient(
            *filtered(d, 2), zeros(20, 500, 2)
        )
        for d in (3, 64)
    }
    rounded = {
        f"gaussian_filter_rounded {precision} d = {d}": lambda d=d, precision=precision: (
            gaussian_rounded.gaussian_filter_rounded(*filtered(d, 1), precision)
        )
        for precision in (gaussian_rounded.KINDS if dtype == torch.float32 else ())
        for d in (3, 64, 784)
    }
    return sums | gradients | filters | filter_gradients | rounded | on_modes(dtype)


def on_modes(dtype: torch.dtype) -> dict[str, Callable[[], object]]:
    """Those of the ops between points and a grid of modes: tiles of few columns, of few rows, and of many of both."""
    paired = torch.promote_types(dtype, torch.complex32)

    def calls(modes: tuple[int, ...], real: bool) -> dict[str, Callable[[], object]]:
        x, given = torch.zeros(1, 1000, len(modes), dtype=dtype), (modes, [1.0] * len(modes), True)
        f = torch.zeros(1, 1, *modes[:-1], modes[-1] // 2 + 1 if real else modes[-1], dtype=paired)
        c = torch.zeros(1, 1, 1000, dtype=dtype if real else paired)
        return {
            "direct_type1": lambda: direct.direct_type1(x, c, *given, -1),
            "direct_type2": lambda: direct.direct_type2(x, f, *given, 1, real),
            "direct_type2_gradient": lambda: direct.direct_type2_gradient(x, f, c, *given, 1, False),
            "direct_type2_gradient, values too": lambda: direct.direct_type2_gradient(x, f, c, *given, 1, True),
        }

    return {
        f"{name} {'real' if real else 'complex'} {'x'.join(map(str, modes))}": call
        for modes in ((1000,), (16, 16, 16), (64, 64))
        for real in (False, True)
        for name, call in calls(modes, real).items()
    }


# --- compiling --------------------------------------------------------------------------------------------------------


def _signature(launch: Launch, constants: dict) -> tuple[dict, dict, dict]:
    """Types, constants and alignments, as a launch of these arguments would choose them."""
    signature, attributes = dict.fromkeys(constants, "constexpr"), {}
    constants = dict(constants)
    for place, (parameter, value) in enumerate(zip(launch.function.params, launch.arguments, strict=False)):
        if isinstance(value, Tensor):
            signature[parameter.name], aligned = POINTERS[value.dtype], True
        elif value == 1 and not parameter.do_not_specialize:
            signature[parameter.name], constants[parameter.name], aligned = "constexpr", 1, False
        else:
            signature[parameter.name] = "i32" if abs(value) < 2**31 else "i64"
            aligned = value % 16 == 0 and not parameter.do_not_specialize
        if aligned:
            attributes[(place,)] = [["tt.divisibility", 16]]
    return {name: signature[name] for name in launch.function.arg_names}, constants, attributes


def compiled(op: str, launch: Launch, config: triton.Config, target: int) -> Resources:
    constants = {k: v for k, v in launch.constants.items() if k not in FUSED} | config.kwargs
    signature, constants, attributes = _signature(launch, constants)
    source = ASTSource(launch.function, signature, constants, attributes)
    options = {"num_warps": config.num_warps, "num_stages": config.num_stages, "maxnreg": config.maxnreg, **FUSED}
    kernel = triton.compile(source, GPUTarget("cuda", target, 32), options)
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(kernel.asm["cubin"])
        file.flush()
        command = [str(CUOBJDUMP), "--dump-resource-usage", file.name]
        report = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    registers, stack = map(int, re.search(r"REG:(\d+) STACK:(\d+)", report).groups())
    shown = {**config.kwargs, **{k: v for k, v in launch.constants.items() if k not in ("COLUMNS", "CHUNK", *FUSED)}}
    return Resources(
        op,
        launch.function.__name__,
        " ".join(f"{name}={value}" for name, value in shown.items()),
        target,
        config.num_warps,
        registers,
        stack,
        kernel.metadata.shared,
    )


def launches_of(dtype: torch.dtype) -> Iterator[tuple[str, Launch]]:
    """Each kernel with each set of constants, once."""
    seen = set()
    for op, call in problems(dtype).items():
        with recorded() as launches:
            call()
        for launch in launches:
            key = launch.function.__name__, launch.function.__module__, *sorted(launch.constants.items())
            if key not in seen:
                seen.add(key)
                yield f"{op}, {str(dtype)[6:]}", launch


def all_resources(targets=TARGETS) -> Iterator[Resources]:
    for dtype in (torch.float32, torch.float64):
        for op, launch in launches_of(dtype):
            for config in launch.configs:
                for target in targets:
                    yield compiled(op, launch, config, target)


def main() -> int:
    rows = [asdict(row) for row in all_resources()]
    write_csv(RESULTS / "triton_resources.csv", rows)
    spilling = [row for row in rows if row["spilled_bytes"]]
    for row in spilling:
        print("spills:", *row.values())
    print(f"{len(rows)} kernels compiled, {len(spilling)} spill; registers at most {max(r['registers'] for r in rows)}")
    return 1 if spilling else 0


if __name__ == "__main__":
    sys.exit(main())
