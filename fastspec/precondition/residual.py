"""The energy norm of a differential equation's residual: the loss under which all frequencies of the error count alike.

Where A u = g for an elliptic operator A of order m, an error e of u leaves the residual r = A e, whose modes are |k|^m
times those of e: mean squares of r are led by the highest frequencies, which networks learn last. In the norm of the
dual space,

    ‖r‖² = Σ_k |k|^-m |r_k|²  ~  (e, A e),

the residual weighs as the energy of the error does, and an ordinary network under an ordinary optimiser is balanced
between A's bias to high frequencies and its own to low ones. The modes are those of the box and its sides: sines where
the sides are Dirichlet, cosines where they are Neumann. Kin: operator preconditioners of residuals (arXiv 2603.00904),
the deep Fourier residual method of Taylor, Pardo and Muga (2023), which has this norm on grids for weak forms.
"""

import math
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .. import _check
from .._core.plain import exact, without_autocast
from ..loss import SpectralLoss
from ..measure.checks import point_rows
from ..measure.spectra import wavenumbers
from ..nn.images import EVEN, NONE, ODD, Images, box
from ..nufft import Modes, nufft1
from .multiply import symmetric_product
from .quadrature import Quadrature, quadrature

Ends = tuple[float | Sequence[float] | Tensor, float | Sequence[float] | Tensor]

_PARITY = {"dirichlet": ODD, "neumann": EVEN, "periodic": NONE}
_FRACTIONS = (1.0, 0.5, 0.25)  # of the modes that a grid of as many points tells apart
# What points drawn at random exceed, by gaps in 1-D and by clusters beyond, and jittered and quasi-random ones do not.
_RESIDUAL, _AMPLIFICATION = 0.01, {1: 1.5, 2: 1.25, 3: 1.25}
_EVEN = 1e-5
_FEW = {1: 768, 2: 768, 3: 512}  # points up to which a product with a matrix costs less than a transform


class RandomPointsWarning(UserWarning):
    """Points too uneven for the energy norm to gain anything, as those drawn at random are."""


class EnergyNorm(nn.Module):
    """The squared energy norm of residuals at fixed points. Made by :func:`fastspec.precondition.residual`.

        L = c mean_j r_j² + Σ_k max(0, |ξ_k|^-power - c) |Σ_j q_j r_j e^{-iξ_k·x_j}|²

    over the points and their images, ξ in radians per unit of x and never taken below the least but zero; c is the
    weight at the highest wavenumber, so that what lies beyond all of them counts as that does. On a grid L is
    Σ_k |ξ_k|^-power |r_k|² itself.

    Attributes:
        power: that of the weight, strength times the operator's order.
        modes: wavenumbers per dimension, of the box with its images. period: of that.
        residual: what the quadrature leaves of its conditions, and amplification: what it costs, both as in
            :class:`fastspec.precondition.Quadrature`.

    Shape:
        residual: ``(M,)`` or ``(M, C)``, in the points' dtype; the mean over channels is taken. To ``()``.
    """

    matrix: Tensor | None

    def __init__(self, images: Images, points: Tensor, power: float, modes: tuple[int, ...], q: Quadrature):
        super().__init__()
        self.modes, self.period, self.power = modes, images.period, power
        self.residual, self.amplification = q.residual, q.amplification
        self._images, self._count = images, len(points)
        weight = _weight(modes, images.period, power).to(points.device)
        self.rest = min(weight.select(axis, 0).amax().item() for axis in range(len(modes)))
        even = (q.weights * len(q.weights) - 1).abs().max().item() < _EVEN
        few = len(points) <= _FEW[len(modes)]
        self.norm = SpectralLoss(
            modes,
            x=images.points(points.double() if few else points),
            weight=(weight - self.rest).clamp_min(0).to(torch.float64 if few else points.dtype),
            period=images.period,
            eps=1e-8 if few and points.dtype == torch.float32 else None,
            quadrature=None if even else q.weights,
        )
        self.register_buffer("matrix", self._dense(points) if few else None, persistent=False)

    def _dense(self, points: Tensor) -> Tensor:
        """A of L = r·A r, as the gradient of L at each unit vector: at few points less work than one transform."""
        unit = torch.eye(self._count, dtype=torch.float64, device=points.device).requires_grad_()
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(self._transformed(unit), unit)
        return (slope * (self._count / 2)).to(points.dtype)

    def _transformed(self, residual: Tensor) -> Tensor:
        mirrored = self._images.values(residual)
        out: Tensor = self.norm(mirrored, torch.zeros_like(mirrored)) + self.rest * residual.square().mean()
        return out

    @exact
    def forward(self, residual: Tensor) -> Tensor:
        residual = self._checked(residual)
        if self.matrix is None:
            return self._transformed(residual)
        channels = residual.reshape(self._count, -1)
        return (channels * symmetric_product(self.matrix, channels)).sum() / channels.shape[1]

    def _checked(self, residual: Tensor) -> Tensor:
        """In the points' dtype; half precision, as of autocast, is made so."""
        held = self.norm.get_buffer("plan.x") if self.matrix is None else self.matrix
        _check.tensor("residual", residual)
        if residual.ndim not in (1, 2) or len(residual) != self._count or residual.numel() == 0:
            shape = f"({self._count},) or ({self._count}, C)"
            raise ValueError(f"residual: shape was {tuple(residual.shape)}, must be {shape}")
        if residual.dtype in (torch.float16, torch.bfloat16):
            return residual.to(held.dtype)
        if residual.dtype != held.dtype:
            raise TypeError(f"residual: dtype was {residual.dtype}, must be {held.dtype} as the points' was")
        return residual

    def extra_repr(self) -> str:
        return f"power={self.power:g}, modes={self.modes}, residual={self.residual:.2g}"


