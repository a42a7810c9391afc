"""precondition.spectral: nothing forward, F^H W F backward."""

import itertools

import pytest
import torch
from samples import relative_error
from scattered import EVEN, SIZES, scattered, wavenumbers

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


@pytest.mark.parametrize("shape", [(), (2,)], ids=str)
def test_vmap_is_a_loop(shape):
    modes = EVEN[2]
    x, _, _ = scattered(modes)
    rows, gradients = (torch.stack([scattered(modes, shape=shape, seed=seed)[i] for seed in range(3)]) for i in (1, 2))
    weight = (wavenumbers(modes) ** 2).sum(-1) + 1

    def gradient(h, g):
        return torch.func.vjp(lambda h: fs.precondition.spectral(h, x, weight), h)[1](g)[0]

    assert torch.equal(torch.vmap(lambda h: fs.precondition.spectral(h, x, weight))(rows), rows)
    looped = torch.stack([gradient(h, g) for h, g in zip(rows, gradients, strict=True)])
    assert relative_error(torch.vmap(gradient)(rows, gradients), looped) <= 1e-14


@pytest.mark.parametrize("own", list(itertools.product([False, True], repeat=4))[1:], ids=str)
@pytest.mark.parametrize(("sets", "rows"), [((), ()), ((), (2,)), ((3,), (2,)), ((2, 3), (4, 2))], ids=str)
def test_vmap_over_any_of_its_inputs_is_a_loop(sets, rows, own, gen):
    """``own``: which of gradient, points, weight and quadrature each call has for itself."""
    count, modes, batch = 7, (3, 4), 2
    shapes = (*sets, *rows[:-1], count, *rows[-1:]), (*sets, count, 2), modes, (*sets, count)
    given = [
        torch.randn(*[batch] * has, *shape, generator=gen, dtype=torch.float64)
        for has, shape in zip(own, shapes, strict=True)
    ]

    given[1] = given[1].remainder(2 * torch.pi)

    def both_ways(g, x, w, q):
        def function(h):
            return fs.precondition.spectral(h, x, w, quadrature=q)

        return torch.func.vjp(function, g)[1](g)[0], torch.func.jvp(function, (g,), (g,))[1]

    dims = tuple(0 if has else None for has in own)
    got = torch.vmap(both_ways, in_dims=dims)(*given)
    each = [both_ways(*[t[i] if has else t for has, t in zip(own, given, strict=True)]) for i in range(batch)]
    for values, looped in zip(got, zip(*each, strict=True), strict=True):
        assert relative_error(values, torch.stack(looped)) <= 1e-12

    def outside(h):
        return torch.vmap(lambda h, x, w, q: fs.precondition.spectral(h, x, w, quadrature=q), dims)(h, *given[1:])

    cotangent = given[0] if own[0] else given[0].expand(batch, *shapes[0])
    (pulled,) = torch.func.vjp(outside, given[0])[1](cotangent)
    assert relative_error(pulled, got[0] if own[0] else got[0].sum(0)) <= 1e-12


def test_norm_forward_leaves_the_gradient_on_uniform_points():
    n = 12
    x = torch.arange(n, dtype=torch.float64) * 2 * torch.pi / n
    h = torch.randn(n, dtype=torch.float64, requires_grad=True)
    gradient = torch.randn(n, dtype=torch.float64)
    out = fs.precondition.spectral(h, x, torch.ones(n, dtype=torch.float64), norm="forward")
    (got,) = torch.autograd.grad(out, h, gradient)
    assert relative_error(got, gradient) <= 1e-11


def test_under_mean_squared_error_it_is_the_spectral_loss():
    modes = SIZES[1]
    x, pred, target = scattered(modes)
    pred.requires_grad_()
    weight = (wavenumbers(modes) ** 2).sum(-1) + 1
    mse = torch.nn.functional.mse_loss(fs.precondition.spectral(pred, x, weight, norm="forward"), target)
    loss = fs.SpectralLoss(modes, x=x, weight=weight)(pred, target)
    assert relative_error(*(torch.autograd.grad(value, pred)[0] for value in (mse, loss))) <= 1e-11


@pytest.mark.parametrize(("norm", "power"), [("backward", 0), ("ortho", 0.5), ("forward", 1)])
def test_norm_divides_by_a_power_of_the_number_of_points(norm, power):
    modes = EVEN[2]
    x, h, gradient = scattered(modes)
    h.requires_grad_()
    weight = (wavenumbers(modes) ** 2).sum(-1) + 1
    (got,) = torch.autograd.grad(fs.precondition.spectral(h, x, weight, norm=norm), h, gradient)
    assert relative_error(got, preconditioned(x, gradient, modes, weight) / len(x) ** power) <= 1e-11


def test_quadrature_multiplies_by_its_number_of_points_on_both_sides(gen):
    modes = EVEN[2]
    x, h, gradient = scattered(modes)
    h.requires_grad_()
    q = torch.rand(len(x), generator=gen, dtype=torch.float64)
    weight = (wavenumbers(modes) ** 2).sum(-1) + 1
    (got,) = torch.autograd.grad(fs.precondition.spectral(h, x, weight, quadrature=q), h, gradient)
    share = len(x) * q
    assert relative_error(got, share * preconditioned(x, share * gradient, modes, weight)) <= 1e-11
