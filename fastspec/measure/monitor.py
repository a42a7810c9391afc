"""SpectralMonitor: the error of a network at the target's frequencies, step by step."""

import math
from collections.abc import Sequence
from os import PathLike

import torch
from torch import Tensor

from .. import _check
from ..nufft import Plan, nufft1
from .heatmap import draw_heatmap
from .peaks import spectral_peaks

# Up to this many entries a held matrix of exponentials costs less per update than spreading and an FFT.
_DIRECT_ENTRIES = 2**21

Frequency = float | tuple[float, ...]


class SpectralMonitor:
    """Error per frequency of a network's output against its target, cheap enough to record at every step.

    With ĥ_k = (1/M) Σ_j h(x_j) e^{-2πi k·x_j/period} and f̂_k the same of the target, each update records

        Δ_F(k) = |ĥ_k - f̂_k| / |f̂_k|

    at the tracked wavenumbers (the frequency principle's measure, arXiv 1901.06523). The target is transformed once;
    an update with few tracked wavenumbers is one small matrix product, no FFT, and leaves its result on the device.

    **Frequencies** are in your units: along a dimension of length ``period``, wavenumber k has frequency k / period,
    cycles per unit of ``x``. Where ``period`` is 2π, the default, they are the wavenumbers themselves: sin 3x has
    frequency 3. So with ``x`` in years and ``period=44.0``, the yearly cycle is wavenumber 44 and frequency 1.

    On irregular points a large mean or trend of the target leaks into every wavenumber and drowns small peaks: subtract
    it from ``target`` and ``pred`` alike.

    Args:
        x: points, real floating-point ``(M, d)``, or ``(M,)`` for d = 1; points outside the period are folded.
        target: the target's values there, ``(M,)`` or ``(M, C)``, real or complex. Channels are reduced by norm:
            Δ_F(k) = ‖ĥ_k - f̂_k‖ / ‖f̂_k‖ over C.
        modes: an int or one per dimension: the grid, wavenumbers -(N//2) … (N-1)//2, that peaks are looked for on.
            May be ``None`` where ``peaks`` is a tensor, and must be for d > 3.
        period: length of the periodic box, a float or one per dimension.
        peaks: which wavenumbers to track. ``None``: the target's spectral peaks, the strict local maxima of |f̂| that
            stand out of their surroundings (:func:`spectral_peaks`). An int: that many of the largest strict local
            maxima, fewer where the spectrum has fewer. A tensor, ``(K,)`` or ``(K, d)``, integer or real: these
            wavenumbers k, in this order. Found peaks are ordered by distance from zero; of ±k, which carry the same for
            a real target, one is tracked.
        method: ``"nufft"``, the nonuniform Fourier transform at ``x``.
        magnitudes: compare magnitudes alone, | |ĥ_k| - |f̂_k| | / |f̂_k|, as the authors' 1-D code does. It is blind
            to errors of phase.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.

    Attributes:
        steps: list of int, the steps of the updates so far.
        frequencies: float64 ``(K, d)`` on the CPU, in the units described above.
        wavenumbers: float64 ``(K, d)`` on the CPU, k itself.

    Example::

        monitor = fs.SpectralMonitor(x, y, 64)
        for step in range(1000):
            prediction = model(x)
            monitor.update(step, prediction)
            ...
        monitor.steps_to(0.1)       # {1.0: 120, 3.0: 480, 5.0: None}
        monitor.plot("errors.png")
    """

    def __init__(
        self,
        x: Tensor,
        target: Tensor,
        modes: int | Sequence[int] | None,
        *,
        period: float | Sequence[float] = 2 * math.pi,
        peaks: int | Tensor | None = None,
        method: str = "nufft",
        magnitudes: bool = False,
    ):
        if method != "nufft":
            raise ValueError(f'method: was {method!r}, must be "nufft"')
        self._x = _checked_points(x)
        self._target = _checked_values("target", target, self._x)
        self._period = list(_check.period(period, self._x.shape[1]))
        self._magnitudes = bool(magnitudes)
        self.method = method
        self.wavenumbers = self._choose(peaks, modes)
        self._transform = _tracked_transform(self._x, self.wavenumbers, self._period, self._target.dtype)
        self._spectrum = self._transform(self._target)
        self._scale = _norm(self._spectrum)
        self.steps: list[int] = []
        self._errors: list[Tensor] = []
        self._writers: list[tuple[object, str]] = []

    def _choose(self, peaks: int | Tensor | None, modes: int | Sequence[int] | None) -> Tensor:
        if isinstance(peaks, Tensor):
            return _checked_wavenumbers(peaks, self._x.shape[1])
        if peaks is not None and (isinstance(peaks, bool) or not isinstance(peaks, int)):
            raise TypeError(f"peaks: was {type(peaks).__name__}, must be None, an int or a tensor of wavenumbers")
        if peaks is not None and peaks < 1:
            raise ValueError(f"peaks: was {peaks}, must be at least 1")
        d = self._x.shape[1]
        if d > 3:
            raise ValueError(f"peaks: was {peaks}, must be a tensor of wavenumbers where x has more than 3 dimensions")
        return _target_peaks(self._x, self._target, _check.modes(modes, d), self._period, peaks)

    @property
    def frequencies(self) -> Tensor:
        angular = [math.isclose(p, 2 * math.pi, rel_tol=1e-6) for p in self._period]
        units = [1.0 if is_angular else p for is_angular, p in zip(angular, self._period, strict=True)]
        return self.wavenumbers / torch.tensor(units, dtype=torch.float64)

    @property
    def errors(self) -> Tensor:
        """Δ_F per update and tracked frequency, real ``(T, K)`` on the CPU; moved there when asked for."""
        if not self._errors:
            return torch.empty(0, len(self.wavenumbers), dtype=self._scale.dtype)
        if len(self._errors) > 1:
            self._errors = [torch.cat(self._errors)]
        return self._errors[0].cpu()

    @torch.no_grad()
    def update(self, step: int, pred: Tensor) -> None:
        """Record the error of ``pred`` at ``step``.

        Args:
            step: the optimiser's step, or whatever you count training by; must not decrease.
            pred: the network's output at ``x``, in the target's shape; ``(M,)`` and ``(M, 1)`` are the same. Any
                floating-point dtype; it is detached and computed in the target's precision.

        Raises:
            TypeError, ValueError: for a wrong type, shape or device, a complex ``pred`` of a real target, or a ``step``
                below the last one.
        """
        if self.steps and step < self.steps[-1]:
            raise ValueError(f"step: was {step}, must be at least the last one, {self.steps[-1]}")
        residual = self._residual(pred)
        difference = self._transform(residual)
        if self._magnitudes:
            difference = (self._spectrum + difference).abs() - self._spectrum.abs()
        error = _norm(difference) / self._scale
        self.steps.append(int(step))
        self._errors.append(error[None])
        for writer, tag in self._writers:
            for frequency, value in zip(self._keys(), error.tolist(), strict=True):
                writer.add_scalar(f"{tag}/{_label(frequency)}", value, step)

    def _residual(self, pred: Tensor) -> Tensor:
        pred = _checked_values("pred", pred, self._x, real=not self._target.is_complex())
        if pred.shape != self._target.shape:
            raise ValueError(f"pred: had {pred.shape[1]} channels, must have {self._target.shape[1]} as the target has")
        return pred.to(self._target.dtype) - self._target

    def steps_to(self, threshold: float, *, lasting: bool = False) -> dict[Frequency, int | None]:
        """The first recorded step at which each frequency's error is below ``threshold``; ``None`` where it never was.

        Keys are the rows of :attr:`frequencies`, in order: floats for d = 1, tuples of floats for d > 1. With
        ``lasting``, the first step from which the error is below at every later one: an oscillating error, or an
        untrained network that happens to be near, does not count.
        """
        if not threshold > 0:
            raise ValueError(f"threshold: was {threshold}, must be positive")
        below = self.errors < threshold
        if lasting:
            below = below.flip(0).cummin(0).values.flip(0)
        reached = [column.nonzero().flatten().tolist() for column in below.unbind(1)]
        return {
            frequency: self.steps[rows[0]] if rows else None
            for frequency, rows in zip(self._keys(), reached, strict=True)
        }

    def _keys(self) -> list[Frequency]:
        rows = self.frequencies.tolist()
        return [row[0] for row in rows] if self._x.shape[1] == 1 else [tuple(row) for row in rows]

    def plot(
        self,
        path: str | PathLike | None = None,
        *,
        ax=None,
        unit: str | None = None,
        title: str | None = None,
        log_steps: bool = False,
    ):
        """Heatmap of the error, frequency × step, with a bar where each frequency first falls below 10 %.

        Args:
            path: image file to write; ``None`` writes none.
            ax: matplotlib axes to draw in, without a colour bar of its own; ``None`` makes a figure.
            unit: name of the unit of ``x``, such as ``"year"``, for the frequency axis.
            title: title of the axes.
            log_steps: logarithmic step axis.

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
            [_label(key) for key in self._keys()],
            ax=ax,
            log_steps=log_steps,
            frequency_label=self._frequency_label(unit),
            title=title,
        )
        if path is not None:
            figure.savefig(path, dpi=160)
        return figure

    def _frequency_label(self, unit: str | None) -> str:
        angular = all(math.isclose(p, 2 * math.pi, rel_tol=1e-6) for p in self._period)
        if angular:
            return "wavenumber k" if unit is None else f"angular frequency (rad per {unit})"
        return f"frequency (cycles per {unit or 'unit of x'})"

    def to_dict(self) -> dict:
        """Everything recorded, as plain lists and numbers that ``json`` can write."""
        return {
            "method": self.method,
            "magnitudes": self._magnitudes,
            "period": list(self._period),
            "wavenumbers": self.wavenumbers.tolist(),
            "frequencies": self.frequencies.tolist(),
            "steps": list(self.steps),
            "errors": self.errors.tolist(),
        }

    def save(self, path: str | PathLike) -> None:
        """Write the points, the target and everything recorded to ``path``, for :meth:`load`."""
        torch.save(
            {
                "x": self._x.cpu(),
                "target": self._target.cpu(),
                "period": list(self._period),
                "wavenumbers": self.wavenumbers,
                "method": self.method,
                "magnitudes": self._magnitudes,
                "steps": self.steps,
                "errors": self.errors,
            },
            path,
        )

    @classmethod
    def load(cls, path: str | PathLike, device: torch.device | str = "cpu") -> "SpectralMonitor":
        """The monitor that :meth:`save` wrote, ready for further updates with predictions on ``device``.

        Loads tensors only, never code (``torch.load(weights_only=True)``). Writers given to :meth:`log_to` are not
        part of the file.
        """
        state = torch.load(path, map_location="cpu", weights_only=True)
        monitor = cls(
            state["x"].to(device),
            state["target"].to(device),
            None,
            period=state["period"],
            peaks=state["wavenumbers"],
            method=state["method"],
            magnitudes=state["magnitudes"],
        )
        monitor.steps = list(state["steps"])
        monitor._errors = [state["errors"].to(device)] if monitor.steps else []
        return monitor

    def log_to(self, summary_writer, tag: str = "spectral_error") -> None:
        """Pass every later update's error on to ``summary_writer``, one scalar ``tag/frequency`` per frequency.

        Args:
            summary_writer: anything with TensorBoard's ``add_scalar(tag, value, step)``. Each update then waits for the
                device, as the values must be known.
            tag: first part of the scalars' names.

        Raises:
            TypeError: if ``summary_writer`` has no ``add_scalar``.
        """
        if not callable(getattr(summary_writer, "add_scalar", None)):
            raise TypeError(
                f"summary_writer: was {type(summary_writer).__name__}, must have add_scalar(tag, value, step)"
            )
        self._writers.append((summary_writer, tag))


def _target_peaks(x: Tensor, target: Tensor, modes: tuple[int, ...], period: list[float], count: int | None) -> Tensor:
    """Wavenumbers (K, d) of the target's spectral peaks, nearest to zero first."""
    spectrum = nufft1(x, target.mT.contiguous(), modes, period=period)
    magnitude = torch.linalg.vector_norm(spectrum, dim=0)
    found = spectral_peaks(magnitude, significant=count is None).cpu()
    wavenumbers = found - torch.tensor([n // 2 for n in modes])
    if not target.is_complex():
        wavenumbers = _one_of_each_pair(wavenumbers)
    wavenumbers = wavenumbers[:count].double()
    if len(wavenumbers) == 0:
        raise ValueError("target: has no spectral peak on these modes, so peaks must be a tensor of wavenumbers")
    return wavenumbers[wavenumbers.norm(dim=1).argsort(stable=True)]


def _one_of_each_pair(wavenumbers: Tensor) -> Tensor:
    """Of k and -k the one whose first non-zero entry is positive, in the order given."""
    leading = wavenumbers.gather(1, (wavenumbers != 0).int().argmax(1, keepdim=True))
    rows = torch.where(leading < 0, -wavenumbers, wavenumbers).tolist()
    return torch.tensor(list(dict.fromkeys(map(tuple, rows))), dtype=wavenumbers.dtype).reshape(
        -1, wavenumbers.shape[1]
    )


def _tracked_transform(x: Tensor, wavenumbers: Tensor, period: list[float], dtype: torch.dtype):
    """The map from values (M, C) to their spectrum (K, C) at the wavenumbers, as a held matrix or a held plan."""
    integral = bool((wavenumbers == wavenumbers.round()).all())
    if x.shape[1] > 3 or not integral or len(wavenumbers) * len(x) <= _DIRECT_ENTRIES:
        return _Direct(x, wavenumbers, period, dtype)
    return _Gridded(x, wavenumbers, period)


class _Direct:
    def __init__(self, x: Tensor, wavenumbers: Tensor, period: list[float], dtype: torch.dtype):
        turns = x.double() / torch.tensor(period, dtype=torch.float64, device=x.device)
        phase = -2 * math.pi * (wavenumbers.to(x.device) @ turns.mT)
        exponentials = torch.polar(torch.full_like(phase, 1 / len(x)), phase)
        if dtype.is_complex:
            self.matrix = exponentials.to(dtype)
        else:
            # Real values need no complex product: cosines above sines.
            self.matrix = torch.cat([exponentials.real, exponentials.imag]).to(dtype)

    def __call__(self, values: Tensor) -> Tensor:
        product = self.matrix @ values
        return product if values.is_complex() else torch.complex(*product.chunk(2))


class _Gridded:
    def __init__(self, x: Tensor, wavenumbers: Tensor, period: list[float]):
        # The smallest symmetric grid that holds every tracked wavenumber.
        half = wavenumbers.abs().amax(0).long()
        self.plan = Plan(x, tuple((2 * half + 1).tolist()), period=period)
        self.index = tuple((wavenumbers.long() + half).to(x.device).unbind(1))

    def __call__(self, values: Tensor) -> Tensor:
        spectrum = self.plan.nufft1(values.mT.contiguous())
        return spectrum[(slice(None), *self.index)].mT / len(values)


def _norm(spectrum: Tensor) -> Tensor:
    return torch.linalg.vector_norm(spectrum, dim=-1)


def _label(frequency: Frequency) -> str:
    if isinstance(frequency, tuple):
        return "(" + ", ".join(f"{f:.3g}" for f in frequency) + ")"
    return f"{frequency:.4g}"


def _checked_points(x: Tensor) -> Tensor:
    """(M,) or (M, d) -> (M, d), in single precision at least."""
    _check.tensor("x", x)
    if not x.is_floating_point():
        raise TypeError(f"x: dtype was {x.dtype}, must be real and floating")
    if x.ndim not in (1, 2) or x.numel() == 0:
        raise ValueError(f"x: shape was {tuple(x.shape)}, must be (M,) or (M, d) and not empty")
    if not bool(x.isfinite().all()):
        raise ValueError("x: had non-finite points, must be finite")
    return _at_least_single(x.detach())


def _checked_values(name: str, values: Tensor, x: Tensor, real: bool = False) -> Tensor:
    """(M,) or (M, C) -> (M, C), in single precision at least."""
    _check.data(name, values, x, real=real)
    if values.ndim not in (1, 2) or len(values) != len(x):
        raise ValueError(f"{name}: shape was {tuple(values.shape)}, must be (M,) or (M, C) with M = {len(x)} as in x")
    return _at_least_single(values.detach())


def _at_least_single(values: Tensor) -> Tensor:
    single = torch.complex64 if values.is_complex() else torch.float32
    values = values.to(torch.promote_types(values.dtype, single))
    return values[:, None] if values.ndim == 1 else values


def _checked_wavenumbers(peaks: Tensor, d: int) -> Tensor:
    if peaks.is_complex() or peaks.dtype == torch.bool:
        raise TypeError(f"peaks: dtype was {peaks.dtype}, must be integer or real")
    shape = tuple(peaks.shape)
    peaks = peaks.detach().cpu().double()
    peaks = peaks[:, None] if peaks.ndim == 1 else peaks
    if peaks.ndim != 2 or peaks.shape[1] != d or len(peaks) == 0:
        raise ValueError(f"peaks: shape was {shape}, must be (K, {d}){' or (K,)' if d == 1 else ''} and not empty")
    if not bool(peaks.isfinite().all()):
        raise ValueError("peaks: had non-finite wavenumbers, must be finite")
    return peaks
