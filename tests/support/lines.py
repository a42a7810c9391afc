"""Lines of numbers for the Walsh-Hadamard transform."""

import torch

FLOATS = (torch.float32, torch.float64, torch.complex64, torch.complex128)
INTEGERS = (torch.int32, torch.int64)
ROUNDING = {torch.float32: 3e-7, torch.complex64: 3e-7, torch.float64: 1e-14, torch.complex128: 1e-14}  # the sum's too


def draw(shape, dtype, gen):
    if dtype in INTEGERS:
        return torch.randint(-(10**6), 10**6, shape, generator=gen, dtype=dtype)
    return torch.randn(shape, generator=gen, dtype=dtype)