@without_autocast()
def residual(
    points: Tensor,
    domain: Ends,
    order: float = 2.0,
    *,
    boundary: str | Sequence[str] = "dirichlet",
    strength: float = 0.75,
    modes: Modes | None = None,
) -> EnergyNorm:
    """A loss for the residual of a differential equation at points: its energy norm, in place of its mean squares.

    It plugs into any training loop: the network, its sides (hard or as a loss of their own) and the optimiser are left
    as they are. The points are reflected at the sides, so that the modes are those of the equation; and where they are
    no grid, their quadrature (:func:`quadrature`) keeps the modes apart. As many modes are taken as the points allow,
    which the quadrature's residual tells.

    Measured: -u″ = g on (-1, 1) with modes 1, 4, 8, 24 (sines of half waves), tanh 64-64, hard sides, 256 points, 1,500
    steps of Adam at the best rate of 3e-3, 1e-2, 3e-2, median relative error of five seeds:

    ==========  ============  ============  ==========
    points      mean squares  strength 3/4  strength 1
    ==========  ============  ============  ==========
    grid        .0133         .00018        .00054
    jittered    .0083         .00029        .00065
    ==========  ============  ============  ==========

    It is no cure of everything. Beside Glorot's start with zero biases, which other libraries have, nothing is gained:
    .0005 to .0010 by mean squares, .0007 to .0009 by this (two seeds, two kinds of grid). Strength 1/2 failed on one
    seed of three. At random points neither arrives (.05 to .25; .09 to .33 by this), as the network is free in their
    gaps: draw them jittered, one at random in each cell of a grid, or quasi-random. In 2-D, where a plain network's own
    rates fall faster (by 3e7 from mode (1, 1) to (8, 6)), mean squares did better: -Δu = g with modes (1, 1), (3, 2),
    (5, 4) on 16² points, 1,200 steps, left .048 by them, .081 by strength 3/4, .16 by strength 1 (one seed). There the
    network must change, or its kernel be preconditioned.

    Args:
        points: where the residual is taken, real ``(M,)`` or ``(M, d)``, d = 1 to 3, in the domain.
        domain: the lowest and the highest corner of the box, ``(low, high)``, numbers or one per dimension.
        order: of the operator: 2 for the Laplacian, 4 for the biharmonic.
        boundary: "dirichlet" (u = 0 at both sides: reflected oddly), "neumann" (its slope is: evenly) or "periodic"
            (not reflected), for all dimensions or one per dimension.
        strength: how far to go from mean squares, 0, to the energy norm itself, 1: the squared modes' weight is
            |ξ|^-(strength · order). What is less than 1 leaves the network's own bias to low frequencies a part.
        modes: wavenumbers of the box with its images, per dimension; default as many as the points allow.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.

    Warns:
        RandomPointsWarning: where the points are so uneven, random or with gaps, that nothing is to be gained.

    Example::

        norm = fs.precondition.residual(x, (-1.0, 1.0))
        scale = norm(source).detach()
        for _ in range(steps):
            ...
            loss = norm(-second_derivative - source) / scale
    """
    rows = point_rows(points)
    if rows.shape[1] > 3:
        raise ValueError(f"points: had {rows.shape[1]} dimensions, must have 1 to 3: the norm is over a grid of modes")
    if isinstance(order, bool) or not isinstance(order, (int, float)) or not 0 <= order < math.inf:
        raise ValueError(f"order: was {order!r}, must be a finite number, at least 0")
    if isinstance(strength, bool) or not isinstance(strength, (int, float)) or not 0 <= strength < math.inf:
        raise ValueError(f"strength: was {strength!r}, must be a finite number, at least 0")
    images = Images(*_domain(domain, rows), _parity(boundary, rows.shape[1]))
    mirrored = images.points(rows)
    chosen = [modes] if modes is not None else _ladder(rows, images)
    for tried in chosen:
        q = quadrature(mirrored, tried, period=images.period, report=True)
        if q.residual <= _RESIDUAL and q.amplification <= _AMPLIFICATION[rows.shape[1]]:
            break
    else:
        _warn(q)
    counts = (tried,) if isinstance(tried, int) else tuple(tried)
    return EnergyNorm(images, rows, float(strength * order), counts, q)


