"""The oracle itself, against sums written out in Python and against torch.fft on uniform points."""

import cmath
import math

import pytest
import torch
from samples import TAU

import fastspec as fs

R = fs.reference


@pytest.mark.parametrize("n", [1, 2, 5, 6])
def test_wavenumbers(n):
    assert R.wavenumbers(n).tolist() == list(range(-(n // 2), (n - 1) // 2 + 1))
    assert R.wavenumbers(n, "fft").tolist() == (torch.fft.fftfreq(n) * n).round().long().tolist()


def test_nufft1_is_the_sum_of_its_docstring(gen):
    x = torch.rand(4, 2, generator=gen, dtype=torch.float64)
    c = torch.randn(4, generator=gen, dtype=torch.complex128)
    got = R.nufft1(x, c, (3, 4), sign=1, period=(2.0, 3.0))
    for i, k0 in enumerate(range(-1, 2)):
        for j, k1 in enumerate(range(-2, 2)):
            terms = [c[p] * cmath.exp(1j * TAU * (k0 * x[p, 0] / 2 + k1 * x[p, 1] / 3)) for p in range(4)]
            assert got[i, j].item() == pytest.approx(sum(t.item() for t in terms), rel=1e-13)


def test_nufft2_is_the_sum_of_its_docstring(gen):
    x = torch.rand(3, generator=gen, dtype=torch.float64)
    f = torch.randn(5, generator=gen, dtype=torch.complex128)
    got = R.nufft2(x, f, sign=-1)
    for p in range(3):
        terms = [f[k + 2].item() * cmath.exp(-1j * k * x[p].item()) for k in range(-2, 3)]
        assert got[p].item() == pytest.approx(sum(terms), rel=1e-13)


def test_nufft3_is_the_sum_of_its_docstring(gen):
    x, s = (torch.randn(m, 4, generator=gen, dtype=torch.float64) for m in (3, 2))
    c = torch.randn(3, generator=gen, dtype=torch.complex128)
    got = R.nufft3(x, c, s)
    for i in range(2):
        terms = [c[p].item() * cmath.exp(-1j * (s[i] @ x[p]).item()) for p in range(3)]
        assert got[i].item() == pytest.approx(sum(terms), rel=1e-13)


@pytest.mark.parametrize("modes", [(8,), (7,), (4, 6), (5, 3), (4, 3, 5), (3, 5, 4)])
def test_uniform_points_give_the_fft(modes, gen):
    x = torch.cartesian_prod(*[torch.arange(n, dtype=torch.float64) * TAU / n for n in modes])
    c = torch.randn(modes, generator=gen, dtype=torch.float64)
    dims = tuple(range(-len(modes), 0))
    torch.testing.assert_close(R.nufft1(x, c.flatten(), modes, order="fft"), torch.fft.fftn(c + 0j, dim=dims))
    half = torch.fft.rfftn(c, dim=dims)
    torch.testing.assert_close(R.rnufft1(x, c.flatten(), modes, order="fft"), half)
    torch.testing.assert_close(R.rnufft2(x, half, modes, order="fft") / math.prod(modes), c.flatten())


def test_gradients_are_torchs_own(gen):
    x = torch.rand(4, 2, generator=gen, dtype=torch.float64, requires_grad=True)
    c = torch.randn(4, generator=gen, dtype=torch.complex128, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, c: R.nufft1(x, c, (3, 2)), (x, c))


@pytest.mark.parametrize("op", ["nufft1", "rnufft1"])
def test_point_sets_are_rows(op, gen):
    x = torch.rand(2, 5, 2, generator=gen, dtype=torch.float64)
    c = torch.randn(2, 3, 5, generator=gen, dtype=torch.float64)
    together = getattr(R, op)(x, c, (3, 4))
    for b in range(2):
        torch.testing.assert_close(together[b], getattr(R, op)(x[b], c[b], (3, 4)))
