"""SpectralMonitor: the error of a network at the target's frequencies, step by step."""

import math
from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .. import _check
from .._core.plain import version, without_autocast
from .._data import Given
from .._files import strict, write_figure
from .._notebook import Shown, Table
from ..nufft import Period
from .checked import checked_points, checked_step, checked_target, checked_values
from .classes import of_logits
from .heatmap import draw_heatmap
from .labels import error_table, row_labels
from .methods import METHODS, Frequency, Request
from .saved import read_state, write_state
from .writers import Write, tags_of, writer_to

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SETTINGS = ("method", "magnitudes", "period", "bands", "logits")
_SAVED = {*_SETTINGS, "x", "target", "wavenumbers", "deltas", "direction", "steps", "errors"}


class SpectralMonitor(Shown):
    """Error per frequency of a network's output against its target, cheap enough to record at every step.

    With ĥ_k = (1/M) Σ_j h(x_j) e^{-2πi k·x_j/period} and f̂_k the same of the target, each update records

        Δ_F(k) = |ĥ_k - f̂_k| / |f̂_k|

    at the tracked wavenumbers (the frequency principle's measure, arXiv 1901.06523). The target is transformed once;
    an update with few tracked wavenumbers is one small matrix product, no FFT, and leaves its result on the device.

    The points and the target are those of the beginning: an update after they were changed in place is refused.

    **Frequencies** are in your units: along a dimension of length ``period``, wavenumber k has frequency k / period,
    cycles per unit of ``x``. Where ``period`` is 2π, the default, they are the wavenumbers themselves: sin 3x has
    frequency 3. So with ``x`` in years and ``period=44.0``, the yearly cycle is wavenumber 44 and frequency 1.

    On irregular points a large mean or trend of the target leaks into every wavenumber and drowns small peaks: subtract
    it from ``target`` and ``pred`` alike.

    Args:
        x: points, real floating-point ``(M, d)``, or ``(M,)`` for d = 1; points outside the period are folded.
        target: the target's values there, ``(M,)`` or ``(M, C)``, real or complex. Channels are reduced by norm:
            Δ_F(k) = ‖ĥ_k - f̂_k‖ / ‖f̂_k‖ over C.
        modes: what the method looks at. An int or one per dimension: the grid of wavenumbers -(N//2) … (N-1)//2 that
            peaks are looked for on, d at most 3. A tensor: these wavenumbers, real, ``(K,)`` or ``(K, d)``, for
            "projection" and "frequencies"; for "filter" the widths δ, ``(D,)``. ``None`` where ``peaks`` is a tensor.
        period: length of the periodic box, a float or one per dimension; "data" for the extent of the points and one
            mean gap, which leaves no seam.
        peaks: which wavenumbers to track. ``None``: the target's lines among the modes that noise would not have made,
            at most 16, as :func:`fastspec.measure.dominant_frequencies` finds them. An int: that many of the
            strongest. A tensor, ``(K,)`` or ``(K, d)``, integer or real: these wavenumbers k, in this order. Found
            lines are ordered by distance from zero; of ±k, which carry the same for a real target, one is tracked.
        method: ``"nufft"``, the nonuniform Fourier transform at ``x``. ``"projection"``, the same of x's coordinate
            along one direction, for data of many dimensions. ``"frequencies"``, sums at the wavenumbers that ``modes``
            lists, any d: ``peaks=None`` tracks all of them, an int those where the target is largest. ``"filter"``, the
            errors of the target's low and high part under Gaussians of several widths,
            :func:`fastspec.measure.filter_error`: the low part's come first, each as frequency 1 / (2π√δ), where the
            Gaussian's own spectrum has one standard deviation.
        magnitudes: compare magnitudes alone, | |ĥ_k| - |f̂_k| | / |f̂_k|, as the authors' 1-D code does. It is blind
            to errors of phase.
        bands: pairs (lo, hi) of frequency, lo ≤ |f| < hi, in place of peaks: the error of a band is the norm of that of
            all its wavenumbers, over the norm of the target's.
        direction: of "projection", ``(d,)``; default the first principal component of x.
        logits: ``pred`` are a classifier's logits ``(M, C)``, compared as probabilities, their softmax; a single logit,
            ``(M,)`` or ``(M, 1)``, is that of class 1 beside class 0. ``target`` is then integer labels ``(M,)``, not
            all of which need occur, or probabilities ``(M, C)``, ``(M,)`` being those of class 1.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.

    Attributes:
        steps: list of int, the steps of the updates so far.
        frequencies: float64 ``(K, d)`` on the CPU, in the units described above; of bands ``(K, 2)``, their limits.
        wavenumbers: float64 ``(K, d)`` on the CPU, k itself; of bands, all those within them.

    Example::

        monitor = fs.SpectralMonitor(x, y, 64)
        for step in range(1000):
            prediction = model(x)
            monitor.update(step, prediction)
            ...
        monitor.steps_to(0.1)       # {1.0: 120, 3.0: 480, 5.0: None}
        monitor.plot("errors.png")
    """

    @without_autocast()
    def __init__(
        self,
        x: Given,
        target: Given,
        modes: int | Sequence[int] | Tensor | None = None,
        *,
        period: Period | str = 2 * math.pi,
        peaks: int | Tensor | None = None,
        method: str = "nufft",
        magnitudes: bool = False,
        bands: Sequence[tuple[float, float]] | None = None,
        direction: Tensor | None = None,
        logits: bool = False,
    ):
        _check.choice("method", method, tuple(METHODS))
        self.method = method
        self._given = [(name, t, version(t)) for name, t in (("x", x), ("target", target)) if isinstance(t, Tensor)]
        self._x = checked_points(x)
        self._magnitudes, self._logits = bool(magnitudes), bool(logits)
        self._target = checked_target(target, self._x, self._logits)
        request = Request(self._x, self._target, modes, period, peaks, self._magnitudes, bands, direction)
        self._tracked = METHODS[method](request)
        self.wavenumbers, self.frequencies = self._tracked.wavenumbers, self._tracked.frequencies
        self.steps: list[int] = []
        self._errors: list[Tensor] = []
        self._writers: list[tuple[Write, str]] = []

    def _table(self) -> Table:
        parts = [f"method={self.method!r}", f"frequencies={len(self.frequencies)}", f"updates={len(self.steps)}"]
        if self.steps:
            parts.append(f"steps={self.steps[0]}..{self.steps[-1]}")
        if (first := self.first_non_finite) is not None:
            parts.append(f"first_non_finite={first}")
        title = f"SpectralMonitor({', '.join(parts)})"
        if not self.steps:
            return Table(title)
        reached = [self.steps_to(0.1, lasting=lasting).values() for lasting in (False, True)]
        heading = self._tracked.axis_label(None)
        return error_table(title, heading, self.labels, self.errors[-1].tolist(), *map(list, reached))

    def _picture(self) -> "Figure | None":
        return self.plot() if self.steps else None

    @property
    def x(self) -> Tensor:
        """The points, ``(M, d)``, in single precision at least."""
        return self._x

    @property
    def first_non_finite(self) -> int | None:
        """The first recorded step at which an error was NaN or infinite, as when training diverged; None if none was.

        Such an error is recorded like any other, and is below no threshold. Where the target has nothing at a tracked
        frequency, the error there is never finite.
        """
        bad = ~self.errors.isfinite().all(1)
        return self.steps[int(bad.int().argmax())] if bool(bad.any()) else None

    @property
    def errors(self) -> Tensor:
        """Δ_F per update and tracked frequency, real ``(T, K)`` on the CPU; moved there when asked for."""
        if not self._errors:
            return torch.empty(0, len(self.frequencies), dtype=self._target.real.dtype)
        if len(self._errors) > 1:
            self._errors = [torch.cat(self._errors)]
        return self._errors[0].cpu()

    @without_autocast()
    @torch.no_grad()
    def update(self, step: int, pred: Tensor) -> None:
        """Record the error of ``pred`` at ``step``.

        Args:
            step: the optimiser's step, or whatever whole number you count training by, up to 2^53 in size; must not
                decrease.
            pred: the network's output at ``x``, in the target's shape; ``(M,)`` and ``(M, 1)`` are the same. Any
                floating-point dtype; it is detached and computed in the target's precision.

        Raises:
            TypeError, ValueError: for a wrong type, shape or device, a complex ``pred`` of a real target, a ``step``
                below the last one, or points or a target changed in place since the monitor was made. Nothing is
                recorded then.
        """
        step = checked_step(step)
        if self.steps and step < self.steps[-1]:
            raise ValueError(f"step: was {step}, must be at least the last one, {self.steps[-1]}")
        for name, given, at_first in self._given:
            if version(given) > at_first:
                raise ValueError(f"{name}: was changed in place since the monitor was made of it, make a new monitor")
        error = self._tracked.errors(self._residual(pred))
        self.steps.append(step)
        self._errors.append(error[None])
        for writer, tag in self._writers:
            names = (f"{tag}/{name}" for name in tags_of(self._tracked.names()))
            writer(dict(zip(names, error.tolist(), strict=True)), step)

    def _residual(self, pred: Tensor) -> Tensor:
        pred = checked_values("pred", pred, self._x, real=not self._target.is_complex())
        target = self._target
        if self._logits:
            pred, target = of_logits(pred, target)
        if pred.shape != target.shape:
            raise ValueError(f"pred: had {pred.shape[1]} channels, must have {target.shape[1]} as the target has")
        return pred.to(target.dtype) - target

    def steps_to(self, threshold: float, *, lasting: bool = False) -> dict[Frequency, int | None]:
        """The first recorded step at which each frequency's error is below ``threshold``; ``None`` where it never was.

        Keys are the rows of :attr:`frequencies`, in order: floats for d = 1, tuples of floats for d > 1, the limits
        (lo, hi) of bands, and for "filter" ("low", f) and ("high", f). With ``lasting``, the first step from which the
        error is below at every later one: an oscillating error, or an untrained network that happens to be near, does
        not count.
        """
        if not threshold > 0:
            raise ValueError(f"threshold: was {threshold}, must be positive")
        below = self.errors < threshold
        if lasting:
            below = below.flip(0).cummin(0).values.flip(0)
        reached = [column.nonzero().flatten().tolist() for column in below.unbind(1)]
        return {
            frequency: self.steps[rows[0]] if rows else None
            for frequency, rows in zip(self._tracked.names(), reached, strict=True)
        }

    def plot(
        self,
        path: str | PathLike[str] | None = None,
        *,
        ax: "Axes | None" = None,
        unit: str | None = None,
        title: str | None = None,
        log_steps: bool = False,
        lasting: bool = True,
    ) -> "Figure":
        """Heatmap of the error, frequency × step, with a bar where each frequency falls below 10 % for good.

        Where it first fell below and came back, the bar is dotted. Errors that are not finite are red, errors above
        120 % black, and a line below the axis says what there is of all this. A notebook shows the figure that is a
        cell's last line.

        Args:
            path: image file to write; ``None`` writes none.
            ax: matplotlib axes to draw in, without a colour bar of its own; ``None`` makes a figure.
            unit: name of the unit of ``x``, such as ``"year"``, for the frequency axis.
            title: title of the axes.
            log_steps: logarithmic step axis; what was recorded at step 0 is a narrow column at its left.
            lasting: ``False`` marks the first step below 10 %, whatever came after, as :meth:`steps_to` does.

        Returns:
            The matplotlib figure.

        Raises:
            ImportError: where matplotlib is not installed.
            ValueError: before the first update.
        """
        if not self.steps:
            raise ValueError("nothing to plot: call update(step, pred) first")
        figure = draw_heatmap(
            self.steps,
            self.errors,
            self.labels,
            ax=ax,
            log_steps=log_steps,
            frequency_label=self._tracked.axis_label(unit),
            title=title,
            lasting=lasting,
        )
        if path is not None:
            write_figure(path, figure, dpi=160)
        return figure

    @property
    def labels(self) -> list[str]:
        """How each frequency is written, in the picture and the table."""
        return row_labels(self._tracked.names(), bands=self._tracked.bands is not None)

    def to_dict(self) -> dict[str, Any]:
        """Everything recorded, as plain lists and numbers that ``json`` can write.

        An error that is not finite, and the limit of an unbounded band, is the string "NaN", "Infinity" or
        "-Infinity", for strict JSON has no number for it: ``float(entry)`` reads any entry back.
        """
        out: dict[str, Any] = strict(
            {
                **self._settings(),
                "wavenumbers": self.wavenumbers.tolist(),
                "frequencies": self.frequencies.tolist(),
                "steps": list(self.steps),
                "errors": self.errors.tolist(),
                "first_non_finite": self.first_non_finite,
            }
        )
        return out

    def _settings(self) -> dict[str, Any]:
        bands = self._tracked.bands
        return {
            "method": self.method,
            "magnitudes": self._magnitudes,
            "period": list(self._tracked.period),
            "bands": None if bands is None else bands.tolist(),
            "logits": self._logits,
        }

    def state_dict(self) -> dict[str, Any]:
        """The points, the target and everything recorded, tensors on the CPU: what :meth:`save` writes."""
        direction = self._tracked.direction
        return {
            **self._settings(),
            "x": self._x.cpu(),
            "target": self._target.cpu(),
            "wavenumbers": self.wavenumbers,
            "deltas": self._tracked.deltas,
            "direction": None if direction is None else direction.cpu(),
            "steps": list(self.steps),
            "errors": self.errors,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what a monitor of the same points, target and frequencies recorded.

        Raises:
            ValueError: naming what is not the same.
        """
        own = self.state_dict()
        for name in ("method", "magnitudes", "period", "bands", "logits", "x", "target", "wavenumbers", "deltas"):
            if not _same(own[name], state[name]):
                raise ValueError(f"{name}: was another in the state loaded, must be this monitor's")
        self._take_over(state)

    def _take_over(self, state: dict[str, Any]) -> None:
        errors, steps = state["errors"].to(self._x.device), list(state["steps"])
        if errors.shape != (len(steps), len(self.frequencies)):
            raise ValueError(f"errors: were {tuple(errors.shape)}, which are not those of its steps")
        self.steps, self._errors = steps, [errors] if steps else []

    def save(self, path: str | PathLike[str]) -> None:
        """Write the points, the target and everything recorded to ``path``, for :meth:`load`.

        Whole or not at all: where it fails, as on a full disk, an earlier file at ``path`` stays as it was. The file
        begins with the version of its schema and a checksum of its content.
        """
        write_state(path, self.state_dict())

    @classmethod
    def load(cls, path: str | PathLike[str], device: torch.device | str = "cpu") -> "SpectralMonitor":
        """The monitor that :meth:`save` wrote, ready for further updates with predictions on ``device``.

        Loads tensors only, never code (``torch.load(weights_only=True)``). Writers given to :meth:`log_to` are not
        part of the file. Files of fastspec 0.1.0, which have no checksum of their own, are read too, after the
        checksums of their zip entries.

        Raises:
            OSError: where the file cannot be read.
            ValueError: where it is damaged, of a later schema, or no monitor's.
        """
        monitor = cls.__new__(cls)
        try:
            monitor.__setstate__(read_state(path, _SAVED), device)
        except ValueError as error:
            raise ValueError(f"path: {path}: {error}" if "path:" not in str(error) else str(error)) from error
        return monitor

    def __getstate__(self) -> dict[str, Any]:
        return self.state_dict()

    def __setstate__(self, state: dict[str, Any], device: torch.device | str = "cpu") -> None:
        settings = {name: state[name] for name in (*_SETTINGS, "direction")}
        peaks = state["wavenumbers"] if state["deltas"] is None else None
        x, target = state["x"].to(device), state["target"].to(device)
        self.__init__(x, target, state["deltas"], peaks=peaks, **settings)  # type: ignore[misc]
        self._take_over(state)

    def log_to(self, summary_writer: Any, tag: str = "spectral_error") -> None:
        """Pass every later update's errors on to ``summary_writer``, one scalar ``tag/frequency`` per frequency.

        Args:
            summary_writer: a TensorBoard writer (``add_scalar``), a W&B run (``log``), an MLflow run, or the module
                ``mlflow`` or a Lightning logger (``log_metrics``). Each update then waits for the device, as the
                values must be known.
            tag: first part of the scalars' names.

        Raises:
            TypeError: if ``summary_writer`` is none of these.
        """
        self._writers.append((writer_to(summary_writer), tag))


torch.serialization.add_safe_globals([SpectralMonitor])


def _same(own: Any, other: Any) -> bool:
    if isinstance(own, Tensor) and isinstance(other, Tensor):
        return own.shape == other.shape and bool((own == other).all())
    return type(own) is type(other) and own == other
