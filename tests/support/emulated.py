"""The CUDA ops on a CPU: the same sources as on a GPU, their blocks run thread after thread. See csrc/cuda/block.h."""

import contextlib
from functools import cache

import compiling
import torch
from pytest import MonkeyPatch

import fastspec as fs
from fastspec import _C
from fastspec._core import ops

WAYS = ("chunks", "ordered", "points")


@cache
def available() -> bool:
    """Loads the emulation, unless this build has the kernels themselves."""
    if _C.build_info()["cuda"] == "yes":
        return False
    torch.ops.load_library(str(compiling.emulation()))
    return True


class Ops:
    """As torch.ops.fastspec, but what CUDA tensors would get."""

    def __init__(self, way: str = "chunks"):
        self.way = way

    def __getattr__(self, name: str):
        name = "spread_ordered" if name == "spread" and self.way == "ordered" else name
        op, keys = getattr(torch.ops.fastspec, name).default, torch._C.DispatchKeySet(torch._C.DispatchKey.CUDA)
        return lambda *args: op.redispatch(keys, *args)


@contextlib.contextmanager
def without_shared_memory(way: str):
    """Where ``way`` is "points": tiles that find no room in shared memory."""
    with MonkeyPatch.context() as patch:
        if way == "points":
            patch.setenv("FASTSPEC_EMULATED_SHARED", "0")
        yield


@contextlib.contextmanager
def emulation(way: str = "chunks", step: str | None = None):
    """All of fastspec on these ops, with the grids that are chosen for CUDA."""
    with MonkeyPatch.context() as patch, without_shared_memory(way), fs.override(device="cuda", step=step):
        patch.setattr(ops, "_ops", Ops(way))
        yield
