"""Whether the tests notice that the code is wrong: breaks a copy of it in one place at a time and runs them.

    python tests/support/mutants.py             all of mutations.py
    python tests/support/mutants.py weighing    those of files whose name has this in it

A mutation that no test notices has survived: the exit status is 1. One whose text is no longer there is an error. The
C++ ones compile what they touch, kernels for the instruction set in use alone, and link it with the objects in build/.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import compiling
from mutations import LEVEL, MUTATIONS, Mutation

from fastspec import _C

ROOT = compiling.ROOT
OBJECTS = ROOT / "build/objects/csrc"
SECONDS = 600  # tests that hang have noticed
FAILED = 1  # pytest's status


def copy_to(folder: Path) -> None:
    """What git tracks, and the built module."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in [
        *filter(None, listed.split("\0")),
        *(f"fastspec/{p.name}" for p in (ROOT / "fastspec").glob("_C*.so")),
    ]:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def mutated(text: str, mutation: Mutation) -> str:
    if text.count(mutation.old) != 1:
        raise LookupError(f"{mutation.file}: has {mutation.old!r} {text.count(mutation.old)} times, must have it once")
    return text.replace(mutation.old, mutation.new)


def compiled(folder: Path, source: str) -> Path:
    out = folder / "mutated" / f"{source}.o"
    out.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([*compiling.extension(), "-c", folder / "csrc" / source, "-o", out], check=True)
    return out


def rebuild(folder: Path, sources: tuple[str, ...]) -> None:
    """Into the copy's module, in place of the objects of these sources."""
    sources = tuple(f"cpu/levels/{_C.instruction_set()}.cpp" if s == LEVEL else s for s in sources)
    replaced = {OBJECTS / Path(source).with_suffix(".o"): compiled(folder, source) for source in sources}
    missing = [path for path in replaced if not path.exists()]
    if missing:
        raise FileNotFoundError(f"{missing[0]}: make setup builds it")
    objects = [replaced.get(path, path) for path in sorted(OBJECTS.rglob("*.o"))]
    (module,) = (folder / "fastspec").glob("_C*.so")
    module.unlink()
    linker = [*compiling.extension(), "-shared", "-Wl,-s", *objects]
    subprocess.run([*linker, *compiling.LINKED, "-o", module], check=True)


def notices(folder: Path, tests: str) -> bool:
    """Whether these tests fail in the copy; that they cannot even be run is an error."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests.split()]
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return True
    if run.returncode not in (0, FAILED):
        raise RuntimeError(f"{tests}: pytest ended with {run.returncode}\n{run.stdout[-2000:]}{run.stderr[-2000:]}")
    return run.returncode == FAILED


def survives(folder: Path, mutation: Mutation) -> bool:
    """Breaks the copy, asks its tests and mends it again."""
    path = folder / mutation.file
    whole = path.read_text()
    modules = {module: module.read_bytes() for module in (folder / "fastspec").glob("_C*.so")}
    path.write_text(mutated(whole, mutation))
    try:
        if mutation.rebuild:
            rebuild(folder, mutation.rebuild)
        return not notices(folder, mutation.tests)
    finally:
        path.write_text(whole)
        for module, content in modules.items() if mutation.rebuild else ():
            module.unlink(missing_ok=True)
            module.write_bytes(content)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", default="", help="of files, in part")
    parser.add_argument("--list", action="store_true", help="print the mutations and stop")
    given = parser.parse_args()
    chosen = [mutation for mutation in MUTATIONS if given.name in mutation.file]
    for mutation in chosen:
        mutated((ROOT / mutation.file).read_text(), mutation)  # before any is run
    survivors = 0
    with TemporaryDirectory() as name:
        folder = Path(name)
        if not given.list:
            copy_to(folder)
        for mutation in chosen:
            survived = not given.list and survives(folder, mutation)
            survivors += survived
            word = "" if given.list else "survived  " if survived else "caught    "
            print(f"{word}{mutation.file}: {mutation.old!r} -> {mutation.new!r}", flush=True)
    print(f"{len(chosen)} mutations, {survivors} survived")
    raise SystemExit(1 if survivors else 0)


if __name__ == "__main__":
    main()
