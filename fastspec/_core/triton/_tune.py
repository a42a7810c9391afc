"""Few configurations for each kernel; the fastest is found on first use and kept on disk."""

from typing import Any

import torch

import triton

MOST = 255  # registers: left to itself, ptxas spills some that there are, so that more programs fit
FUSED = {"enable_fp_fusion": True}  # a launch's option: Triton's default depends on its version


def config(num_warps: int = 4, num_stages: int = 2, maxnreg: int | None = None, **meta: Any) -> triton.Config:
    return triton.Config(meta, num_warps=num_warps, num_stages=num_stages, maxnreg=maxnreg)


def tuned(*, single: list[triton.Config], double: list[triton.Config], key: list[str]) -> Any:
    """triton.autotune over those for the precision of ``out``; the interpreter times nothing and takes the first."""
    if triton.knobs.runtime.interpret:
        return triton.autotune(single[:1], key=key)

    def prune(configs: list[triton.Config], arguments: dict[str, Any], **_: Any) -> list[triton.Config]:
        return double if arguments["out"].dtype == torch.float64 else single

    return triton.autotune(
        [*single, *double], key=key, prune_configs_by={"early_config_prune": prune}, cache_results=True
    )
