"""The C++ under a sanitizer, built apart in build/, and the tests that reach its kernels at every level.

    python tests/support/sanitized.py address    and undefined behaviour: ops, CPU kernels, CUDA kernels on a CPU
    python tests/support/sanitized.py thread     CPU kernels, on threads whose starts and ends the sanitizer sees

What it finds ends the tests with its report.
"""

import os
import shutil
import subprocess
import sys
import sysconfig

import compiling

ROOT = compiling.ROOT
FLAGS = "-O1 -g1 -fno-omit-frame-pointer"
# Of undefined behaviour not what is asked at each access to memory, which AddressSanitizer watches, and which the
# kernels, all inlined, take long to compile with.
UNDEFINED = "-fsanitize=undefined -fno-sanitize=null,alignment,object-size,pointer-overflow,vptr"
LEVELS = ["-k", "generic or v3 or v4", "tests/core", "tests/loss", "tests/test_nufft.py", "tests/walsh"]
# Of limits on memory and on time the sanitizer needs more; what torch.compile builds is not ours.
GARBAGE = ["-k", "garbage or refused or rows or emulated", "tests/core/test_unbreakable.py", "tests/core/test_cuda.py"]
RUNS = {
    "address": (f"-fsanitize=address {UNDEFINED}", ("libasan.so", "libstdc++.so"), (LEVELS, GARBAGE)),
    "thread": ("-fsanitize=thread -DFASTSPEC_RACES", ("libtsan.so",), (LEVELS,)),
}
OPTIONS = {
    # Python keeps what it has until the end; ops are to say themselves that there is no memory
    "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    # Python and torch are not instrumented
    "TSAN_OPTIONS": "halt_on_error=1 ignore_noninstrumented_modules=1",
    "OMP_NUM_THREADS": "1",
}


def library(name: str) -> str:
    """Where the compiler has it; the tests' Python loads it before all else."""
    return subprocess.run(
        ["g++", f"-print-file-name={name}"], check=True, capture_output=True, text=True
    ).stdout.strip()


def build(kind: str, flags: list[str]) -> None:
    """All of fastspec, in build/<kind>."""
    folder, command = ROOT / "build" / kind / "fastspec", [*compiling.extension(), *flags]
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "fastspec", folder, ignore=shutil.ignore_patterns("_C*.so", "__pycache__"))
    sources = sorted((ROOT / "csrc").rglob("*.cpp"), key=lambda path: path.parent.name != "levels")  # longest first
    objects = [out for out, _ in compiling.side_by_side([(command, s, f"{kind}/objects") for s in sources])]
    module = folder / f"_C{sysconfig.get_config_var('EXT_SUFFIX')}"
    subprocess.run([*command, "-shared", *objects, *compiling.LINKED, "-o", module], check=True)


def main(kind: str) -> None:
    sanitizer, libraries, runs = RUNS[kind]
    flags = f"{FLAGS} {sanitizer}"
    build(kind, flags.split())
    given = os.environ | OPTIONS | {"CXXFLAGS": flags, "LD_PRELOAD": " ".join(map(library, libraries))}
    given["PYTHONPATH"] = str(ROOT / "build" / kind)
    for tests in runs:
        ours = ["-o", f"pythonpath=build/{kind} tests/support"]  # in place of the tree's own module
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-s", "-p", "no:cacheprovider", *ours, *tests]
        if subprocess.run(command, cwd=ROOT, env=given).returncode:
            raise SystemExit(1)


if __name__ == "__main__":
    main(sys.argv[1])
