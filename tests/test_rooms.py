"""The house's rules, read from the source: who imports whom, what is private, how long and how wide things may be."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "fastspec"

# A module imports from its own room and from floors below. Modules at the root are rooms too; "" is the public names.
FLOORS = (
    {"_C", "_box", "_check", "_checkout", "_data", "_files", "_notebook", "_version", "_warn", "reference"},
    {"_lfp", "tangent"},
    {"weights", "_core"},
    {"plan"},
    {"nufft"},
    {"loss"},
    {"measure"},
    {"callbacks", "nn", "theory", "walsh"},
    {"precondition"},
    {"diagnosis"},
    {"reporting"},
    {""},
    {"recipes"},
    {"cli"},
    {"__main__"},
)
LONGEST, WIDEST = 400, 8

# Their parameters are the contract with users.
WIDE = {"PhaseMLP.__init__", "SpectralLoss.__init__", "SpectralMonitor.__init__", "min_norm_interpolant"}

FILES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}


def module_of(name: str) -> tuple[str, ...]:
    """ "measure/__init__.py" -> ("measure",)."""
    parts = tuple(name.removesuffix(".py").split("/"))
    return parts[:-1] if parts[-1] == "__init__" else parts


MODULES = {module_of(name) for name in FILES} | {("_C",)}


def floor_of(module: tuple[str, ...]) -> int:
    room = module[0] if module else ""
    floors = [i for i, rooms in enumerate(FLOORS) if room in rooms]
    assert floors, f"{room}: give this room a floor"
    return floors[0]


@cache
def tree_of(name: str) -> ast.Module:
    return ast.parse(FILES[name].read_text())


def imports_of(name: str) -> Iterator[tuple[tuple[str, ...], str | None, str]]:
    """Module of fastspec, name taken from it or None for the module itself, and what it is called here."""
    package = module_of(name) if name.endswith("__init__.py") else module_of(name)[:-1]
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                head, *rest = alias.name.split(".")
                if head == "fastspec":
                    yield (tuple(rest) if alias.asname else ()), None, alias.asname or head
        elif isinstance(node, ast.ImportFrom):
            parts = tuple(node.module.split(".")) if node.module else ()
            if node.level == 0 and parts[:1] != ("fastspec",):
                continue
            base = package[: len(package) - node.level + 1] + parts if node.level else parts[1:]
            for alias in node.names:
                inner = (*base, alias.name)
                held = alias.asname or alias.name
                yield (inner, None, held) if inner in MODULES else (base, alias.name, held)


def private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def functions_of(name: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """All functions but nested ones and kernels; methods as Class.method."""
    classes = [(f"{node.name}.", node.body) for node in tree_of(name).body if isinstance(node, ast.ClassDef)]
    for prefix, body in [("", tree_of(name).body), *classes]:
        for node in body:
            if isinstance(node, ast.FunctionDef) and not is_kernel(node):
                yield prefix + node.name, node


def is_kernel(function: ast.FunctionDef) -> bool:
    """One of Triton's, or what stands for an op while it is traced: its parameters are the op's."""
    decorators = [ast.unparse(decorator) for decorator in function.decorator_list]
    return any("jit" in decorator or "register_fake" in decorator for decorator in decorators)


def parameters_of(function: ast.FunctionDef) -> list[ast.arg]:
    a = function.args
    several = [star for star in (a.vararg, a.kwarg) if star is not None]
    return [p for p in (*a.posonlyargs, *a.args, *a.kwonlyargs, *several) if p.arg not in ("self", "cls")]


@pytest.mark.parametrize("name", FILES)
def test_imports_point_downward(name):
    own = module_of(name)
    for module, taken, _ in imports_of(name):
        if own[:1] != module[:1]:
            what = ".".join((*module, taken or ""))
            assert floor_of(module) < floor_of(own), f"{name} imports {what} from a floor that is not below its own"


@pytest.mark.parametrize("name", FILES)
def test_our_own_modules_are_imported_at_the_top(name):
    """Not when called, as a cycle would ask for, or a test that replaces what is imported."""
    functions = [node for node in ast.walk(tree_of(name)) if isinstance(node, ast.FunctionDef)]
    late = [node for f in functions for node in ast.walk(f) if isinstance(node, ast.ImportFrom)]
    assert not [ast.unparse(n) for n in late if n.level or str(n.module).startswith("fastspec")]


@pytest.mark.parametrize("name", FILES)
def test_no_private_name_is_imported(name):
    taken = [f"{'.'.join(module)}.{n}" for module, n, _ in imports_of(name) if n and private(n)]
    assert not taken, f"{name} imports {taken}"


@pytest.mark.parametrize("name", FILES)
def test_no_private_name_of_a_module_is_used(name):
    held = {called: module for module, taken, called in imports_of(name) if taken is None}
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.Attribute) and private(node.attr):
            root, *rest = dotted(node)
            whole = (*held[root], *rest) if root in held else ()
            assert whole in MODULES or whole[:-1] not in MODULES, f"{name} uses {ast.unparse(node)}"


def dotted(node: ast.expr) -> list[str]:
    """a.b.c -> ["a", "b", "c"]; what is not a name is "" instead."""
    if isinstance(node, ast.Attribute):
        return [*dotted(node.value), node.attr]
    return [node.id if isinstance(node, ast.Name) else ""]


@pytest.mark.parametrize("name", FILES)
def test_files_are_short_and_functions_narrow(name):
    assert len(FILES[name].read_text().splitlines()) <= LONGEST
    for called, function in functions_of(name):
        count = len(parameters_of(function))
        assert count <= WIDEST or called in WIDE, f"{name}: {called} has {count} parameters"


@pytest.mark.parametrize("name", FILES)
def test_public_functions_are_annotated(name):
    for called, function in functions_of(name):
        if any(private(part) for part in (*module_of(name), *called.split("."))):
            continue
        missing = [p.arg for p in parameters_of(function) if p.annotation is None]
        assert not missing, f"{name}: {called} has no annotation of {missing}"
        assert function.returns is not None or function.name == "__init__", f"{name}: {called} says not what it returns"
