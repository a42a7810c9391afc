"""Files are written whole or not at all: on a full disk, in an interrupt, and through links."""

import json
import math
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from fastspec import _files
from fastspec._files import strict, write_figure, write_whole

ROOT = Path(__file__).parent.parent

# Each writes to the path given, once well and once where files may have 64 bytes: a disk that is full.
WRITERS = {
    "monitor": """
import torch, fastspec as fs
x = torch.linspace(0, 6, 40)
monitor = fs.SpectralMonitor(x, x.sin(), 8, peaks=torch.tensor([1]))
monitor.update(0, x)
write = monitor.save
""",
    "monitor's plot": """
import torch, fastspec as fs
x = torch.linspace(0, 6, 40)
monitor = fs.SpectralMonitor(x, x.sin(), 8, peaks=torch.tensor([1]))
monitor.update(0, x)
write = lambda path: monitor.plot(path.with_suffix(".png")) and None
path = path.with_suffix(".png")
""",
    "recipe's result": """
from dataclasses import replace
from fastspec.recipes import RECIPES, Outcome, run_recipe
recipe = replace(RECIPES["f-principle"], main=lambda *_: Outcome("two is two", True, {}, []))
write = lambda path: run_recipe(recipe, path.parent)
path = path.with_name("result.json")
""",
    "recipe's figure": """
from fastspec.recipes.harness import figure
path = path.with_suffix(".png")
def write(path):
    with figure(path, 2, 2) as drawn:
        drawn.add_subplot()
""",
    "benchmark's csv": """
from benchmarks.report import write_csv
write = lambda path: write_csv(path, [{"name": "a" * 100}])
""",
    "benchmark's plot": """
from benchmarks import report
from benchmarks.measure import Figure, Row
path = path.with_suffix(".png")
write = lambda path: report.plot({"fake": [Row("case", 1, Figure("ours", 1.0), Figure("other", 2.0), 0.5)]}, path)
""",
    "planner's rates": """
from benchmarks.tools import costs
text = costs.RATES.read_text()
path.write_text(text)
write = lambda path: costs.write("cpu_rates", costs.read("cpu_rates"), "as before", path)
""",
    "study's table": """
from benchmarks.studies import limit
limit.draw = lambda rows, path: None
limit.summary = lambda rows: []
write = lambda path: limit.write([{"net": "relu", "d": 1}], path.parent)
path = path.with_name("limit.csv")
""",
}

FULL = """
import json, resource, signal, sys
from pathlib import Path

def tried(path, writer):
    scope = {"path": path}
    exec(writer, scope)
    path, write = scope["path"], scope["write"]
    write(path)
    before = path.read_bytes()
    assert len(before) > 8
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, resource.RLIM_INFINITY))
    try:
        write(path)
        failed = None
    except (OSError, RuntimeError) as error:
        failed = error
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    left = [p.name for p in path.parent.iterdir() if p.name.startswith(".")]
    return {"refused": failed is not None, "whole": path.read_bytes() == before, "left": left}

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then writing beyond the limit is an OSError, as on a full disk
found, writers = {}, json.load(sys.stdin)
for i, (name, writer) in enumerate(writers.items()):
    folder = Path(sys.argv[1]) / str(i)
    folder.mkdir()
    found[name] = tried(folder / "file", writer)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def on_a_full_disk(tmp_path_factory):
    for needed in ("matplotlib", "tqdm"):
        pytest.importorskip(needed)
    command = [sys.executable, "-W", "ignore", "-c", FULL, str(tmp_path_factory.mktemp("full"))]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, input=json.dumps(WRITERS), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_the_earlier_file(name, on_a_full_disk):
    assert on_a_full_disk[name] == {"refused": True, "whole": True, "left": []}


def test_an_interrupt_leaves_the_earlier_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_whole(path, "first")

    def interrupted(handle):
        raise KeyboardInterrupt

    monkeypatch.setattr(_files.os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, "second")
    assert path.read_text() == "first" and list(tmp_path.iterdir()) == [path]


def test_the_content_is_on_the_disk_before_it_has_the_name(tmp_path, monkeypatch):
    path, done = tmp_path / "file", []
    synced, replaced = os.fsync, os.replace
    monkeypatch.setattr(_files.os, "fsync", lambda handle: done.append("sync") or synced(handle))
    monkeypatch.setattr(_files.os, "replace", lambda a, b: done.append("rename") or replaced(a, b))
    write_whole(path, b"content")
    assert done == ["sync", "rename", "sync"] and path.read_bytes() == b"content"


def test_links_and_permissions_stay(tmp_path):
    (tmp_path / "folder").mkdir()
    path, link = tmp_path / "folder" / "file", tmp_path / "link"
    write_whole(path, "first")
    fresh = tmp_path / "fresh"
    fresh.touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(fresh.stat().st_mode)  # as open() would make it
    path.chmod(0o640)
    link.symlink_to(path)
    write_whole(link, "second")
    assert link.is_symlink() and path.read_text() == "second" and stat.S_IMODE(path.stat().st_mode) == 0o640


def test_what_is_no_plain_file_is_written_to():
    write_whole("/dev/null", "gone")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "nowhere" / "file", "content")


@pytest.mark.parametrize(("name", "written"), [("a.png", "a.png"), ("b", "b.png"), ("c.PDF", "c.PDF")])
def test_figures_have_the_format_of_their_suffix(name, written, tmp_path):
    figure = pytest.importorskip("matplotlib.figure").Figure(figsize=(1, 1))
    write_figure(tmp_path / name, figure, dpi=50)
    begins = b"%PDF" if name.endswith("PDF") else b"\x89PNG"
    assert [p.name for p in tmp_path.iterdir()] == [written] and (tmp_path / written).read_bytes().startswith(begins)


def test_numbers_that_json_lacks_are_read_back():
    held = {"a": [1.5, math.nan, (math.inf, -math.inf)], "b": {"c": None, "d": True, "e": 3}}
    again = json.loads(json.dumps(strict(held), allow_nan=False))
    assert again == {"a": [1.5, "NaN", ["Infinity", "-Infinity"]], "b": {"c": None, "d": True, "e": 3}}
    assert math.isnan(float(again["a"][1])) and float(again["a"][2][1]) == -math.inf
