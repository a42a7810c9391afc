"""What fastspec does to tensors, each beside the same in plain torch: one half of the table of torch's features."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from networks import jacobian, plain
from torch import Tensor

import fastspec as fs

M, MODES = 7, 6
Function = Callable[..., Tensor]


@dataclass(frozen=True)
class Operation:
    """``ours(*inputs)`` must come to ``plain(*inputs)``, with derivatives in the first ``smooth`` inputs."""

    ours: Function
    plain: Function
    shapes: tuple[tuple[int | str, ...], ...]  # of the inputs, all real; "M" is the number of points
    smooth: int
    points: bool = True  # whether the first input is of points

    @property
    def counted(self) -> bool:
        """Whether it takes any number of points, along with its values."""
        return ("M", 1) in self.shapes

    def inputs(self, m: int = M, dtype: torch.dtype = torch.float64, seed: int = 0) -> tuple[Tensor, ...]:
        gen = torch.Generator(device="cpu").manual_seed(seed)
        sizes = [[m if n == "M" else int(n) for n in shape] for shape in self.shapes]
        given = {"generator": gen, "dtype": torch.float64, "device": "cpu"}
        return tuple(torch.randn(size, **given).to(dtype) for size in sizes)


def _wave(t: Tensor) -> Tensor:
    """A complex tensor from a real one of pairs, so that derivatives are taken in real tensors alone."""
    return torch.complex(t[..., 0], t[..., 1])


def _quadratic(modes: int) -> Function:
    """The loss by its definition."""

    def value(x: Tensor, pred: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        power = fs.reference.nufft1(x, (pred - target) / x.shape[-2], modes).abs().square()
        return (power if weight is None else weight * power).sum(-1)

    return value


def _weight(k: Tensor) -> Tensor:
    return 1 + k.square().sum(-1)


def _with_derivative(h: Tensor, moved: Tensor) -> Tensor:
    """h with the derivative of ``moved``, which is linear in it."""
    return h.detach() + moved - moved.detach()


def _preconditioned(h: Tensor, x: Tensor, weight: Tensor, share: Tensor) -> Tensor:
    """h with the derivative Q F^H W F Q."""
    share = len(h) * share
    spectrum = weight * fs.reference.nufft1(x, share * h, len(weight))
    return _with_derivative(h, share * fs.reference.nufft2(x, spectrum).real)


def _damped(h: Tensor) -> Tensor:
    """h with the derivative c (K + c)^-1."""
    return _with_derivative(h, _damped_inverse().to(h) @ h)


@cache
def _damped_inverse() -> Tensor:
    with torch.enable_grad():
        rows = jacobian(NETWORK, PLACES)
    damping, kernel = KERNEL.effective_damping(), rows @ rows.mT
    return damping * torch.linalg.inv(kernel + damping * torch.eye(M, dtype=torch.float64, device="cpu"))


def _energy(r: Tensor) -> Tensor:
    """The energy norm on (-1, 1), its points reflected at -1 as an odd function is."""
    images, values = torch.cat([PLACES[:, 0], -2 - PLACES[:, 0]]).to(r), torch.cat([r, -r])
    k = torch.arange(-(NORM.modes[0] // 2), NORM.modes[0] // 2 + 1, dtype=r.dtype, device=r.device)
    weight = (k.abs().clamp_min(1) * torch.pi / 2) ** -NORM.power
    power = (torch.polar(torch.ones_like(images), -torch.pi / 2 * k[:, None] * images) @ (values + 0j)).abs().square()
    return weight[0] * r.square().mean() + ((weight - weight[0]) * power).sum() / len(images) ** 2


def _filtered(x: Tensor, y: Tensor) -> Tensor:
    squares = (x.unsqueeze(-2) - x.unsqueeze(-3)).square().sum(-1)
    kernel = torch.exp(squares / -0.6)
    return (kernel @ y / kernel.sum(-1, keepdim=True)).unsqueeze(0)


def _hadamard(x: Tensor) -> Tensor:
    signs = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=x.dtype)
    return x @ torch.kron(signs, torch.kron(signs, signs))


def _features(x: Tensor) -> Tensor:
    phase = 2 * torch.pi * x @ FEATURES.B.to(x.dtype).mT
    return torch.cat([phase.cos(), phase.sin()], -1)


def _made(kind: Callable[..., torch.nn.Module], *args, **kwargs) -> torch.nn.Module:
    """The same at each import, whatever the default dtype."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return kind(*args, **kwargs).double()


def _like(module: torch.nn.Module, x: Tensor) -> torch.nn.Module:
    return module if x.dtype == torch.float64 and x.device.type == "cpu" else copy.deepcopy(module).to(x)


