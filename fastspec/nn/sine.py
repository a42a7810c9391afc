import math

import torch
from torch import Tensor, nn

from .._core.plain import exact
from .._data import Given
from .data import half_extent, read, significant_frequencies
from .grouped import check_sizes, points
from .standard import Standard


class SineLayer(nn.Module):
    """A layer of SIREN: sin(ω0 (Wx + b)) (Sitzmann et al., arXiv 2006.09661).

    The first layer's W ~ U(-1/d, 1/d) sets which frequencies the network starts with; the others' W ~ U(-√(6/d)/ω0,
    √(6/d)/ω0) keeps the values entering the sines standard normal however deep the network. b ~ U(-1/√d, 1/√d).

    Args:
        in_features: d.
        out_features: units.
        omega: ω0, in radians per unit of the first layer's x, standardised if it is.
        first: whether this layer takes the coordinates themselves. It holds a ``standard``, (x - mean) / scale, which
            does nothing but after :meth:`from_data`.

    Shapes: real ``(..., d)``, or ``(M,)`` for d = 1, to ``(..., out_features)``, in the weight's dtype also under
    autocast, which would round phases to two digits.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.

    Example::

        model = nn.Sequential(SineLayer(1, 64, first=True), SineLayer(64, 64), nn.Linear(64, 1))
    """

    def __init__(self, in_features: int, out_features: int, omega: float = 30.0, first: bool = False):
        super().__init__()
        check_sizes(in_features=in_features, out_features=out_features)
        if not 0 < omega < math.inf:
            raise ValueError(f"omega: was {omega}, must be positive and finite")
        self.in_features, self.out_features = in_features, out_features
        self.omega, self.first = float(omega), first
        self.standard = Standard(in_features) if first else nn.Identity()
        bound = 1 / in_features if first else math.sqrt(6 / in_features) / omega
        self.weight = nn.Parameter(torch.empty(out_features, in_features).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(out_features).uniform_(-1, 1) / math.sqrt(in_features))

    @exact
    def forward(self, x: Tensor) -> Tensor:
        x = points(x, self.in_features)
        if x.dtype in (torch.float16, torch.bfloat16):  # of a layer before it under autocast
            x = x.to(self.weight.dtype)
        x = self.standard(x)
        return torch.sin(self.omega * nn.functional.linear(x, self.weight, self.bias))

    @classmethod
    def from_data(
        cls, x: Given, y: Given, out_features: int, n_frequencies: int = 8, *, max_frequency: float | None = None
    ) -> "SineLayer":
        """A first layer whose frequencies reach as far as those of the data, and little further.

        x is standardised to [-1, 1] along each axis, so that its origin and unit do not matter, and ω0 = 2π d max |f|
        over the significant ones of the data's strongest ``n_frequencies`` and all axes, in cycles per unit of that: ω0
        W is uniform up to that of the highest frequency.

        Args:
            x, y: points, real ``(M,)`` or ``(M, d)``, and values, ``(M,)`` or ``(M, C)``, of anything that
                :func:`fastspec.spectrum` takes.
            out_features: units.
            n_frequencies, max_frequency: as in :func:`fastspec.measure.dominant_frequencies`.
        """
        x, y = read(x, y)
        lines = significant_frequencies(x, y, n_frequencies, max_frequency)
        highest, dim = (lines.abs() * half_extent(x)).max().item(), lines.shape[1]
        layer = cls(dim, out_features, 2 * math.pi * dim * highest, first=True).to(x)
        layer.standard = Standard(dim).fit(x)
        return layer

    def extra_repr(self) -> str:
        first = ", first=True" if self.first else ""
        return f"in_features={self.in_features}, out_features={self.out_features}, omega={self.omega:g}{first}"
