"""Few configurations for each kernel; the fastest is found on first use and kept on disk."""

import triton


def config(num_warps: int = 4, num_stages: int = 2, **meta) -> triton.Config:
    return triton.Config(meta, num_warps=num_warps, num_stages=num_stages)


def tuned(*configs: triton.Config, key: list[str]):
    """triton.autotune; the interpreter, which has nothing to time, takes the first."""
    interpreted = triton.knobs.runtime.interpret
    return triton.autotune(list(configs[:1] if interpreted else configs), key=key, cache_results=True)
