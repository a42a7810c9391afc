"""Preconditioning of a gradient in the network's own tangent kernel: the network is left as it is."""

import math
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn
from torch.library import custom_op

from .. import _check
from .._core.autograd import Operation, apply, follows
from .._core.plain import versioned
from ..tangent import Operator, Outputs, outside_of_modes
from .factors import Factor, Products, error_of, factor_of, factor_of_state
from .multiply import multiply, preconditioned

Damping = float | str


def kernel(
    h: Tensor,
    model: nn.Module,
    x: Tensor,
    *,
    operator: Operator | None = None,
    damping: Damping = 1e-3,
    every: int = 20,
    inducing: int | Tensor | None = None,
) -> Tensor:
    """Identity forward; backward multiplies the gradient at the outputs by c (K + c)^-1, K the model's tangent kernel.

    A mode of the error that gradient flow learns at the rate λ, an eigenvalue of K = J J^T, is then learnt at the rate
    λ c / (λ + c): all modes above the damping c alike, in whatever order the network would have learnt them. It is the
    damped natural gradient in the space of samples, given to whichever optimiser you have::

        h = fs.precondition.kernel(model(x), model, x)
        loss(h, y).backward()

    It helps where the network can make the frequencies but is slow to: plain networks. Where its kernel holds nothing
    at a frequency, or holds all alike (Fourier features), it cannot or need not: :func:`fastspec.measure.ntk_rates`
    tells.

    K is measured at the first call and after each ``every`` backward passes, at the cost of one to two steps. What was
    found is held with the model. A call with other points than the first one's, a minibatch, measures K of these. To
    save that state, or for ``torch.compile(fullgraph=True)``, use :class:`Kernel`.

    Args:
        h: what the model returns at x, (M,) or (M, C), with which you go on to the loss.
        model: any nn.Module whose outputs at a point depend on no other point; ``eval()`` batch normalisation first.
            Linear layers and convolutions have a fast way, with no Jacobian; any other module has its rows.
        x: points as the model takes them, (M, ...).
        operator: takes (model, x) to ``h`` where h is not model(x), as the residual of an equation; the same function
            at each call.
        damping: c over the greatest eigenvalue of K; or "critical": see :func:`fastspec.theory.critical_damping`.
        every: backward passes from one measurement to the next.
        inducing: Nyström's method with that many of the points, or with these points (R, ...): K then costs M R in
            place of M². None takes K whole up to 4,096 outputs, and products by conjugate gradients beyond.

    Returns:
        ``h``, with the gradient's new path.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """
    compiler = sys.modules.get("torch._dynamo")  # whose import takes a second
    call = _by_held if compiler is None else compiler.disable(_by_held)
    return call(h, model, x, {"operator": operator, "damping": damping, "every": every, "inducing": inducing})


# torch.compile can't look up what is held of a model
kernel._torchdynamo_disable = True  # type: ignore[attr-defined]
kernel._torchdynamo_disable_msg = "use fastspec.precondition.Kernel in its place"  # type: ignore[attr-defined]


def _by_held(h: Tensor, model: nn.Module, x: Tensor, choices: dict[str, Any]) -> Tensor:
    key = tuple(id(value) if isinstance(value, Tensor) else value for value in choices.values())
    states = _HELD.setdefault(model, {}) if isinstance(model, nn.Module) else {}
    made = Kernel(model, x, **choices)
    made._state = states.setdefault(key, made._state)
    made._state.choices = choices  # what is known by its id must live on
    return made(h, x)


