"""The loss's pass between its FFTs: each device's kernel against the plain one, and that against autograd."""

import emulated
import pytest
import torch

from fastspec import reference
from fastspec._core import ops

ROUNDING = {torch.float32: 3e-6, torch.float64: 1e-13}
CASES = [
    ((3000,), (1700,), 2, 1),  # spectrum, band, rows, weights
    ((7,), (7,), 3, 3),
    ((33, 40), (20, 17), 2, 2),
    ((5, 1500), (4, 1499), 1, 1),
    ((9, 11, 13), (5, 7, 13), 2, 2),
    ((20, 18, 24), (12, 1, 17), 2, 1),
]
DEVICES = ["cpu", "emulated", pytest.param("cuda", marks=pytest.mark.gpu)]


def draw(dtype, cells, band, rows, weights):
    """Weights of both signs, and what lies outside their band neither finite nor small."""
    gen = torch.Generator().manual_seed(sum(cells))
    spectrum = torch.randn(rows, *cells, generator=gen, dtype=torch.promote_types(dtype, torch.complex32))
    inside = reference.padded(torch.ones(1, *band), (1, *cells)).bool().expand_as(spectrum)
    spectrum = torch.where(inside, spectrum, complex(torch.inf, torch.nan))
    return spectrum, torch.randn(weights, *band, generator=gen, dtype=dtype)


def weighed(device: str, spectrum, *by):
    """Sums and the gradient's spectrum."""
    if device == "emulated":
        if not emulated.available():
            pytest.skip("this build has the kernels themselves")
        return emulated.Ops().weigh_copy(spectrum, *by)
    spectrum, weight = spectrum.to(device), by[0].to(device)
    copied = torch.ops.fastspec.weigh_copy(spectrum, weight, *by[1:])
    sums = torch.ops.fastspec.weigh(spectrum, weight, *by[1:])
    assert torch.equal(copied[1], spectrum) and torch.equal(copied[0], sums)
    return sums.cpu(), spectrum.cpu()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", ROUNDING, ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_by_a_table(case, dtype, device, instruction_set, poisoned):
    spectrum, weight = draw(dtype, *case)
    want = reference.weigh(spectrum.to(torch.complex128), weight.double(), 0.37 / 1e5)
    sums, gradient = weighed(device, spectrum.clone(), weight, 0.37 / 1e5, [], 0, 0.0)
    assert sums.dtype == torch.float64 and gradient.dtype == spectrum.dtype
    scale = (weight.abs().amax() * 0.37 / 1e5 * 2).item()
    assert (sums - want[0]).abs().max() <= ROUNDING[dtype] * scale * weight[0].numel()
    assert (gradient - want[1]).norm() <= ROUNDING[dtype] * want[1].norm()
    assert not gradient[want[1] == 0].any()


@pytest.mark.parametrize("rule", ops.RULES)
def test_the_plain_gradient_is_autograds(rule):
    """Half the modes stand for all: of those with a partner the gradient is half."""
    spectrum, weight = draw(torch.float64, (6, 9, 8), (5, 7, 7), 2, 1)
    spectrum = spectrum.nan_to_num(0, 0, 0).requires_grad_()
    by = weight, 0.3
    if rule == "focal":
        factors = torch.rand(5 + 7 + 7, dtype=torch.float64) + 1
        table = reference.focal_table(spectrum.detach(), factors, (8, 6, 7), 1.0)
        assert torch.equal(
            reference.weigh(spectrum.detach(), table, 0.3)[1],
            reference.weigh(spectrum.detach(), factors, 0.3, (8, 6, 7), "focal", 1.0)[1],
        )
        by = table, 0.3
    sums, gradient = reference.weigh(spectrum, *by)
    want = torch.autograd.grad(sums.sum(), spectrum)[0]
    want[:, 1:] /= 2
    torch.testing.assert_close(gradient.detach(), want)
