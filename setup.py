"""Builds the one extension module, fastspec._C. Everything else is in pyproject.toml.

USE_CUDA=0 leaves the CUDA sources out; USE_CUDA=1 demands them; unset, they join where torch is built for CUDA and a
toolkit is found.
"""

import os
import re
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path

from setuptools import setup

try:
    import pybind11
    import torch
    from torch.utils.cpp_extension import CUDA_HOME, BuildExtension, CppExtension, CUDAExtension
except ModuleNotFoundError as error:
    raise SystemExit(
        f"fastspec cannot be built: {error}. It is built against the torch that it will run with: install torch, then "
        "pip install setuptools wheel ninja pybind11, and pip install --no-build-isolation ."
    ) from None

SOURCES = sorted(str(path) for path in Path("csrc").rglob("*.cpp"))
CUDA_SOURCES = sorted(str(path) for path in Path("csrc/cuda").glob("*.cu"))
CUDA_TARGETS = ["80", "90"]
HOST_FLAGS = "-std=c++20 -O2 -ftree-vectorize -fvect-cost-model=dynamic -fno-math-errno -fno-trapping-math -g0"


def use_cuda() -> bool:
    wanted = os.environ.get("USE_CUDA", "")
    if wanted == "1" and CUDA_HOME is None:
        raise SystemExit("USE_CUDA=1, but no CUDA toolkit was found: set CUDA_HOME")
    if wanted == "1" and torch.version.cuda is None:
        raise SystemExit("USE_CUDA=1, but this torch is built without CUDA: install one that is built with it")
    return wanted != "0" and CUDA_HOME is not None and torch.version.cuda is not None


def nvcc_flags() -> list[str]:
    newest = CUDA_TARGETS[-1]
    targets = [f"-gencode=arch=compute_{t},code=sm_{t}" for t in CUDA_TARGETS]
    return ["-O3", "-std=c++20", "--threads=0", *targets, f"-gencode=arch=compute_{newest},code=compute_{newest}"]


def cuda_libraries() -> list[str]:
    """Where nvcc itself looks: torch takes its place in the file tree for the toolkit's, which a wrapper's is not."""
    dry_run = [Path(CUDA_HOME) / "bin" / "nvcc", "--dryrun", "-x", "cu", os.devnull]
    return re.findall(r'"-L(.+?)"', subprocess.run(dry_run, capture_output=True, text=True).stderr)


# What the sources use that an old compiler does not know.
PROBE = """
#ifdef __x86_64__
#pragma GCC target("arch=x86-64-v4")
#endif
#include <atomic>
template <class T> constexpr bool counts = requires(T n) { std::atomic_ref<T>(n).fetch_add(1); };
static_assert(counts<int>);
"""


def check_compiler() -> None:
    """Before ninja does, whose own words are a page long."""
    compiler = shlex.split(os.environ.get("CXX", "c++"))
    need = "a C++20 compiler such as g++ 12 (Debian, Ubuntu: apt install g++), first on the PATH or named by CXX"
    if shutil.which(compiler[0]) is None:
        raise SystemExit(f"fastspec cannot be built: there is no {compiler[0]!r}. It needs {need}")
    probe = [*compiler, "-std=c++20", "-fsyntax-only", "-x", "c++", "-"]
    if subprocess.run(probe, input=PROBE, capture_output=True, text=True).returncode:
        raise SystemExit(
            f"fastspec cannot be built: {shlex.join(compiler)} is too old or cannot be run. It needs {need}"
        )
    headers = Path(sysconfig.get_paths()["include"])
    if not (headers / "Python.h").exists():
        raise SystemExit(
            f"fastspec cannot be built: there is no Python.h in {headers}. It needs Python's headers (Debian, Ubuntu: "
            "apt install python3-dev)"
        )


def extension():
    cuda = use_cuda()
    # torch's stable ABI as of 2.10: one build serves every later torch
    macros = [("TORCH_TARGET_VERSION", "0x020a000000000000"), *([("USE_CUDA", "1")] if cuda else [])]
    built = (CUDAExtension if cuda else CppExtension)(
        "fastspec._C",
        SOURCES + (CUDA_SOURCES if cuda else []),
        include_dirs=[pybind11.get_include()],
        define_macros=macros,
        library_dirs=cuda_libraries() if cuda else [],
        extra_compile_args={"cxx": HOST_FLAGS.split(), "nvcc": nvcc_flags()},
        extra_link_args=["-Wl,-s"],
    )
    built.libraries.remove("torch_python")  # no symbol of it is used, and it is outside the stable ABI
    return built


class KeptBuild(BuildExtension):
    """Keeps its objects between builds: an editable install would start from nothing."""

    def finalize_options(self):
        super().finalize_options()
        self.build_temp = "build/objects"

    def run(self):
        check_compiler()
        super().run()


setup(ext_modules=[extension()], cmdclass={"build_ext": KeptBuild})
