"""``import fastspec`` costs little beside torch's own import."""

import subprocess
import sys

import fastspec

SCRIPT = """
import sys, torch
before = set(sys.modules)
import fastspec as fs
x = torch.rand(9)
monitor = fs.SpectralMonitor(x, x, 4, peaks=torch.tensor([1]))
monitor.update(0, x)
repr(monitor), repr(fs.Plan(x, 4)), repr(fs.SpectralLoss(4, x=x)), fs.callbacks
print(*set(sys.modules) - before)
"""


def run(*arguments: str) -> str:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True, timeout=120).stdout


def test_nothing_heavy_comes_along():
    """Neither other libraries, which wait until they are used, nor the compiler of torch, which takes a second."""
    new = run("-c", SCRIPT).split()
    assert "fastspec.measure" in new and not any(name.startswith("torch._dynamo") for name in new)
    assert {name.split(".")[0] for name in new} <= {"fastspec", "torch", *sys.stdlib_module_names}


def test_the_package_is_the_command():
    assert run("-m", "fastspec", "--version").split()[-1] == fastspec.__version__
