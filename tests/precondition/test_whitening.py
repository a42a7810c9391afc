"""The whitening weight: even rates, the critical exponent, warnings, the schedule, and training with it."""

import math
import warnings

import pytest
import torch
from torch import nn

import fastspec as fs
from fastspec.measure import kernel_exponent
from fastspec.precondition import (
    CriticalRateWarning,
    Whitening,
    check_weight,
    critical_exponent,
    quadrature,
    whitening_weight,
)

TAU = 2 * math.pi
SAMPLED = 0.08  # relative error of an exponent from 64 samples


class Powers(nn.Module):
    """Linear in its parameters, Σ_k c_k |k|^{-α/2} e_k(x): rate |k|^-α M/2 at k on uniform points, in any dimension."""

    def __init__(self, alpha, d=1, modes=16):
        super().__init__()
        axes = [torch.arange(-modes, modes + 1)] * d
        k = torch.cartesian_prod(*axes).reshape(-1, d).double()
        self.k, self.scale = k, k.norm(dim=1).clamp_min(1) ** (-alpha / 2)
        self.c = nn.Parameter(torch.zeros(2, len(k), dtype=torch.float64))
        # mixed, or each parameter would be a mode and Adam by itself even their rates
        mixing = torch.randn(len(k), len(k), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        self.mixing = torch.linalg.qr(mixing).Q

    def forward(self, x):
        phase = x.reshape(len(x), -1) @ self.k.mT
        cos, sin = (self.c @ self.mixing) * self.scale
        return phase.cos() @ cos + phase.sin() @ sin


def grid(n, d=1):
    axis = torch.arange(n, dtype=torch.float64) * (TAU / n)
    return torch.cartesian_prod(*[axis] * d).reshape(-1, d)


def scattered(n, d, gen):
    return (torch.rand(n, d, generator=gen, dtype=torch.float64) - 0.5) * TAU


def exponent_left(weight, alpha, k):
    """Of the kernel's rates |k|^-alpha times the weight."""
    return alpha + fs.measure.decay_exponent(weight, k)


def test_critical_is_as_far_as_the_dimension_allows():
    model, x = Powers(3.0, modes=32), grid(64)
    weight, k = whitening_weight(model, x, 31), fs.reference.wavenumbers(31)
    assert fs.measure.decay_exponent(fs.measure.ntk_rates(model, x, 31), k) == pytest.approx(3, abs=1e-6)
    assert exponent_left(weight, 3, k) == pytest.approx(1, abs=3 * SAMPLED)
    powers = torch.where(k == 0, 1, k.abs().double())  # the weight is a power of the rates, which are one of |k|
    torch.testing.assert_close(weight.log() / weight.log().max(), powers.log() / powers.log().max())


def test_critical_in_the_plane_at_scattered_points(gen):
    torch.manual_seed(0)
    model, x = two_layers(nn.ReLU(), 2, width=300, trained="inner"), scattered(900, 2, gen)
    whitening = Whitening(model, x, (11, 11), quadrature=quadrature(x, (11, 11)))
    k = fs.Plan(x, (11, 11)).k
    assert 0 < whitening.strength < 1 and whitening.effective_exponent == pytest.approx(2)
    assert exponent_left(whitening.weight, 3, k) == pytest.approx(2, abs=0.3)


def test_a_model_below_the_limit_is_left_alone():
    assert torch.equal(whitening_weight(Powers(0.5, modes=32), grid(64), 31), torch.ones(31, dtype=torch.float64))


def test_strength_one_evens_the_rates_and_warns():
    model, x = Powers(3.0, modes=32), grid(64)
    with pytest.warns(CriticalRateWarning, match=r"model's (2\.9|3\.)\d* to -?0\.\d+, below the critical 1"):
        weight = whitening_weight(model, x, 31, strength=1.0)
    even = fs.measure.ntk_rates(model, x, 31) * weight
    assert even.max() / even.min() < 1 + 1e-6
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whitening_weight(model, x, 31, strength=0.5)
        whitening_weight(model, x, 31)


def test_a_weight_of_ones_own_is_checked():
    model, x = Powers(3.0, modes=32), grid(64)
    own = kernel_exponent(model, x, 31)
    assert own == pytest.approx(3, rel=SAMPLED)
    with pytest.warns(CriticalRateWarning, match=r"the weight takes .* below the critical 1"):
        assert check_weight(model, x, fs.weights.power(2.5), modes=31) == pytest.approx(own - 2.5, abs=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check_weight(model, x, fs.weights.power(1.5), modes=31) == pytest.approx(own - 1.5, abs=1e-6)
        assert check_weight(model, x, torch.ones(31)) == pytest.approx(own, abs=1e-6)


# --- the kernel's own exponent ----------------------------------------------------------------------------------------


def two_layers(activation, d, width=300, trained="both"):
    """Biases spread beyond the box, as the linear frequency principle has them; "inner" or "outer" weights trained."""
    model = nn.Sequential(nn.Linear(d, width), activation, nn.Linear(width, 1)).double()
    with torch.no_grad():
        model[0].weight.normal_()
        model[0].bias.uniform_(-4, 4).mul_(d**0.5 * model[0].weight.norm(dim=1))
        model[2].weight.normal_().div_(width**0.5)
    model[0].requires_grad_(trained != "outer")
    model[2].requires_grad_(trained != "inner")
    return model


@pytest.mark.parametrize(("d", "trained"), [(1, "inner"), (1, "outer"), (2, "inner")])
def test_relu_nets_have_the_exponents_of_theory(d, trained, gen):
    """d + 1 of the inner weights, d + 3 of the outer: the two terms of theory.lfp_rate."""
    torch.manual_seed(0)
    model, x = two_layers(nn.ReLU(), d, trained=trained), scattered(300, d, gen)
    modes = (64,) if d == 1 else (32, 32)
    a = {"inner": 1e6, "outer": 0.0}[trained]
    xi = torch.arange(4, 33).double() / TAU
    theory = fs.measure.decay_exponent(fs.theory.lfp_rate(xi, d=d, a=a).square(), xi)
    assert theory == pytest.approx(d + (1 if trained == "inner" else 3), abs=1e-3)
    assert kernel_exponent(model, x, modes) == pytest.approx(theory, rel=0.1)


def test_scattered_points_and_their_units_do_not_matter_to_the_exponent(gen):
    torch.manual_seed(0)
    model = two_layers(nn.ReLU(), 1, trained="inner")
    rates = fs.measure.ntk_rates(model, scattered(200, 1, gen), 64)
    assert fs.measure.decay_exponent(rates, fs.reference.wavenumbers(64)) < 1.2  # levelled off by aliasing
    found = [kernel_exponent(model, scattered(n, 1, gen), 64) for n in (20, 2000)]
    assert found == pytest.approx([2, 2], rel=0.1)
    assert kernel_exponent(model, scattered(50, 1, gen) / 2, 64, period=math.pi) == pytest.approx(2, rel=0.1)
    assert kernel_exponent(model.float(), scattered(50, 1, gen).float(), 64) == pytest.approx(2, rel=0.1)


def test_rates_that_fall_faster_than_powers_have_a_large_exponent(gen):
    torch.manual_seed(0)
    assert kernel_exponent(two_layers(nn.Tanh(), 1), scattered(50, 1, gen), 64) > 6


# --- quadrature -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "modes", "period"), [(500, (16,), TAU), (2000, (9, 6), (1.0, 30.0)), (6000, (4, 5, 4), 2.0)]
)
def test_quadrature_keeps_waves_apart(n, modes, period, gen):
    box = torch.tensor(period, dtype=torch.float64).expand(len(modes))
    x = torch.rand(n, len(modes), generator=gen, dtype=torch.float64) * box
    q = quadrature(x, modes, period=period)
    differences = tuple(2 * m - 1 for m in modes)
    turns = x / box * TAU
    sums = fs.reference.nufft1(turns, q, differences).flatten()
    equal = fs.reference.nufft1(turns, torch.full_like(q, 1 / n), differences).flatten()
    want = torch.zeros_like(sums)
    want[len(want) // 2] = 1
    assert (sums - want).norm() < 1e-2 * (equal - want).norm()
    assert q.sum().item() == pytest.approx(1) and n * q.square().sum() <= 1.5


def test_quadrature_of_too_few_points_amplifies_no_noise(gen):
    for n, modes in ((30, 64), (1, 5), (100, 48)):
        q = quadrature(scattered(n, 1, gen).float(), modes)
        assert q.dtype == torch.float32 and q.sum().item() == pytest.approx(1, abs=1e-5)
        assert n * q.square().sum() < 2.5


def test_quadrature_of_uniform_points_is_even():
    torch.testing.assert_close(quadrature(grid(40), 15), torch.full((40,), 1 / 40, dtype=torch.float64))


def spokes(count, samples):
    """Of k-space: lines through its middle, which leave the corners of the box empty."""
    angle = torch.arange(count, dtype=torch.float64) * math.pi / count
    radius = (torch.arange(samples, dtype=torch.float64) + 0.5) / samples * TAU - math.pi
    return (radius[:, None, None] * torch.stack([angle.cos(), angle.sin()], -1)).reshape(-1, 2)


def reconstructed(x, q, n):
    """The error of an image of n x n from its samples by one adjoint transform, whatever its scale."""
    axis = (torch.arange(n, dtype=torch.float64) - n // 2) / n
    u, v = torch.meshgrid(axis, axis, indexing="ij")
    blobs = [(u - a).square() + (v - b).square() for a, b in ((0.1, -0.1), (-0.15, 0.05))]
    image = (-200 * blobs[0]).exp() + 0.7 * (-78 * blobs[1]).exp()
    samples = fs.reference.nufft2(x, image.to(torch.complex128), sign=-1)
    found = fs.reference.nufft1(x, q * samples, (n, n), sign=1)
    found = found * (found.conj() * image).sum() / found.abs().square().sum()
    return ((found - image).norm() / image.norm()).item()


@pytest.mark.parametrize(("count", "least", "positive"), [(50, 3e-3, 4e-4), (24, 0.06, 0.01)])
def test_the_density_of_spokes_is_evened(count, least, positive):
    x, n = spokes(count, 64), 32
    evened = quadrature(x, (n, n), positive=True, report=True)
    assert evened.weights.min() > 0 and evened.weights.sum().item() == pytest.approx(1)
    assert reconstructed(x, torch.full_like(evened.weights, 1 / len(x)), n) > 0.5
    assert positive < reconstructed(x, quadrature(x, (n, n)), n) < least
    assert reconstructed(x, evened.weights, n) < positive and evened.amplification < 1.5


def test_positive_weights_of_uniform_points_are_even():
    q = quadrature(grid(40), 15, positive=True)
    torch.testing.assert_close(q, torch.full((40,), 1 / 40, dtype=torch.float64))


def test_the_schedule_measures_again(gen):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 20), nn.Tanh(), nn.Linear(20, 1)).double()
    x = grid(40)
    whitening = Whitening(model, x, 15, every=3)
    held, before = whitening.weight, whitening.weight.clone()
    loss = fs.SpectralLoss(15, x=x, weight=held)
    pred, target = torch.randn(40, 1, generator=gen).double(), torch.zeros(40, 1, dtype=torch.float64)
    first = loss(pred, target)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(3)
    assert [whitening.step() for _ in range(4)] == [False, False, True, False]
    assert whitening.weight is held and not torch.allclose(held, before)
    torch.testing.assert_close(held, whitening_weight(model, x, 15))
    assert whitening.effective_exponent == pytest.approx(max(1, check_weight(model, x, held)), abs=0.05)
    fresh = fs.SpectralLoss(15, x=x, weight=held.clone())(pred, target)
    assert loss(pred, target) == pytest.approx(fresh.item()) and loss(pred, target) != first


def test_critical_exponent():
    assert [critical_exponent(d) for d in (1, 2, 8)] == [1.0, 2.0, 8.0]
    for error, d in ((ValueError, 0), (TypeError, 1.5)):
        with pytest.raises(error, match="^d: "):
            critical_exponent(d)


# --- training ---------------------------------------------------------------------------------------------------------


class Periodic(nn.Module):
    def __init__(self, d, activation, width=600):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2 * d, width), activation, nn.Linear(width, 1)).double()
        with torch.no_grad():  # sharp enough that tanh learns a few modes at all
            self.net[0].weight.mul_(3)

    def forward(self, x):
        return self.net(torch.cat([x.cos(), x.sin()], -1))


