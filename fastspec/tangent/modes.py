"""What is measured of a model must not depend on where in a training loop it is asked for."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch._functorch.pyfunctorch import temporarily_clear_interpreter_stack


@contextmanager
def outside_of_modes(device: torch.device) -> Iterator[None]:
    """With gradients, outside autocast, inference mode and torch.func; the generators of random numbers untouched."""
    with ExitStack() as stack:
        stack.enter_context(temporarily_clear_interpreter_stack())
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(torch.autocast(device.type, enabled=False))
        stack.enter_context(torch.random.fork_rng([device] if device.type == "cuda" else []))
        yield
