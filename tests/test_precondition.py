"""precondition.spectral: nothing forward, F^H W F backward."""

import pytest
import torch
from conftest import relative_error
from test_loss import EVEN, SIZES, scattered, wavenumbers

import fastspec as fs


def preconditioned(x, gradient, modes, weight):
    """F^H W F g by direct sums, for a real gradient of shape (M,)."""
    spectrum = fs.reference.nufft1(x, gradient, modes)
    return fs.reference.nufft2(x, weight * spectrum).real


@pytest.mark.parametrize("through_plan", [False, True])
@pytest.mark.parametrize("modes", [SIZES[1], EVEN[2], SIZES[3]], ids=str)
def test_identity_forward_and_operator_backward(modes, through_plan):
    x, h, gradient = scattered(modes)
    h.requires_grad_()
    weight = (wavenumbers(modes) ** 2).sum(-1) + 1
    points = fs.Plan(x, modes) if through_plan else x
    out = fs.precondition.spectral(h, points, weight)
    assert torch.equal(out, h)
    (got,) = torch.autograd.grad(out, h, gradient)
    assert relative_error(got, preconditioned(x, gradient, modes, weight)) <= 1e-11
