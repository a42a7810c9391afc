import math
from typing import Any

import torch
from torch import Tensor, nn

from .._core.plain import without_autocast
from .._data import Given
from .data import read
from .grouped import Activation, check_sizes, checked_activation, points
from .standard import Standard


class BroadLearning(nn.Module):
    """A broad learning system, a random functional-linked network (Chen & Liu 2018; arXiv 2304.00957).

        Z_i = φ(x W_i + β_i),   H_j = ξ(Z V_j + γ_j),   A = [Z | H],   out = A (AᵀA + λI)⁻¹ Aᵀ y

    W, β, V and γ are random and stay: :meth:`fit` finds the last layer by ridge least squares in one go, and
    :meth:`grow` adds nodes and leaves those there are. Frequencies are fitted from low to high as nodes are added. x is
    standardised to [-1, 1] and y to mean zero and variance one, by the data that are fitted.

    Args:
        in_features: dimension d of x.
        out_features: channels C of the output.
        feature_nodes: columns of Z.
        enhancement_nodes: columns of H.
        activation: φ of the feature nodes: a name as in :class:`MscaleMLP` or any element-wise callable; ``None`` for
            the linear nodes of many implementations.
        enhancement_activation: ξ.
        scale: W, β ~ U(-scale, scale), for x in [-1, 1]: the frequencies that feature nodes hold. V and γ are scaled
            by 1/√feature_nodes.
        ridge: λ.

    Shapes: real ``(..., d)``, or ``(M,)`` for d = 1, to ``(..., C)`` in the dtype of the random weights.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.

    Example::

        model = fs.nn.BroadLearning(1, feature_nodes=50, enhancement_nodes=200).double()
        prediction = model.fit(x, y)(x)
    """

    feature_weight: Tensor
    feature_bias: Tensor
    enhancement_weight: Tensor
    enhancement_bias: Tensor
    weight: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int = 1,
        *,
        feature_nodes: int = 100,
        enhancement_nodes: int = 100,
        activation: Activation | None = "tanh",
        enhancement_activation: Activation = "tanh",
        scale: float = 1.0,
        ridge: float = 1e-8,
    ):
        super().__init__()
        check_sizes(in_features=in_features, out_features=out_features, feature_nodes=feature_nodes)
        if not 0 < scale < math.inf:
            raise ValueError(f"scale: was {scale}, must be positive and finite")
        if not ridge >= 0:
            raise ValueError(f"ridge: was {ridge}, must be at least 0")
        self.in_features, self.out_features, self.ridge = in_features, out_features, ridge
        self.activation = nn.Identity() if activation is None else checked_activation(activation)
        self.enhancement_activation = checked_activation(enhancement_activation)
        self.register_buffer("feature_weight", scale * _uniform(in_features, feature_nodes))
        self.register_buffer("feature_bias", scale * _uniform(feature_nodes))
        self.register_buffer("enhancement_weight", torch.empty(feature_nodes, 0))
        self.register_buffer("enhancement_bias", torch.empty(0))
        self.register_buffer("weight", torch.zeros(feature_nodes, out_features))
        self.standard, self.standard_y = Standard(in_features), Standard(out_features)
        self.grow(enhancement_nodes)

    def features(self, x: Tensor) -> Tensor:
        """A = [Z | H]: (..., d) -> (..., nodes)."""
        x = self.standard(points(x, self.in_features)).to(self.feature_weight.dtype)
        z = self.activation(x @ self.feature_weight + self.feature_bias)
        return torch.cat([z, self.enhancement_activation(z @ self.enhancement_weight + self.enhancement_bias)], -1)

    def forward(self, x: Tensor) -> Tensor:
        return self.standard_y.undone(self.features(x) @ self.weight)

    def grow(self, enhancement_nodes: int) -> "BroadLearning":
        """Add so many enhancement nodes, of weight zero until the next :meth:`fit`; returns itself."""
        check_sizes(0, enhancement_nodes=enhancement_nodes)
        inputs, like = len(self.feature_weight[0]), self.feature_weight
        more = torch.cat([_uniform(inputs, enhancement_nodes), _uniform(1, enhancement_nodes)]).to(like) / inputs**0.5
        self.enhancement_weight = torch.cat([self.enhancement_weight, more[:-1]], 1)
        self.enhancement_bias = torch.cat([self.enhancement_bias, more[-1]])
        self.weight = torch.cat([self.weight, self.weight.new_zeros(enhancement_nodes, self.out_features)])
        return self

    @without_autocast()
    @torch.no_grad()
    def fit(self, x: Given, y: Given, batch: int = 2**14) -> "BroadLearning":
        """Solve for the last layer; returns itself.

        min |A w - y|² + λ |w|² by QR of [√λ I; A], some rows at a time: as accurate as A allows, which the normal
        equations are not, in O(nodes²) memory however many points there are.

        Args:
            x, y: points ``(M, d)`` or ``(M,)``, and values ``(M, C)`` or ``(M,)``, of anything that
                :func:`fastspec.spectrum` takes.
            batch: points at a time.
        """
        x, y = read(x, y)
        x, y = points(x, self.in_features), y.reshape(len(y), -1).to(self.weight.dtype)
        if x.ndim != 2 or len(x) != len(y) or y.shape[1] != self.out_features:
            shape = f"({len(x)}, {self.out_features})"
            raise ValueError(f"y: shape was {tuple(y.shape)}, must be {shape} for x of shape {tuple(x.shape)}")
        self.standard.fit(x)
        self.standard_y.fit_values(y)
        nodes = len(self.weight)
        r = torch.eye(nodes, dtype=y.dtype, device=y.device) * self.ridge**0.5
        right = y.new_zeros(nodes, self.out_features)
        for rows, values in zip(x.split(batch), self.standard_y(y).split(batch), strict=True):
            q, r = torch.linalg.qr(torch.cat([r, self.features(rows)]))
            right = q.mT @ torch.cat([right, values])
        self.weight = torch.linalg.solve_triangular(r, right, upper=True)
        return self

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Takes the number of enhancement nodes of the state."""
        for name in ("enhancement_weight", "enhancement_bias", "weight"):
            held = state_dict.get(prefix + name)
            if held is not None:
                setattr(self, name, getattr(self, name).new_empty(held.shape))
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def extra_repr(self) -> str:
        nodes = f"feature_nodes={len(self.feature_bias)}, enhancement_nodes={len(self.enhancement_bias)}"
        return f"in_features={self.in_features}, {nodes}, ridge={self.ridge:g}"


def _uniform(*size: int) -> Tensor:
    return torch.empty(size).uniform_(-1, 1)
