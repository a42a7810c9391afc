"""The sparse Walsh-Hadamard transform, from few values of a function, and the regulariser by ADMM made of it."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from .._core.plain import without_autocast
from .regularizers import hashed_inputs
from .spectrum import Model, check_bits, parameter_of, scalar_output
from .transform import fwht

# What a bin may hold beside its coefficient, as a part of it: bins that hold one alone come first. In a dense spectrum
# none does; a wrong guess is found again, as what is left of it, and so corrected.
_RESTS = (0.1, 0.3, 0.7)
_MOST_ROUNDS = 100
_MOST_DRAWS = 1000  # of a random hash, of which 29 % or more do


class Spectrum(NamedTuple):
    """Some Walsh coefficients: g(x) = Σ_i coefficients_i (-1)^⟨frequencies_i, x⟩."""

    frequencies: Tensor  # (K, n), zeros and ones
    coefficients: Tensor  # (K,)

    @without_autocast()
    def __call__(self, x: Tensor) -> Tensor:
        """Its values at rows (m, n) of zeros and ones."""
        return self._signs(x) @ self.coefficients

    def _signs(self, x: Tensor) -> Tensor:
        return 1 - 2 * ((x @ self.frequencies.mT.to(x.dtype)) % 2)


class SparseTransform(nn.Module):
    """The largest Walsh coefficients of a function of n bits from few of its values: SPRIGHT (arXiv 1508.06336).

    ``groups`` random hashes σ of n bits to b, each with shifts d: the transform of g(mσ + d) over m holds in bin j the
    sum of (-1)^⟨f,d⟩ c_f over the coefficients with σf = j. A bin with one coefficient shows which: between shifts d
    and d + e_i its sign turns where f_i = 1, and ``pairs`` random d vote. It is subtracted from its bins in the other
    groups, which lays open further coefficients, and so on. Finds up to about 2^b coefficients from
    groups * 2^b * pairs (n + 1) values of the function, where the whole transform takes 2^n.

    Args:
        n: number of input bits.
        b: hashed bits.
        groups: number of hashes.
        pairs: shifts to vote on each bit; more stand more noise.
        generator: of hashes and shifts; default torch's own.

    Attributes:
        points: what values are needed at, ``(groups, shifts, 2^b, n)`` zeros and ones, int8.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """

    hashes: Tensor
    shifts: Tensor
    points: Tensor

    def __init__(self, n: int, b: int, groups: int = 3, pairs: int = 3, generator: torch.Generator | None = None):
        super().__init__()
        check_bits("n", n, most=2**20)
        check_bits("b", b)
        if b > n:
            raise ValueError(f"b: was {b}, must be at most n, {n}")
        check_bits("groups", groups)
        check_bits("pairs", pairs)
        self.n, self.b, self.pairs = n, b, pairs
        hashes = torch.stack([_full_rank(b, n, generator) for _ in range(groups)])
        origins = torch.randint(2, (groups, pairs, 1, n), generator=generator)
        flipped = (origins + torch.eye(n, dtype=torch.int64)) % 2
        shifts = torch.cat([origins, flipped], 2).flatten(1, 2)  # each origin, then it with bit i turned
        base = torch.stack([hashed_inputs(sigma) for sigma in hashes])
        self.register_buffer("hashes", hashes.double())
        self.register_buffer("shifts", shifts.double())
        self.register_buffer("points", ((base[:, None] + shifts[:, :, None]) % 2).to(torch.int8))

    @without_autocast()
    def forward(self, values: Tensor, threshold: float = 0.0) -> Spectrum:
        """The coefficients above ``threshold`` in magnitude of the function with these values at ``points``.

        Args:
            values: ``(groups, shifts, 2^b)``, or flat.
            threshold: least magnitude to look for; noise of this size is taken for none. At 0, rounding's size.
        """
        bins = fwht(values.detach().double().reshape(self.points.shape[:3])) / 2**self.b
        threshold = max(threshold, 1e-6 * bins.abs().max().item())
        found = Spectrum(bins.new_zeros(0, self.n), bins.new_zeros(0))
        for rest in _RESTS:
            for _ in range(_MOST_ROUNDS):
                fresh = self._singletons(bins, threshold, rest)
                if not len(fresh.coefficients):
                    break
                self._subtract(bins, fresh)
                found = _merged(found, fresh)
        keep = found.coefficients.abs() > threshold
        return Spectrum(found.frequencies[keep], found.coefficients[keep].to(values.dtype))

    def _singletons(self, bins: Tensor, threshold: float, most_rest: float) -> Spectrum:
        """What the bins of one coefficient tell, of the first group that has any; the rest of such a bin is small."""
        for all_bins, sigma, shifts in zip(bins, self.hashes, self.shifts, strict=True):
            index = (all_bins.square().mean(0).sqrt() > threshold).nonzero()[:, 0]
            seen = all_bins[:, index].mT  # (bins, shifts)
            origin, turned = seen.unflatten(1, (self.pairs, -1)).split([1, self.n], 2)
            frequencies = ((origin * turned).sum(1) < 0).double()
            signs = 1 - 2 * ((frequencies @ shifts.mT) % 2)
            coefficients = (seen * signs).mean(1)
            rest = (seen - coefficients[:, None] * signs).square().mean(1).sqrt()
            single = self._index(frequencies, sigma) == index
            single &= (coefficients.abs() > threshold) & (rest < threshold + most_rest * coefficients.abs())
            if single.any():
                return Spectrum(frequencies[single], coefficients[single])
        return Spectrum(bins.new_zeros(0, self.n), bins.new_zeros(0))

    def _index(self, frequencies: Tensor, sigma: Tensor) -> Tensor:
        """The bin that a hash puts each frequency in."""
        place = 2.0 ** torch.arange(self.b - 1, -1, -1, device=sigma.device, dtype=sigma.dtype)
        return (((frequencies @ sigma.mT) % 2) @ place).long()

    def _subtract(self, bins: Tensor, fresh: Spectrum) -> None:
        for all_bins, sigma, shifts in zip(bins, self.hashes, self.shifts, strict=True):
            waves = (1 - 2 * ((shifts @ fresh.frequencies.mT) % 2)) * fresh.coefficients
            all_bins.index_add_(1, self._index(fresh.frequencies, sigma), -waves)


class SparseRegularizer(nn.Module):
    """EN-S: a sparse Walsh spectrum by ADMM with a sparse transform (Aghazadeh et al. 2021, Nature Communications 12).

    Minimises loss(θ) + α Σ_f |S_f| subject to g_θ = HS on the points T of a :class:`SparseTransform`, in turns:

        θ   steps of the optimiser on loss + ρ/2 mean_T (g_θ - HS + u)²        this module's result
        S   sparse transform of g_θ + u, shrunk by α/ρ towards zero            ``update``
        u   u + g_θ - HS on T                                                  ``update``

    Args:
        n, b, groups, pairs, generator: of the transform.
        alpha: weight α of the L1 norm of the coefficients.
        rho: penalty ρ.

    Attributes:
        spectrum: S, the frequencies ``(K, n)`` and coefficients ``(K,)`` found at the last update.

    Example::

        regularizer = fs.walsh.SparseRegularizer(n, 7, alpha=1e-2)
        for epoch in range(epochs):
            for x, y in batches:
                loss = mse(model(x), y) + regularizer(model)
                ...
            regularizer.update(model)
    """

    aim: Tensor
    dual: Tensor

    def __init__(
        self,
        n: int,
        b: int,
        *,
        alpha: float = 1e-2,
        rho: float = 1.0,
        groups: int = 3,
        pairs: int = 3,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        for name, value in (("alpha", alpha), ("rho", rho)):
            if not value > 0:
                raise ValueError(f"{name}: was {value}, must be positive")
        self.transform = SparseTransform(n, b, groups, pairs, generator)
        self.alpha, self.rho = alpha, rho
        count = self.transform.points[..., 0].numel()
        self.register_buffer("aim", torch.zeros(count))  # HS - u
        self.register_buffer("dual", torch.zeros(count))
        self.spectrum = Spectrum(torch.zeros(0, n), torch.zeros(0))

    def forward(self, model: Model, batch: int | None = None) -> Tensor:
        """ρ/2 mean (g - HS + u)², over all points or ``batch`` of them drawn at random."""
        points, aim = self.transform.points.flatten(0, 2), self.aim
        if batch is not None:
            chosen = torch.randint(len(points), (batch,), device=points.device)
            points, aim = points[chosen], aim[chosen]
        values = self._values(model, points)
        return self.rho / 2 * (values - aim.to(values.dtype)).square().mean()

    @torch.no_grad()
    def update(self, model: Model) -> None:
        """The steps of S and u, once the optimiser has taken some in θ."""
        points = self.transform.points.flatten(0, 2)
        values = self._values(model, points)
        lifted = values + self.dual.to(values.dtype)
        shrink = self.alpha / self.rho
        frequencies, coefficients = self.transform(lifted, shrink)
        self.spectrum = Spectrum(frequencies, coefficients - shrink * coefficients.sign())
        fit = self.spectrum(points.to(values.dtype))
        self.dual.copy_(lifted - fit)
        self.aim.copy_(fit - self.dual)

    @staticmethod
    def _values(model: Model, points: Tensor) -> Tensor:
        return scalar_output(model, points.to(parameter_of(model)))


def _full_rank(b: int, n: int, generator: torch.Generator | None) -> Tensor:
    """A random (b, n) of zeros and ones whose rows are independent modulo 2, so that hashes are evenly spread."""
    for _ in range(_MOST_DRAWS):
        sigma = torch.randint(2, (b, n), generator=generator)
        if _rank(sigma) == b:
            return sigma
    raise RuntimeError(f"generator: drew no {b} independent rows of {n} bits in {_MOST_DRAWS} tries: is it random?")


def _rank(matrix: Tensor) -> int:
    rows, rank = [int("".join(map(str, row)), 2) for row in matrix.tolist()], 0
    while rows:
        pivot = rows.pop()
        if pivot:
            rank += 1
            low = pivot & -pivot
            rows = [row ^ pivot if row & low else row for row in rows]
    return rank


def _merged(a: Spectrum, b: Spectrum) -> Spectrum:
    frequencies, place = torch.cat([a.frequencies, b.frequencies]).unique(dim=0, return_inverse=True)
    values = torch.cat([a.coefficients, b.coefficients])
    return Spectrum(frequencies, values.new_zeros(len(frequencies)).index_add_(0, place, values))
