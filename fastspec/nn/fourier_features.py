import math

import torch
from torch import Tensor, nn

from .._core.plain import exact
from .._data import Given
from .data import half_extent, read, significant_frequencies
from .grouped import check_sizes, points
from .standard import Standard


class FourierFeatures(nn.Module):
    """Random Fourier features: x -> [cos 2πBx, sin 2πBx] with B ~ N(0, sigma²), fixed (arXiv 2006.10739).

    Put it before a network; ``sigma``, in cycles per unit of x, sets the bandwidth that the network then learns
    evenly: too small leaves high frequencies unlearnt, too large makes it interpolate noise.

    Args:
        in_features: dimension d of x.
        n_frequencies: rows of B; ``out_features`` is twice that.
        sigma: standard deviation of B's entries, or one per dimension, in cycles per unit of x.

    Shapes: real ``(..., d)``, or ``(M,)`` for d = 1, to ``(..., 2 n_frequencies)`` in the dtype of x, also under
    autocast, which would round phases to two digits.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.

    Example::

        features = fs.nn.FourierFeatures(1, 256, sigma=10.0)
        model = nn.Sequential(features, nn.Linear(features.out_features, 128), nn.Tanh(), nn.Linear(128, 1))
    """

    B: Tensor

    def __init__(self, in_features: int, n_frequencies: int = 256, sigma: float | tuple[float, ...] = 1.0):
        super().__init__()
        check_sizes(in_features=in_features, n_frequencies=n_frequencies)
        spread = torch.as_tensor(sigma, dtype=torch.get_default_dtype())
        if spread.ndim > 1 or spread.numel() not in (1, in_features) or not bool((spread > 0).all()):
            raise ValueError(f"sigma: was {sigma}, must be a positive number, or {in_features} of them")
        self.in_features = in_features
        self.out_features = 2 * n_frequencies
        self.standard = Standard(in_features)
        self.register_buffer("B", torch.randn(n_frequencies, in_features) * spread)

    @exact
    def forward(self, x: Tensor) -> Tensor:
        wide = torch.promote_types(x.dtype, torch.float32)
        phase = 2 * math.pi * self.standard(points(x, self.in_features).to(wide)) @ self.B.to(wide).mT
        return torch.cat([phase.cos(), phase.sin()], -1).to(x.dtype)

    @classmethod
    def from_data(
        cls,
        x: Given,
        y: Given,
        n_frequencies: int = 256,
        *,
        n_lines: int = 8,
        max_frequency: float | None = None,
    ) -> "FourierFeatures":
        """Features with the bandwidth of the data: the paper sweeps sigma by hand.

        Along each axis sigma is the root mean square of the data's significant frequencies there, and at least one
        cycle over the extent of x. Phases are counted from the middle of x, which keeps them exact in single precision
        far from the origin.

        Args:
            x, y: points, real ``(M,)`` or ``(M, d)``, and values, ``(M,)`` or ``(M, C)``, of anything that
                :func:`fastspec.spectrum` takes.
            n_frequencies: rows of B.
            n_lines: how many of the data's strongest frequencies to look at.
            max_frequency: as in :func:`fastspec.measure.dominant_frequencies`, which finds them.

        Returns:
            The module, on the device and in the dtype of x.
        """
        x, y = read(x, y)
        lines = significant_frequencies(x, y, n_lines, max_frequency)
        sigma = lines.square().mean(0).sqrt().maximum(0.5 / half_extent(x))
        features = cls(len(sigma), n_frequencies, tuple(sigma.tolist())).to(x)
        features.standard = Standard(len(sigma)).fit(x, unit=False)
        return features

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}"
