import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .._core.plain import exact
from .._data import Given
from ..measure.peaks import dominant_frequencies
from .data import read
from .grouped import Activation, GroupedMLP, points


class PhaseMLP(nn.Module):
    """PhaseDNN: T(x) = A_0(x) + Σ_m A_m(x) cos ω_m·x + B_m(x) sin ω_m·x (arXiv 1909.11759).

    The envelopes (A_m, B_m) are small networks, one per shift and evaluated together. Each learns what remains of the
    target around its shift ω_m after it is moved to frequency zero: only low frequencies, which networks learn soon.
    The branch of ω = 0 is always there. Use :meth:`from_data` where you do not know the shifts.

    The module standardises for itself: envelopes see (x - x_mean) / x_scale, phases are counted from x_mean, which
    keeps them exact in single precision far from the origin, and the output is y_mean + y_scale T. All four are
    buffers.

    Args:
        shifts: ω_m, ``(n, d)`` or for d = 1 a sequence, in radians per unit of x; may have no rows.
        out_features: channels C of the output.
        width, depth: units per hidden layer and number of hidden layers of each envelope.
        activation: of the envelopes: a name as in :class:`MscaleMLP` or any element-wise callable.
        x_mean, x_scale: a number or one per dimension.
        y_mean, y_scale: a number or one per channel.

    Shapes: real ``(..., d)``, or ``(M,)`` for d = 1, in the dtype of the parameters, to ``(..., C)``.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.

    Attributes:
        shifts: ω_m, ``(n, d)``, radians per unit; a buffer.
        frequencies: ω_m / 2π, ``(n, d)``, cycles per unit.
    """

    shifts: Tensor
    x_mean: Tensor
    x_scale: Tensor
    y_mean: Tensor
    y_scale: Tensor

    def __init__(
        self,
        shifts: Tensor | Sequence[float],
        out_features: int = 1,
        *,
        width: int = 32,
        depth: int = 2,
        activation: Activation = "tanh",
        x_mean: float | Tensor = 0.0,
        x_scale: float | Tensor = 1.0,
        y_mean: float | Tensor = 0.0,
        y_scale: float | Tensor = 1.0,
    ):
        super().__init__()
        shifts = _checked_shifts(shifts)
        self.in_features = shifts.shape[1]
        self.out_features = out_features
        self.register_buffer("shifts", shifts)
        self._register_row("x_mean", x_mean, self.in_features)
        self._register_row("x_scale", x_scale, self.in_features, positive=True)
        self._register_row("y_mean", y_mean, out_features)
        self._register_row("y_scale", y_scale, out_features, positive=True)
        self.constant = GroupedMLP(1, self.in_features, out_features, width, depth, activation)
        self.envelopes = GroupedMLP(len(shifts), self.in_features, 2 * out_features, width, depth, activation)

    def _register_row(self, name: str, value: float | Tensor, length: int, positive: bool = False) -> None:
        row = torch.as_tensor(value, dtype=self.shifts.dtype).detach().flatten()
        if row.numel() not in (1, length) or not bool(row.isfinite().all()) or (positive and not bool((row > 0).all())):
            kind = "positive" if positive else "finite"
            raise ValueError(f"{name}: was {value}, must be a {kind} number, or {length} of them")
        self.register_buffer(name, row.expand(length).clone())

    @property
    def frequencies(self) -> Tensor:
        return self.shifts / (2 * math.pi)

    def forward(self, x: Tensor) -> Tensor:
        x = points(x, self.in_features)
        centred = x.reshape(-1, self.in_features) - self.x_mean
        standard = (centred / self.x_scale)[None]
        a, b = self.envelopes(standard).chunk(2, -1)
        phase = self._phase(centred)[..., None]
        total = self.constant(standard)[0] + (a * phase.cos() + b * phase.sin()).sum(0)
        out: Tensor = (self.y_mean + self.y_scale * total).reshape(*x.shape[:-1], self.out_features)
        return out

    @exact
    def _phase(self, centred: Tensor) -> Tensor:
        return self.shifts @ centred.to(self.shifts.dtype).mT

    @classmethod
    def from_data(
        cls,
        x: Given,
        y: Given,
        n_frequencies: int | None = None,
        *,
        max_frequency: float | None = None,
        width: int = 32,
        depth: int = 2,
        activation: Activation = "tanh",
    ) -> "PhaseMLP":
        """A PhaseMLP whose shifts are the strongest frequencies of scattered data, found without being told any.

        Shifts come from :func:`fastspec.measure.dominant_frequencies`: peaks of the nonuniform spectrum of what a
        trend and the frequencies found so far leave unexplained, fitted jointly and off any grid. Its docstring states
        how far it searches. Standardisation is that of the data, so the model takes x and returns y in your units.

        Args:
            x, y: points, real ``(M,)`` or ``(M, d)``, and values, ``(M,)`` or ``(M, C)``, of anything that
                :func:`fastspec.spectrum` takes.
            n_frequencies: number of shifts; default as many lines as are significant, at most 16. Told too few the
                model fails where one too many costs a little: what has no shift is left to the branch of ω = 0, which
                learns no more than a plain network does.
            max_frequency: search no further than this, in cycles per unit of x, along any axis; for d > 3 in any
                direction, and to be given.
            width, depth, activation: of the envelopes.

        Returns:
            The model, on the device and in the dtype of x.

        Raises:
            TypeError, ValueError: naming the argument, what it was and what it must be.
        """
        x, y = read(x, y)
        frequencies = dominant_frequencies(x, y, n_frequencies, max_frequency=max_frequency)
        rows_x, rows_y = (t.detach().reshape(len(t), -1).double() for t in (x, y))
        model = cls(
            (2 * math.pi * frequencies).cpu(), rows_y.shape[1], width=width, depth=depth, activation=activation
        ).to(x)
        model.x_mean, model.x_scale = rows_x.mean(0).to(x), rows_x.std(0).to(x)
        model.y_mean, model.y_scale = rows_y.mean(0).to(x), _or_one(rows_y.std(0)).to(x)
        model.shifts = (2 * math.pi * frequencies).to(x)
        return model


def _checked_shifts(shifts: Tensor | Sequence[float]) -> Tensor:
    shifts = torch.as_tensor(shifts).detach()
    if shifts.is_complex() or shifts.dtype == torch.bool:
        raise TypeError(f"shifts: dtype was {shifts.dtype}, must be real")
    shifts = shifts.to(torch.get_default_dtype())
    shifts = shifts[:, None] if shifts.ndim == 1 else shifts
    if shifts.ndim != 2 or shifts.shape[1] == 0 or not bool(shifts.isfinite().all()):
        raise ValueError(f"shifts: shape was {tuple(shifts.shape)}, must be (n, d) or (n,), and all finite")
    return shifts


def _or_one(scale: Tensor) -> Tensor:
    """A constant channel has no spread to divide by."""
    return torch.where(scale > 0, scale, torch.ones_like(scale))