class Kernel:
    """:func:`kernel` as an object, which holds what was measured and when to measure again::

        precondition = fs.precondition.Kernel(model, x, inducing=128)
        ...
        loss(precondition(model(x)), y).backward()

    Args:
        model, x, operator, damping, every, inducing: as in :func:`kernel`.
        tolerance: with a bound, K is measured anew only where what is held errs by more: that is asked each ``every``
            backward passes, by one product with the present K, relative to it.
        generator: draws the inducing points.

    Attributes:
        damping, every, tolerance: may be changed between steps.
        steps: backward passes so far. measurements: how often K has been measured at x.
    """

    def __init__(
        self,
        model: nn.Module,
        x: Tensor,
        *,
        operator: Operator | None = None,
        damping: Damping = 1e-3,
        every: int = 20,
        inducing: int | Tensor | None = None,
        tolerance: float | None = None,
        generator: torch.Generator | None = None,
    ):
        _check_model(model, x)
        _check_choices(damping, every, inducing, tolerance)
        self.model, self.operator = model, operator
        self.damping, self.every, self.tolerance = damping, every, tolerance
        self.inducing = inducing
        self._state = _State(x, generator)
        self._handle = _register(self)

    @property
    def steps(self) -> int:
        return self._state.steps

    @property
    def measurements(self) -> int:
        return self._state.measurements

    def __call__(self, h: Tensor, x: Tensor | None = None) -> Tensor:
        """``h`` with the gradient's new path; x where h is of other points than those held, a minibatch."""
        _check.tensor("h", h)
        if torch.compiler.is_compiling():
            out: Tensor = apply(_Compiled, 1, h, x, self._handle)
            return out
        if not (torch.is_grad_enabled() and follows(h)):
            return h
        factor = self._factor(x)
        _check_outputs("h", h, factor.count, len(self._state.x if x is None else x))
        return preconditioned(h, factor, self._state)

    def multiply(self, values: Tensor, x: Tensor | None = None) -> Tensor:
        """c (K + c)^-1 times values (M,) or (M, C)."""
        factor = self._factor(x)
        _check_outputs("values", values, factor.count, len(self._state.x if x is None else x))
        return multiply(values, factor)

    def step(self, gradient: Tensor, x: Tensor | None = None) -> Tensor:
        """:meth:`multiply`, counted as a backward pass: for a loop that has its gradient at the outputs by hand."""
        out = self.multiply(gradient, x)
        self._state.steps += 1
        return out

    def effective_damping(self) -> float:
        """c, as measured last at the points held."""
        return self._factor(None).damping

    def measure(self) -> None:
        """Measures K now, at the points held."""
        state = self._state
        with outside_of_modes(state.x.device):
            factor = self._measured(state.x, state)
        # what the function holds of a model must not keep it alive
        state.factor = factor.of(None) if isinstance(factor, Products) else factor
        state.version, state.due = state.x._version, state.steps + self.every
        state.measurements += 1

    def state_dict(self) -> dict[str, Any]:
        """All that another Kernel of the same model and points needs to go on where this one is."""
        return self._state.saved()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        held, saved = self._state, dict(state)
        made = saved.pop("factor")
        for name, value in saved.items():
            setattr(held, name, value)
        held.factor = None if made is None else factor_of_state(made, held.x)
        held.version = held.x._version

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_handle": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._handle = _register(self)

    def __repr__(self) -> str:
        shape, rank = tuple(self._state.x.shape), self.inducing if not isinstance(self.inducing, Tensor) else "points"
        return (
            f"Kernel(points {shape}, damping={self.damping}, every={self.every}, inducing={rank}, steps={self.steps})"
        )

    def _factor(self, x: Tensor | None) -> Factor:
        state = self._state
        if x is not None and not state.holds(x):
            with outside_of_modes(x.device):
                return self._measured(x, state)
        if state.factor is None or state.version != state.x._version:
            self.measure()
        elif state.steps >= state.due:
            self._renew(state.factor)
        assert state.factor is not None
        return self._own(state.factor)

    def _own(self, held: Factor) -> Factor:
        return held.of(Outputs(self.model, self.operator)) if isinstance(held, Products) else held

    def _renew(self, held: Factor) -> None:
        state = self._state
        if self.tolerance is not None:
            with outside_of_modes(state.x.device):
                error = error_of(self._own(held), Outputs(self.model, self.operator), state.x)
            if error <= self.tolerance:
                state.due = state.steps + self.every
                return
        self.measure()

    def _measured(self, x: Tensor, state: "_State") -> Factor:
        outputs = Outputs(self.model, self.operator)
        if self.inducing is not None and state.inducing is None:
            state.inducing = _chosen(self.inducing, state.x, state.generator)
        made, state.way = factor_of(outputs, x.detach(), state.inducing, self.damping, state.way)
        return made


