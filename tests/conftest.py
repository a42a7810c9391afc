"""The fixtures around all tests."""

import ctypes
import os
import sys
from pathlib import Path

import pytest
import torch
from failures import note_failure

import fastspec as fs
from fastspec import _C

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else `poisoned` refuses matrix products on CUDA
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")  # a pool of its workers can hang where a run ends


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request) -> str:
    return request.param


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """`make gpu` is there to run the tests that need a GPU: one that is skipped has failed."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and item.get_closest_marker("gpu"):
        report.outcome, report.longrepr = "failed", f"skipped: {report.longrepr}"


def pytest_runtest_logreport(report):
    """`make gpu` runs where a machine may be taken back: what fails is in $OUT before the run ends."""
    if "OUT" in os.environ and "PYTEST_XDIST_WORKER" not in os.environ:
        note_failure(report, Path(os.environ["OUT"]))


@pytest.fixture(autouse=True)
def algorithm(request):
    """That of transforms that leave it to the planner: by gridding, for most samples are too small to be worth it.

    A test on others takes @both_algorithms, or "auto" for the planner's own.
    """
    wanted = getattr(request, "param", "gridding")
    with fs.override(algorithm=wanted):
        yield wanted


def pytest_collection_modifyitems(items):
    """On a GPU direct sums are Triton's, compiled anew for most samples; test_triton.py and gpu/ test them sooner."""
    held = [getattr(item, "callspec", None) for item in items]
    items[:] = [
        item
        for item, spec in zip(items, held, strict=True)
        if spec is None or (spec.params.get("device"), spec.params.get("algorithm")) != ("cuda", "direct")
    ]


@pytest.fixture
def poisoned():
    """Fill uninitialised memory, so that an output never written shows: torch's with NaN, that of our ops, which torch
    does not fill, with huge numbers."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    fill = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None  # of glibc
    if fill:
        fill(M_PERTURB, 0x80)
    yield
    if fill:
        fill(M_PERTURB, 0)
    torch.use_deterministic_algorithms(before)


M_PERTURB = -6  # to mallopt: each byte of new memory is the complement of this one


@pytest.fixture
def threads():
    """A setter of torch's thread count that is undone after the test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture
def gen() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture(params=_C.instruction_sets())
def instruction_set(request):
    before = _C.instruction_set()
    _C.select_instruction_set(request.param)
    yield request.param
    _C.select_instruction_set(before)
