"""Compiles C++ for tests: the extension anew, and the CUDA sources, for a CPU, where blocks are run thread after
thread, and with nvcc.

What was compiled from the same text by the same command is kept in build/. CXXFLAGS are added to the emulation's.
"""

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pybind11
import torch

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "csrc" / "cuda").glob("*.cu"))
OPS = [
    ROOT / "csrc" / "ops" / f"{name}.cpp" for name in ("gridding", "spectrum", "loss_step", "hadamard")
]  # those on CUDA
SHAPES = Path(__file__).with_name("shapes.cpp")
FAILURES = ROOT / "csrc" / "cpu" / "failures.cpp"
TORCH = Path(torch.__file__).parent
STABLE = ["-DTORCH_TARGET_VERSION=0x020a000000000000", f"-I{TORCH / 'include'}"]
LINKED = [f"-L{TORCH / 'lib'}", "-ltorch_cpu", "-ltorch", "-lc10"]
ADDED = shlex.split(os.environ.get("CXXFLAGS", ""))
HOST = ["g++", "-std=c++20", "-fPIC", "-O1", "-ffp-contract=off", *ADDED]
ALONE = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}  # no compiler needs a sanitizer


def extension() -> list[str]:
    """How setup.py compiles the extension."""
    flags = re.search(r'^HOST_FLAGS = "(.*)"$', (ROOT / "setup.py").read_text(), re.MULTILINE)
    assert flags is not None
    given = [*shlex.split(os.environ.get("CXX", "c++")), "-DNDEBUG", "-fwrapv", "-fPIC", *flags[1].split(), "-w"]
    places = [f"-I{place}" for place in (pybind11.get_include(), sysconfig.get_paths()["include"])]
    return [*given, *STABLE, "-DTORCH_EXTENSION_NAME=_C", *places]


def _included(source: Path, seen: set[Path]) -> set[Path]:
    """A source, and what of ours it includes, directly or not."""
    if source not in seen and source.exists():
        seen.add(source)
        for name in re.findall(r'^ *#include "(.+)"', source.read_text(), re.MULTILINE):
            _included((source.parent / name).resolve(), seen)
    return seen


def _digest(command: list[str], *sources: Path) -> str:
    text = hashlib.sha256("\0".join([*command, torch.__version__]).encode())
    for path in sorted({path for source in sources for path in _included(source, set())}):
        text.update(path.read_bytes())
    return text.hexdigest()[:16]


def compiled(command: list[str], source: Path, folder: str) -> tuple[Path, str]:
    """The object of a source and what the compiler said."""
    out = ROOT / "build" / folder / f"{source.stem}-{_digest([*command, str(source)], source)}.o"
    said = out.with_suffix(".txt")
    if not (out.exists() and said.exists()):
        out.parent.mkdir(parents=True, exist_ok=True)
        fresh = out.with_suffix(f".{os.getpid()}.tmp")
        given = [*command, "-c", str(source), "-o", str(fresh)]
        done = subprocess.run(given, capture_output=True, text=True, env=ALONE)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} {source}\n{done.stderr}")
        said.write_text(done.stdout + done.stderr)
        fresh.rename(out)
    return out, said.read_text()


def side_by_side(jobs) -> list[tuple[Path, str]]:
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return list(pool.map(lambda job: compiled(*job), jobs))


def emulation() -> Path:
    """A library that registers the CUDA ops, which run on CPU memory."""
    jobs = [([*HOST, "-x", "c++"], source, "emulated") for source in SOURCES]
    jobs += [([*HOST, *STABLE, "-DFASTSPEC_EMULATED"], source, "emulated") for source in OPS]
    jobs += [(HOST, source, "emulated") for source in (SHAPES, FAILURES)]
    objects = [str(out) for out, _ in side_by_side(jobs)]
    library = ROOT / "build" / "emulated" / f"emulated-{_digest(objects)}.so"
    if not library.exists():
        fresh = library.with_suffix(f".{os.getpid()}.tmp")
        subprocess.run(["g++", *ADDED, "-shared", *objects, *LINKED, "-o", str(fresh)], check=True, env=ALONE)
        fresh.rename(library)
    return library


def on_gpu(targets: tuple[str, ...]) -> str:
    """What nvcc says of the kernels, compiled as setup.py does for these targets."""
    command = [nvcc(), "-O3", "-std=c++20", "-Xptxas", "-v"]
    said = side_by_side(
        [
            ([*command, f"-gencode=arch=compute_{target},code=sm_{target}"], source, "nvcc")
            for target in targets
            for source in sorted(SOURCES, key=lambda path: -path.stat().st_size)
        ]
    )
    return "\n".join(text for _, text in said)


def nvcc() -> str | None:
    """Where the CUDA compiler is, if there is one."""
    return shutil.which("nvcc") or shutil.which("/usr/local/cuda/bin/nvcc")