class _State:
    """What was measured, apart from the model."""

    def __init__(self, x: Tensor, generator: torch.Generator | None):
        self.x, self.generator = versioned(x), generator
        self.version = self.x._version
        self.choices: dict[str, Any] = {}
        self.inducing: Tensor | None = None
        self.way: str | None = None
        self.factor: Factor | None = None
        self.steps = self.due = self.measurements = 0

    def holds(self, x: Tensor) -> bool:
        same = x is self.x
        return same or (x.shape == self.x.shape and x.dtype == self.x.dtype and torch.equal(x, self.x.to(x.device)))

    def saved(self) -> dict[str, Any]:
        factor = None if self.factor is None else self.factor.state()
        counts = {name: getattr(self, name) for name in ("steps", "due", "measurements", "way", "inducing")}
        return counts | {"factor": factor}


# A compiled graph can't hold the factor, nor measure K: it holds a number, and asks for the product when it runs.
_KERNELS: weakref.WeakValueDictionary[int, Kernel] = weakref.WeakValueDictionary()
_NUMBERS = count()


def _register(kernel: Kernel) -> int:
    number = next(_NUMBERS)
    _KERNELS[number] = kernel
    return number


class _Compiled(Operation):
    @staticmethod
    def raw(h: Tensor, x: Tensor | None, number: int) -> Tensor:
        return h.view_as(h)

    @staticmethod
    def forward(h: Tensor, x: Tensor | None, number: int) -> Tensor:
        return h.clone()

    @staticmethod
    def saved(inputs: tuple[Any, ...], output: Any) -> tuple[Tensor | None, ...]:
        return (inputs[1],)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.number = inputs[2]
        ctx.save_for_backward(inputs[1])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return _precondition(gradient, ctx.saved_tensors[0], ctx.number, True), None, None

    @staticmethod
    def tangents(ctx: Any, tangent: Tensor, *_: Any) -> Tensor:
        out: Tensor = _precondition(tangent, ctx.saved_tensors[0], ctx.number, False)
        return out


@custom_op("fastspec_precondition::by_kernel", mutates_args=())
def _precondition(gradient: Tensor, x: Tensor | None, number: int, counts: bool) -> Tensor:
    """The product; ``counts`` of a backward pass."""
    kernel = _KERNELS[number]
    # autograd is off in an op, but on in a new thread
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(kernel.step if counts else kernel.multiply, gradient, x).result()


@_precondition.register_fake
def _(gradient: Tensor, x: Tensor | None, number: int, counts: bool) -> Tensor:
    return torch.empty_like(gradient)


# Of the function's calls, by the model and the choices made.
_HELD: weakref.WeakKeyDictionary[nn.Module, dict[tuple[Any, ...], _State]] = weakref.WeakKeyDictionary()


def _chosen(inducing: int | Tensor, x: Tensor, generator: torch.Generator | None) -> Tensor:
    if isinstance(inducing, Tensor):
        return inducing.detach()
    if generator is None:
        generator = torch.Generator(x.device).manual_seed(0)
    return x.detach()[torch.randperm(len(x), generator=generator, device=x.device)[:inducing]]


def _check_model(model: nn.Module, x: Tensor) -> None:
    if not isinstance(model, nn.Module):
        raise TypeError(f"model: was {type(model).__name__}, must be an nn.Module")
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError("model: had no parameters that require gradients, must have some")
    _check.tensor("x", x)
    if x.ndim == 0 or len(x) == 0:
        raise ValueError(f"x: shape was {tuple(x.shape)}, must be (M, ...) and not empty")


def _check_outputs(name: str, h: Tensor, count: int, points: int) -> None:
    wanted = (points, count // points)
    if h.shape != wanted and not (h.ndim == 1 and h.shape == (count,)):
        raise ValueError(f"{name}: shape was {tuple(h.shape)}, must be {wanted}, as the model returns it")


def _check_choices(damping: Damping, every: int, inducing: int | Tensor | None, tolerance: float | None) -> None:
    if damping != "critical" and (isinstance(damping, (str, bool)) or not 0 < damping < math.inf):
        raise ValueError(f"damping: was {damping!r}, must be positive or 'critical'")
    for name, value in (("every", every), ("inducing", inducing)):
        if isinstance(value, Tensor) or value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}: was {value!r}, must be a positive int")
    if tolerance is not None and not tolerance > 0:
        raise ValueError(f"tolerance: was {tolerance!r}, must be positive or None")
