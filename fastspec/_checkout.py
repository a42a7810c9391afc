"""What comes with the source and not with the package: the benchmarks."""

import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


def load_benchmarks(module: str = "") -> ModuleType:
    """The checkout's package of benchmarks, which is not installed, or a module of it; sys.path stays as it is."""
    if "benchmarks" not in sys.modules:
        where = [str(BENCHMARKS)]
        spec = spec_from_file_location("benchmarks", BENCHMARKS / "__init__.py", submodule_search_locations=where)
        assert spec is not None and spec.loader is not None
        sys.modules["benchmarks"] = package = module_from_spec(spec)
        spec.loader.exec_module(package)
    return import_module(f"benchmarks.{module}" if module else "benchmarks")