FEATURES = _made(fs.nn.FourierFeatures, 1, 4)
SINES = _made(fs.nn.SineLayer, 1, 4, first=True)
NETWORK = _made(plain, 1, 8, 1)
PLACES = (2 * torch.arange(M, dtype=torch.float64, device="cpu").unsqueeze(-1) + 1) / M - 1
KERNEL = fs.precondition.Kernel(NETWORK, PLACES)
NORM = fs.precondition.residual(PLACES, (-1.0, 1.0))
X, STRENGTHS = ("M", 1), ("M", 2)


def on_grid(n: int) -> dict[str, Operation]:
    """What is between points and a grid of n modes."""
    k = torch.arange(-(n // 2), (n + 1) // 2, dtype=torch.float64, device="cpu").unsqueeze(-1)
    half, ref = (n // 2 + 1, 2), fs.reference
    return {
        "nufft1": Operation(
            lambda x, c: fs.nufft1(x, _wave(c), n), lambda x, c: ref.nufft1(x, _wave(c), n), (X, STRENGTHS), 2
        ),
        "nufft2": Operation(lambda x, f: fs.nufft2(x, _wave(f)), lambda x, f: ref.nufft2(x, _wave(f)), (X, (n, 2)), 2),
        "rnufft1": Operation(lambda x, c: fs.rnufft1(x, c, n), lambda x, c: ref.rnufft1(x, c, n), (X, ("M",)), 2),
        "rnufft2": Operation(
            lambda x, f: fs.rnufft2(x, _wave(f), n), lambda x, f: ref.rnufft2(x, _wave(f), n), (X, half), 2
        ),
        "Plan.nufft1": Operation(
            lambda x, c: fs.Plan(x, n).nufft1(_wave(c)), lambda x, c: ref.nufft1(x, _wave(c), n), (X, STRENGTHS), 2
        ),
        "Plan.rnufft2": Operation(
            lambda x, f: fs.Plan(x, n).rnufft2(_wave(f)), lambda x, f: ref.rnufft2(x, _wave(f), n), (X, half), 2
        ),
        "SpectralLoss, x held": Operation(
            lambda x, p, y: fs.SpectralLoss(n, x=x, weight=_weight)(p, y),
            lambda x, p, y: _quadratic(n)(x, p, y, _weight(k.to(x.dtype))),
            (X, ("M",), ("M",)),
            3,
        ),
        "SpectralLoss, x at the call": Operation(
            lambda x, p, y: fs.SpectralLoss(n)(p, y, x), _quadratic(n), (X, ("M",), ("M",)), 3
        ),
        "spectral_loss, weight": Operation(
            lambda x, p, y, w: fs.spectral_loss(fs.Plan(x, n), p, y, w),
            _quadratic(n),
            (X, ("M",), ("M",), (n,)),
            4,
        ),
        "precondition.spectral": Operation(
            lambda h, x, w, q: fs.precondition.spectral(h, x, w, quadrature=q),
            _preconditioned,
            (("M",), X, (n,), ("M",)),
            1,
            points=False,
        ),
    }


ON_GRIDS = on_grid(MODES)
OPERATIONS = {
    **ON_GRIDS,
    "nufft3": Operation(fs.nufft3, fs.reference.nufft3, (X, ("M",), (5, 1)), 3),
    "SpectralLoss, frequencies": Operation(
        lambda x, p, y, s: fs.SpectralLoss(frequencies=s, x=x)(p, y),
        lambda x, p, y, s: fs.reference.nufft3(x, (p - y) / x.shape[-2], s).abs().square().sum(-1),
        (X, ("M",), ("M",), (5, 1)),
        4,
    ),
    "precondition.kernel": Operation(
        lambda h: fs.precondition.kernel(h, NETWORK, PLACES), _damped, (("M",),), 1, points=False
    ),
    "precondition.Kernel": Operation(lambda h: KERNEL(h), _damped, (("M",),), 1, points=False),
    "precondition.residual": Operation(lambda r: _like(NORM, r)(r), _energy, (("M",),), 1, points=False),
    "measure.gaussian_filter": Operation(
        lambda x, y: fs.measure.gaussian_filter(x, y, 0.3), _filtered, (X, STRENGTHS), 2
    ),
    "walsh.fwht": Operation(fs.walsh.fwht, _hadamard, ((8,),), 1, points=False),
    "nn.FourierFeatures": Operation(lambda x: _like(FEATURES, x)(x), _features, (X,), 1),
    "nn.SineLayer": Operation(
        lambda x: _like(SINES, x)(x), lambda x: torch.sin(SINES.omega * (x @ SINES.weight.mT + SINES.bias)), (X,), 1
    ),
}
