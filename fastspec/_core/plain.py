"""Tensors that outlive the call that makes them: real and plain, whatever modes that call is in.

A cached tensor is met again outside inference mode, torch.func's levels, fake tensors, a default device: one that was
made of any of these is wrong there, or fails.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch._functorch.pyfunctorch import temporarily_clear_interpreter_stack
from torch.utils._python_dispatch import _disable_current_modes


@contextmanager
def plainly() -> Iterator[None]:
    """Within it torch is as it is outside of every mode, without gradients. Only plain tensors may come in."""
    with ExitStack() as stack:
        for context in (
            torch.inference_mode(False),
            torch.no_grad(),
            temporarily_clear_interpreter_stack(),
            torch._C.DisableTorchFunction(),  # of modes too: the default device is one
            _disable_current_modes(),
            without_autocast(),
        ):
            stack.enter_context(context)
        yield


@contextmanager
def without_autocast() -> Iterator[None]:
    """Where autocast would round a matrix product to half precision, it does not."""
    with ExitStack() as stack:
        for device in autocast_devices():
            stack.enter_context(torch.autocast(device, enabled=False))
        yield


DEVICES = ("cpu", "cuda")
Method = TypeVar("Method", bound=Callable[..., Any])


def exact(method: Method) -> Method:
    """A method of a tensor whose phases autocast must not round; torch.compile traces it."""

    @wraps(method)
    def call(self: Any, x: Tensor, *args: Any, **kwargs: Any) -> Any:
        if torch._C._is_any_autocast_enabled() and isinstance(x, Tensor) and x.device.type in DEVICES:
            with torch.autocast(x.device.type, enabled=False):
                return method(self, x, *args, **kwargs)
        return method(self, x, *args, **kwargs)

    return call  # type: ignore[return-value]


def autocast_devices() -> list[str]:
    if not torch._C._is_any_autocast_enabled():
        return []
    return [device for device in DEVICES if torch.is_autocast_enabled(device)]


def is_plain(*tensors: Tensor | None) -> bool:
    """Whether what is made of these may be kept: none is fake, or of a level of torch.func or of forward mode."""
    return not torch._C._len_torch_dispatch_stack() and not any(
        t is not None and (type(t) not in PLAIN or torch._C._functorch.is_functorch_wrapped_tensor(t) or _is_dual(t))
        for t in tensors
    )


PLAIN = (Tensor, torch.nn.Parameter, torch.nn.Buffer)


def _is_dual(t: Tensor) -> bool:
    level = torch.autograd.forward_ad._current_level
    return level >= 0 and torch.autograd.forward_ad.unpack_dual(t, level=0).tangent is not None


def versioned(t: Tensor) -> Tensor:
    """A tensor made in inference mode as one that tells when it is changed, and may be saved for backward: a copy."""
    if torch.compiler.is_compiling() or not t.is_inference():
        return t
    with torch.inference_mode(False):
        return t.clone()


def version(t: Tensor) -> float:
    """Counts a tensor's changes in place; never equal to itself where torch does not count."""
    try:
        return t._version
    except RuntimeError:  # made in inference mode
        return math.nan
