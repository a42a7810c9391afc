"""The data of a benchmark's case, the same for every library, and their exact answers.

Answers are direct sums in float64 where those are cheap, else FINUFFT's in float64, some digits beyond what is asked;
on a GPU, where FINUFFT need not be, our own.
"""

from functools import cache, cached_property

import torch
from torch import Tensor

import fastspec as fs
from benchmarks.measure import Size

DIRECT_SUM_LIMIT = 5e7
REFERENCE_EPS = {torch.float32: 1e-10, torch.float64: 1e-14}
OUR_REFERENCE_EPS = 1e-11
POINT_SETS = 3


class Problem:
    """Uniform points in [-pi, pi), normal data, the weight (1 + k^2)^(1/2); all made when first asked for."""

    def __init__(
        self, size: Size, dtype: torch.dtype = torch.float32, channels: int | None = None, device: str = "cpu"
    ):
        self.size, self.dtype, self.channels, self.device = size, dtype, channels, device

    @property
    def complex_dtype(self) -> torch.dtype:
        return torch.complex64 if self.dtype == torch.float32 else torch.complex128

    def _points(self, seed: int) -> Tensor:
        uniform = torch.rand(self.size.points, self.size.dim, **self._drawn(seed, self.dtype))
        return (uniform - 0.5) * 2 * torch.pi

    def _normal(self, shape: tuple[int, ...], seed: int, dtype: torch.dtype | None = None) -> Tensor:
        return torch.randn(shape, **self._drawn(seed, dtype or self.dtype))

    def _drawn(self, seed: int, dtype: torch.dtype) -> dict:
        return {"generator": torch.Generator(self.device).manual_seed(seed), "dtype": dtype, "device": self.device}

    @property
    def data_shape(self) -> tuple[int, ...]:
        """As a network returns its outputs."""
        return (self.size.points,) if self.channels is None else (self.size.points, self.channels)

    @cached_property
    def x(self) -> Tensor:
        return self._points(0)

    @cached_property
    def point_sets(self) -> list[Tensor]:
        return [self.x, *(self._points(100 + i) for i in range(1, POINT_SETS))]

    @cached_property
    def pred(self) -> Tensor:
        return self._normal(self.data_shape, 1).requires_grad_()

    @cached_property
    def target(self) -> Tensor:
        return self._normal(self.data_shape, 2)

    @cached_property
    def weight(self) -> Tensor:
        axes = [fs.reference.wavenumbers(n).to(self.device, self.dtype) for n in self.size.modes]
        return (1 + sum(k**2 for k in torch.meshgrid(*axes, indexing="ij"))).sqrt()

    @cached_property
    def strengths(self) -> Tensor:
        """Channels before points, as transforms take them."""
        return self._normal(self.data_shape[::-1], 3, self.complex_dtype)

    @cached_property
    def coefficients(self) -> Tensor:
        return self._normal(self.size.modes, 4, self.complex_dtype)

    # --- exact answers, in float64 ---

    @cached_property
    def exact_type1(self) -> Tensor:
        return self._exact(1, self.strengths)

    @cached_property
    def exact_type2(self) -> Tensor:
        return self._exact(2, self.coefficients)

    @cached_property
    def exact_gradient(self) -> Tensor:
        """Of the mean over channels of sum_k w_k |F_k|^2, in pred."""
        residual = (self.pred.detach().double() - self.target).reshape(self.size.points, -1)
        columns = [self._exact(2, self.weight * self._exact(1, r)).real for r in residual.T]
        return torch.stack(columns, -1).reshape(self.data_shape) * (2 / self.size.points**2 / len(columns))

    def exact_point_gradient(self, factor: Tensor, coefficients: Tensor) -> Tensor:
        """Re(conj(factor_j) sum_k i k_a f_k e^(ik.x_j)), (M, d)."""
        axes = [fs.reference.wavenumbers(n).to(self.device, torch.float64) for n in self.size.modes]
        slopes = [self._exact(2, 1j * k * coefficients) for k in torch.meshgrid(*axes, indexing="ij")]
        return torch.stack([(factor.conj() * s).real for s in slopes], -1)

    def _exact(self, kind: int, data: Tensor) -> Tensor:
        x, data = self.x.double(), data.to(torch.complex128)
        if self.device != "cpu":
            plan = fs.Plan(x, self.size.modes, eps=OUR_REFERENCE_EPS)
            return plan.nufft1(data) if kind == 1 else plan.nufft2(data)
        if len(x) * self.weight.numel() > DIRECT_SUM_LIMIT:
            return self._finufft(kind, x, data)
        return fs.reference.nufft1(x, data, self.size.modes) if kind == 1 else fs.reference.nufft2(x, data)

    def _finufft(self, kind: int, x: Tensor, data: Tensor) -> Tensor:
        import finufft

        transform = getattr(finufft, f"nufft{self.size.dim}d{kind}")
        options = {"eps": REFERENCE_EPS[self.dtype], "isign": 1 if kind == 2 else -1}
        if kind == 1:
            options["n_modes"] = self.size.modes if self.size.dim > 1 else self.size.modes[0]
        return torch.from_numpy(transform(*x.T.contiguous().numpy(), data.numpy(), **options))


@cache
def problem(
    size: Size, dtype: torch.dtype = torch.float32, channels: int | None = None, device: str = "cpu"
) -> Problem:
    """Shared by the benchmarks of one run, so that each exact answer is computed once."""
    return Problem(size, dtype, channels, device)
