"""The whitening weight: even rates, the critical exponent, warnings, the schedule, and training with it."""

import warnings

import pytest
import torch
from torch import nn

import fastspec as fs
from fastspec.precondition import CriticalRateWarning, Whitening, check_weight, critical_exponent, whitening_weight

TAU = 6.283185307179586


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


def test_critical_is_as_far_as_the_dimension_allows():
    model, x = Powers(3.0), grid(64)
    weight = whitening_weight(model, x, 31)
    rates = fs.measure.ntk_rates(model, x, 31)
    k = fs.reference.wavenumbers(31)
    assert fs.measure.decay_exponent(rates, k) == pytest.approx(3, abs=1e-6)
    assert fs.measure.decay_exponent(rates * weight, k) == pytest.approx(1, abs=1e-6)
    torch.testing.assert_close(weight[16:], k[16:].abs().double() ** 2, rtol=1e-6, atol=0)
    plane, square = Powers(5.0, d=2, modes=6), grid(16, d=2)
    rates, weight = fs.measure.ntk_rates(plane, square, (13, 13)), whitening_weight(plane, square, (13, 13))
    k = fs.Plan(square, (13, 13)).k
    assert fs.measure.decay_exponent(rates * weight, k) == pytest.approx(2, abs=1e-6)


def test_a_model_below_the_limit_is_left_alone():
    assert torch.equal(whitening_weight(Powers(0.5), grid(64), 31), torch.ones(31, dtype=torch.float64))


def test_strength_one_evens_the_rates_and_warns():
    model, x = Powers(3.0), grid(64)
    with pytest.warns(CriticalRateWarning, match=r"from 3\.00 to 0\.00, below the critical 1.*p = 0\.67"):
        weight = whitening_weight(model, x, 31, strength=1.0)
    even = fs.measure.ntk_rates(model, x, 31) * weight
    assert even.max() / even.min() < 1 + 1e-6
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whitening_weight(model, x, 31, strength=0.5)
        whitening_weight(model, x, 31)


def test_a_weight_of_ones_own_is_checked():
    model, x = Powers(3.0), grid(64)
    with pytest.warns(CriticalRateWarning, match=r"the weight takes .* from 3\.00 to 0\.50"):
        assert check_weight(model, x, fs.weights.power(2.5), modes=31) == pytest.approx(0.5, abs=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check_weight(model, x, fs.weights.power(1.5), modes=31) == pytest.approx(1.5, abs=1e-6)
        assert check_weight(model, x, torch.ones(31)) == pytest.approx(3, abs=1e-6)


def test_scattered_points_do_not_hide_the_decay(gen):
    """They add the same to every rate; the fit looks above that."""
    x = torch.rand(2000, 1, generator=gen, dtype=torch.float64) * TAU
    model = Powers(3.0)
    rates, k = fs.measure.ntk_rates(model, x, 31), fs.reference.wavenumbers(31)
    assert fs.measure.decay_exponent(rates, k) < 2.6
    whitening = Whitening(model, x, 31)
    assert whitening.exponent == pytest.approx(3, abs=0.4)
    assert fs.measure.decay_exponent(1 / whitening.weight, k) == pytest.approx(2, abs=0.4)


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
    assert whitening.effective_exponent == pytest.approx(whitening.exponent * (1 - whitening.strength))
    fresh = fs.SpectralLoss(15, x=x, weight=held.clone())(pred, target)
    assert loss(pred, target) == pytest.approx(fresh.item()) and loss(pred, target) != first


def test_critical_exponent():
    assert [critical_exponent(d) for d in (1, 2, 8)] == [1.0, 2.0, 8.0]
    for error, d in ((ValueError, 0), (TypeError, 1.5)):
        with pytest.raises(error, match="^d: "):
            critical_exponent(d)


# --- training ---------------------------------------------------------------------------------------------------------

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
