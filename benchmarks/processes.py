"""Work in a process of its own, where the benchmarks are imported from the same checkout."""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from fastspec._checkout import load_benchmarks


def in_a_process(work: Callable[..., Any], *arguments: Any) -> Any:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=load_benchmarks) as pool:
        return pool.submit(work, *arguments).result()


def in_passive_process(work: Callable[..., Any], *arguments: Any) -> Any:
    """In a process whose idle OpenMP threads sleep at once.

    By default they spin, for four milliseconds in the way of a library that brings a second pool of OpenMP threads.
    """
    before = os.environ.get("OMP_WAIT_POLICY")
    os.environ["OMP_WAIT_POLICY"] = "passive"
    try:
        return in_a_process(work, *arguments)
    finally:
        del os.environ["OMP_WAIT_POLICY"]
        if before is not None:
            os.environ["OMP_WAIT_POLICY"] = before
