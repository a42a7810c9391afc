import torch
from torch import Tensor, nn

from .grouped import Activation, check_sizes, checked_activation


class AdaptiveActivation(nn.Module):
    """An activation whose slope is learnt: σ(n a x), a trained (Jagtap, Kawaguchi & Karniadakis, arXiv 1906.01170).

    a starts at 1/n, so the network starts as it would without; a fixed n above 1 makes a, and with it the frequencies
    that the network reaches, change n times as fast.

    Args:
        activation: σ: ``"tanh"``, ``"sin"``, ``"relu"``, ``"srelu"``, ``"phi"`` or any element-wise callable.
        n: scale factor, at least 1.
        features: one a for each of so many units, the last axis; ``None``: one for the layer.

    Shapes: any, ``(..., features)`` where that is given, to the same.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """

    def __init__(self, activation: Activation = "tanh", n: float = 10.0, features: int | None = None):
        super().__init__()
        self.activation = checked_activation(activation)
        self.n = _checked_factor(n)
        self.a = nn.Parameter(torch.full(_units(features), 1 / self.n))

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.n * self.a * x)

    def extra_repr(self) -> str:
        return f"n={self.n:g}"


class Rowdy(nn.Module):
    """Rowdy activation: σ(x) and learnt sines on top (Jagtap et al., Deep Kronecker neural networks, arXiv 2105.09513).

    Σ_{k=1}^K α_k φ_k(ω_k x) with φ_1 = σ and φ_k(x) = n sin((k - 1) n x) for k > 1. All α and ω are trained; α_1 and
    all ω start at 1, the other α at 0, so that training starts from the plain network and adds high frequencies where
    they help.

    Args:
        activation: σ, as in :class:`AdaptiveActivation`.
        terms: K, at least 2.
        n: scale factor of the sines, at least 1.
        features: α and ω for each of so many units, the last axis; ``None``: one set for the layer.

    Shapes: any, ``(..., features)`` where that is given, to the same.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """

    def __init__(self, activation: Activation = "tanh", terms: int = 3, n: float = 1.0, features: int | None = None):
        super().__init__()
        check_sizes(terms=terms)
        if terms < 2:
            raise ValueError(f"terms: was {terms}, must be at least 2")
        self.activation = checked_activation(activation)
        self.n = _checked_factor(n)
        alpha = torch.zeros(terms, *_units(features))
        alpha[0] = 1
        self.alpha = nn.Parameter(alpha)
        self.omega = nn.Parameter(torch.ones_like(alpha))

    def forward(self, x: Tensor) -> Tensor:
        out = self.alpha[0] * self.activation(self.omega[0] * x)
        for k in range(1, len(self.alpha)):
            out = out + self.alpha[k] * self.n * torch.sin(k * self.n * self.omega[k] * x)
        return out

    def extra_repr(self) -> str:
        return f"terms={len(self.alpha)}, n={self.n:g}"


def _checked_factor(n: float) -> float:
    if not n >= 1:
        raise ValueError(f"n: was {n}, must be at least 1")
    return float(n)


def _units(features: int | None) -> tuple[int, ...]:
    if features is None:
        return ()
    check_sizes(features=features)
    return (features,)
