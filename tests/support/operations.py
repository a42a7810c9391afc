"""What fastspec does to tensors, each beside the same in plain torch: one half of the table of torch's features."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

import fastspec as fs

M, MODES, SETS = 7, 6, 2
Function = Callable[..., Tensor]


@dataclass(frozen=True)
class Operation:
    """``ours(*inputs)`` must come to ``plain(*inputs)``, with derivatives in the first ``smooth`` inputs."""

    ours: Function
    plain: Function
    shapes: tuple[tuple[int | str, ...], ...]  # of the inputs, all real; "M" is the number of points
    smooth: int
    points: bool = True  # whether the first input is of points

    def inputs(self, m: int = M, dtype: torch.dtype = torch.float64, seed: int = 0) -> tuple[Tensor, ...]:
        gen = torch.Generator(device="cpu").manual_seed(seed)
        sizes = [[m if n == "M" else int(n) for n in shape] for shape in self.shapes]
        given = {"generator": gen, "dtype": torch.float64, "device": "cpu"}
        return tuple(torch.randn(size, **given).to(dtype) for size in sizes)


def _wave(t: Tensor) -> Tensor:
    """A complex tensor from a real one of pairs, so that derivatives are taken in real tensors alone."""
    return torch.complex(t[..., 0], t[..., 1])


def _quadratic(module) -> Function:
    """The loss by its definition."""

    def value(x: Tensor, pred: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        power = module.nufft1(x, (pred - target) / x.shape[-2], MODES).abs().square()
        return (power if weight is None else weight * power).sum(-1)

    return value


def _weight(k: Tensor) -> Tensor:
    return 1 + k.square().sum(-1)


def _preconditioned(h: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """h with the derivative F^H W F."""
    moved = fs.reference.nufft2(x, weight * fs.reference.nufft1(x, h, MODES)).real
    return h.detach() + moved - moved.detach()


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
K = torch.arange(-(MODES // 2), (MODES + 1) // 2, dtype=torch.float64, device="cpu").unsqueeze(-1)
X, HALF = ("M", 1), (MODES // 2 + 1, 2)

OPERATIONS = {
    "nufft1": Operation(
        lambda x, c: fs.nufft1(x, _wave(c), MODES),
        lambda x, c: fs.reference.nufft1(x, _wave(c), MODES),
        (X, ("M", 2)),
        2,
    ),
    "nufft2": Operation(
        lambda x, f: fs.nufft2(x, _wave(f)), lambda x, f: fs.reference.nufft2(x, _wave(f)), (X, (MODES, 2)), 2
    ),
    "rnufft1": Operation(
        lambda x, c: fs.rnufft1(x, c, MODES), lambda x, c: fs.reference.rnufft1(x, c, MODES), (X, ("M",)), 2
    ),
    "rnufft2": Operation(
        lambda x, f: fs.rnufft2(x, _wave(f), MODES),
        lambda x, f: fs.reference.rnufft2(x, _wave(f), MODES),
        (X, HALF),
        2,
    ),
    "nufft3": Operation(fs.nufft3, fs.reference.nufft3, (X, ("M",), (5, 1)), 3),
    "Plan.nufft1": Operation(
        lambda x, c: fs.Plan(x, MODES).nufft1(_wave(c)),
        lambda x, c: fs.reference.nufft1(x, _wave(c), MODES),
        (X, ("M", 2)),
        2,
    ),
    "Plan.rnufft2": Operation(
        lambda x, f: fs.Plan(x, MODES).rnufft2(_wave(f)),
        lambda x, f: fs.reference.rnufft2(x, _wave(f), MODES),
        (X, HALF),
        2,
    ),
    "SpectralLoss, x held": Operation(
        lambda x, p, y: fs.SpectralLoss(MODES, x=x, weight=_weight)(p, y),
        lambda x, p, y: _quadratic(fs.reference)(x, p, y, _weight(K.to(x.dtype))),
        (X, ("M",), ("M",)),
        3,
    ),
    "SpectralLoss, x at the call": Operation(
        lambda x, p, y: fs.SpectralLoss(MODES)(p, y, x), _quadratic(fs.reference), (X, ("M",), ("M",)), 3
    ),
    "spectral_loss, weight": Operation(
        lambda x, p, y, w: fs.spectral_loss(fs.Plan(x, MODES), p, y, w),
        _quadratic(fs.reference),
        (X, ("M",), ("M",), (MODES,)),
        4,
    ),
    "SpectralLoss, frequencies": Operation(
        lambda x, p, y, s: fs.SpectralLoss(frequencies=s, x=x)(p, y),
        lambda x, p, y, s: fs.reference.nufft3(x, (p - y) / x.shape[-2], s).abs().square().sum(-1),
        (X, ("M",), ("M",), (5, 1)),
        4,
    ),
    "precondition.spectral": Operation(
        lambda h, x, w: fs.precondition.spectral(h, x, w), _preconditioned, (("M",), X, (MODES,)), 1, points=False
    ),
    "measure.gaussian_filter": Operation(
        lambda x, y: fs.measure.gaussian_filter(x, y, 0.3), _filtered, (X, ("M", 2)), 2
    ),
    "walsh.fwht": Operation(fs.walsh.fwht, _hadamard, ((8,),), 1, points=False),
    "nn.FourierFeatures": Operation(lambda x: _like(FEATURES, x)(x), _features, (X,), 1),
    "nn.SineLayer": Operation(
        lambda x: _like(SINES, x)(x), lambda x: torch.sin(SINES.omega * (x @ SINES.weight.mT + SINES.bias)), (X,), 1
    ),
}
