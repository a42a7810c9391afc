"""The build says in one line what it needs; the distribution's name is ours."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# setup.py without its last act, then its check with each compiler: what it says, or "" where all is well.
CHECKS = """
import json, os, runpy, sys
import setuptools
setuptools.setup = lambda **_: None
check = runpy.run_path("setup.py")["check_compiler"]
said = {}
for name, compiler in json.loads(sys.argv[1]).items():
    os.environ["CXX"] = compiler
    try:
        check()
        said[name] = ""
    except SystemExit as error:
        said[name] = str(error)
print(json.dumps(said))
"""


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True)


def test_a_compiler_that_is_missing_or_old_is_said_in_one_line(tmp_path):
    if not any((Path(folder) / "g++").exists() for folder in os.get_exec_path()):
        pytest.skip("needs g++")
    old = tmp_path / "old"
    old.write_text('#!/bin/sh\nexec g++ "$@" -std=c++17\n')
    old.chmod(0o755)
    done = run("-c", CHECKS, json.dumps({"good": "g++", "missing": "no-such-compiler", "old": str(old)}))
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["good"] == ""
    assert said["missing"].startswith("fastspec cannot be built: there is no 'no-such-compiler'. It needs a C++20")
    assert f"{old} is too old" in said["old"] and "apt install g++" in said["old"]
    assert not any("\n" in line for line in said.values())


def test_what_the_build_imports_is_said_where_it_is_missing():
    hidden = "import sys, runpy; sys.modules['pybind11'] = None; runpy.run_path('setup.py')"
    done = run("-c", hidden)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("fastspec cannot be built: ") and "pip install setuptools wheel" in done.stderr


def test_a_build_alone_downloads_no_torch():
    """It is told to be built against the one that is there."""
    required = re.search(r"^requires = (.*)$", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert "torch" not in required[1]
    alone = run("-c", "import sys, runpy; sys.modules['torch'] = None; runpy.run_path('setup.py')")
    assert alone.returncode == 1 and "pip install --no-build-isolation ." in alone.stderr


def test_the_distribution_is_not_the_other_fastspec():
    """That one is an OpenAPI client: whatever we ask to install must be ours."""
    assert re.search(r'^name = "fastspec-torch"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    sources = [ROOT / "pyproject.toml", ROOT / "setup.py", *(ROOT / "fastspec").rglob("*.py")]
    wrong = [
        path.name for path in sources if re.search(r"fastspec\[|pip install '?fastspec(?!-torch)", path.read_text())
    ]
    assert not wrong