def decay(make, x, wave, loss, lr, steps):
    """Rate at which gradient descent takes down the error of a model whose target differs from it by the wave."""
    model = make()
    target = model(x).detach() + wave[:, None]
    optimizer = torch.optim.SGD(model.parameters(), lr)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(model(x), target).backward()
        optimizer.step()
    left = ((target - model(x).detach())[:, 0] @ wave) / wave.square().sum()
    return -left.abs().log().item() / steps


def sharpness(model, x, plan, weight, q):
    """The largest eigenvalue of the loss's Hessian, by powers of the tangent kernel times 2 q F^H W F q."""
    r = torch.randn(len(x), generator=torch.Generator().manual_seed(0), dtype=x.dtype)
    for _ in range(20):
        out = model(x)
        push = 2 * q * plan.nufft2(weight * plan.nufft1(q * r / r.norm())).real
        gradients = torch.autograd.grad(out, list(model.parameters()), push[:, None])
        named = dict(zip(dict(model.named_parameters()), gradients, strict=True))
        call = lambda p: torch.func.functional_call(model, p, (x,))[:, 0]  # noqa: E731
        r = torch.func.jvp(call, (dict(model.named_parameters()),), (named,))[1].detach()
    return r.norm().item()


@pytest.mark.parametrize(
    ("activation", "d", "modes"), [("ReLU", 1, 13), ("Tanh", 1, 9), ("ReLU", 2, 7), ("Tanh", 2, 5)]
)
def test_whitening_evens_what_gradient_descent_does_at_scattered_points(activation, d, modes, gen):
    x = scattered(600, d, gen)

    def make():
        torch.manual_seed(0)
        return Periodic(d, getattr(nn, activation)())

    spread = spreads(make, x, (modes,) * d, TAU, [(x[:, 0] * k).cos() for k in range(modes // 2 + 1)])
    assert spread["whitened"] < 3 and spread["plain"] > 20


def test_reflection_lets_whitening_even_a_model_that_is_not_periodic(gen):
    x = torch.rand(400, 1, generator=gen, dtype=torch.float64) * math.pi

    def make():
        torch.manual_seed(0)
        return fs.nn.Reflected(two_layers(nn.ReLU(), 1, width=600), 0.0, math.pi)

    mirrored, period = make().points(x), make().period
    spread = spreads(make, mirrored, (13,), period, [(mirrored[:, 0] * k).cos() for k in range(7)], 30)
    assert spread["whitened"] < 4 and spread["plain"] > 1000
    cut_off = spreads(lambda: make().model, x, (7,), math.pi, [(x[:, 0] * k * 2).cos() for k in range(4)], 10)
    assert cut_off["whitened"] > 5


def spreads(make, x, modes, period, waves, steps=4):
    """Of the rates at which each wave decays, greatest over least."""
    plan, q = fs.Plan(x, modes, period=period), quadrature(x, modes, period=period)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CriticalRateWarning)
        whitened = whitening_weight(make(), x, modes, strength=1.0, quadrature=q, period=period)
    out = {}
    for name, weight in (("plain", torch.ones_like(whitened)), ("whitened", whitened)):
        loss = fs.SpectralLoss(modes, x=x, weight=weight, quadrature=q, period=period)
        lr = 0.5 / sharpness(make(), x, plan, weight, q)
        rates = [decay(make, x, wave / 1000, loss, lr, steps) for wave in waves]
        out[name] = max(rates) / max(min(rates), 1e-9)
    return out


OPTIMIZERS = {
    "adam": lambda p: torch.optim.Adam(p, 0.3),
    "sgd": lambda p: torch.optim.SGD(p, 0.3),
    "lbfgs": lambda p: torch.optim.LBFGS(p, 0.05, max_iter=1),
}


def fitted(optimizer, loss_of, steps):
    """The parameters of Powers(3) after training on ``loss_of(model)``, and the loss at the end."""
    model = Powers(3.0)
    stepper = OPTIMIZERS[optimizer](list(model.parameters()))

    def closure():
        stepper.zero_grad()
        loss = loss_of(model)
        loss.backward()
        return loss

    for _ in range(steps):
        stepper.step(closure)
    return model, loss_of(model).item()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_whitening_learns_high_modes_sooner_with(optimizer):
    x = grid(64)
    target = sum(torch.sin(k * x[:, 0]) for k in (1, 5, 12))
    weight = whitening_weight(Powers(3.0), x, 31)
    spectral = fs.SpectralLoss(31, x=x, weight=weight)
    losses = {
        "plain": lambda m: (m(x) - target).square().mean(),
        "loss": lambda m: spectral(m(x), target),
        "backward": lambda m: (fs.precondition.spectral(m(x), x, weight, norm="forward") - target).square().mean(),
    }
    error = {}
    for name, loss in losses.items():
        monitor = fs.SpectralMonitor(x, target, None, peaks=torch.tensor([12.0]))
        monitor.update(0, fitted(optimizer, loss, 60)[0](x))
        error[name] = monitor.errors.item()
    assert error["loss"] < 0.75 * error["plain"] and error["backward"] < 0.75 * error["plain"]


def test_a_gradient_preconditioned_with_quadrature_is_the_losss(gen):
    x, weight = scattered(50, 1, gen), fs.weights.sobolev(0.5)
    q = quadrature(x, 12)
    pred, target = torch.randn(2, 50, 1, generator=gen, dtype=torch.float64).unbind()
    target += 3 * x.cos()
    pred.requires_grad_()
    through = fs.precondition.spectral(pred, x, weight, modes=12, norm="forward", quadrature=q)
    got = torch.autograd.grad(nn.functional.mse_loss(through, target), pred)[0]
    loss = fs.SpectralLoss(12, x=x, weight=weight, quadrature=q)(pred, target)
    torch.testing.assert_close(got, torch.autograd.grad(loss, pred)[0])


def test_under_cross_entropy_the_step_is_the_operators(gen):
    x, labels = grid(40)[:, 0], torch.randint(0, 3, (40,), generator=gen)
    logits = torch.randn(40, 3, generator=gen, dtype=torch.float64).requires_grad_()
    weight = whitening_weight(Powers(2.0), x, 21)
    plain = torch.autograd.grad(nn.functional.cross_entropy(logits, labels), logits)[0]
    through = nn.functional.cross_entropy(fs.precondition.spectral(logits, x, weight), labels)
    spectrum = fs.reference.nufft1(x, plain.mT, 21)
    want = fs.reference.nufft2(x, weight * spectrum).real.mT
    torch.testing.assert_close(torch.autograd.grad(through, logits)[0], want)
    assert through == nn.functional.cross_entropy(logits, labels)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_cross_entropy_falls_with(optimizer):
    x = grid(64)
    labels = (torch.sin(6 * x[:, 0]) > 0).double()
    weight = whitening_weight(Powers(3.0), x, 31)

    def loss(model, preconditioned=True):
        h = model(x)
        h = fs.precondition.spectral(h, x, weight, norm="forward") if preconditioned else h
        return nn.functional.binary_cross_entropy_with_logits(h, labels)

    start = loss(Powers(3.0)).item()
    plain, preconditioned = (fitted(optimizer, lambda m, p=p: loss(m, p), 40)[1] for p in (False, True))
    assert preconditioned < 0.9 * start
    if optimizer == "sgd":  # the others have ideas of their own about the metric
        assert preconditioned < plain


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_pde_residuals_fall_with(optimizer):
    """The residual of -u'' = f favours high wavenumbers of u, and a weight below 1 evens that."""
    x = grid(64).requires_grad_()
    source = sum(k**2 * torch.sin(k * x[:, 0]) for k in (1, 6)).detach()
    weight = fs.weights.power(-1.0)

    def residual(model):
        u = model(x)
        (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        (curvature,) = torch.autograd.grad(slope.sum(), x, create_graph=True)
        return -curvature[:, 0] - source

    def loss(model):
        r = fs.precondition.spectral(residual(model), x.detach(), weight, modes=31, norm="forward")
        return 1e-3 * r.square().mean()

    start = loss(Powers(3.0)).item()
    assert fitted(optimizer, loss, 30)[1] < 0.99 * start


@pytest.mark.parametrize(
    ("error", "named", "call"),
    [
        (ValueError, "strength", lambda: whitening_weight(Powers(3.0), grid(8), 5, strength=1.5)),
        (TypeError, "strength", lambda: whitening_weight(Powers(3.0), grid(8), 5, strength="all")),
        (ValueError, "modes", lambda: whitening_weight(Powers(3.0), grid(8), (5, 5))),
        (ValueError, "modes", lambda: check_weight(Powers(3.0), grid(8), fs.weights.power(1.0))),
        (ValueError, "weight", lambda: check_weight(Powers(3.0), grid(8), torch.ones(4), modes=5)),
        (TypeError, "weight", lambda: check_weight(Powers(3.0), grid(8), 3, modes=5)),
        (ValueError, "window", lambda: whitening_weight(Powers(3.0), grid(8), 5, quadrature=torch.ones(7))),
        (ValueError, "samples", lambda: kernel_exponent(Powers(3.0), grid(8), 5, samples=0)),
        (TypeError, "model", lambda: kernel_exponent(abs, grid(8), 5)),
        (ValueError, "x", lambda: quadrature(torch.zeros(2, 8, 1), 5)),
        (ValueError, "modes", lambda: quadrature(grid(8), (5, 5))),
        (ValueError, "period", lambda: quadrature(grid(8), 5, period=0.0)),
        (ValueError, "every", lambda: Whitening(Powers(3.0), grid(8), 5, every=0)),
        (ValueError, "rates", lambda: fs.weights.from_rates(torch.zeros(3), 1.0)),
        (TypeError, "exponent", lambda: fs.weights.from_rates(torch.ones(3), "1")),
    ],
)
def test_bad_arguments_are_named(error, named, call):
    with pytest.raises(error, match=rf"^{named}: "):
        call()


def test_weights_from_theory():
    k = torch.arange(-3, 4)[:, None].double()
    got = fs.weights.lfp(a=0.5, w=2.0, period=4.0)(k)
    want = fs.theory.lfp_rate(k[:, 0].abs().clamp_min(0.5) / 4, d=1, a=0.5, w=2.0) ** -2
    torch.testing.assert_close(got, want)
    assert fs.weights.from_rates(torch.tensor([4.0, 1.0]), 0.5).tolist() == [1.0, 2.0]