def _warn(q: Quadrature) -> None:
    warnings.warn(
        f"points: were as uneven as points drawn at random (their quadrature leaves {q.residual:.2g} and amplifies by"
        f" {q.amplification:.2g}), where the energy norm gains little: draw them jittered, one at random in each cell"
        " of a grid, or quasi-random, as by torch.quasirandom.SobolEngine",
        RandomPointsWarning,
        stacklevel=4,
    )


def _domain(domain: Ends, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Low ends and lengths, of as many dimensions as the points."""
    if not isinstance(domain, Sequence) or len(domain) != 2:
        raise ValueError(f"domain: was {domain!r}, must be (low, high), numbers or one per dimension")
    d = rows.shape[1]
    low, high = (torch.as_tensor(end, dtype=torch.float64).flatten().cpu() for end in domain)
    if len(low) not in (1, d) or len(high) not in (1, d) or not bool((low < high).all()):
        raise ValueError(f"domain: was {domain!r}, must be (low, high), low below high in each of {d} dimensions")
    low, length = box(low.expand(d), high.expand(d))
    beyond = (rows.double().cpu() - low).abs().amax(0) > length * (1 + 1e-6)
    below = (rows.double().cpu() < low - 1e-6 * length).any(0)
    if bool((beyond | below).any()):
        least, most = rows.amin(0).tolist(), rows.amax(0).tolist()
        raise ValueError(f"points: were from {least} to {most}, must be in the domain, {domain!r}")
    return low, length


def _parity(boundary: str | Sequence[str], d: int) -> tuple[int, ...]:
    kinds = (boundary,) * d if isinstance(boundary, str) else tuple(boundary)
    if len(kinds) != d or not all(kind in _PARITY for kind in kinds):
        raise ValueError(f"boundary: was {boundary!r}, must be one of {sorted(_PARITY)}, or {d} of them")
    return tuple(_PARITY[kind] for kind in kinds)


def _ladder(rows: Tensor, images: Images) -> list[tuple[int, ...]]:
    """Odd numbers of modes to try, most first: all that a grid of as many points tells apart, and parts of them."""
    counts, gridded = _counts(rows, images)
    doubled = [count * (1 if p == NONE else 2) for count, p in zip(counts, images.parity, strict=True)]
    parts = [tuple(min(math.ceil(part * n) | 1, n - 1 + n % 2) for n in doubled) for part in _FRACTIONS]
    even = _unevenness(images.points(rows), parts[0], images.period) <= _EVEN
    return parts[:1] if even else parts[1:] if gridded else parts[2:]


def _unevenness(x: Tensor, modes: tuple[int, ...], period: tuple[float, ...]) -> float:
    """The most that equal weights leave of the quadrature's conditions."""
    differences = tuple(2 * n - 1 for n in modes)
    sums = nufft1(x.double(), x.new_full((len(x),), 1 / len(x), dtype=torch.float64), differences, period=period)
    sums.view(-1)[sums.numel() // 2] = 0
    return sums.abs().max().item()


def _counts(rows: Tensor, images: Images) -> tuple[list[int], bool]:
    """Points per dimension, and whether they are those of a grid; else of a grid of as many points in square cells."""
    length = images.length.to(rows.device)
    own = [len(column.unique()) for column in (1e6 * rows.double() / length).round().unbind(1)]
    if math.prod(own) == len(rows):
        return own, True
    cell = (length.prod().item() / len(rows)) ** (1 / rows.shape[1])
    return [max(1, round(side / cell)) for side in length.tolist()], False


def _weight(modes: tuple[int, ...], period: tuple[float, ...], order: float) -> Tensor:
    """|ξ|^-order, (*modes) float64."""
    step = 2 * math.pi / torch.tensor(period, dtype=torch.float64)
    size = (wavenumbers(modes, None) * step).norm(dim=-1)
    out: Tensor = size.clamp_min(step.amin().item()) ** -order
    return out
