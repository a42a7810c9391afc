"""Projection, aliases, the tangent kernel's rates, and the monitor's further methods, against their definitions."""

import math

import pytest
import torch
from samples import relative_error
from torch import nn

import fastspec as fs
from fastspec.measure import SpectralMonitor, directions

TAU = 2 * math.pi


def sums(x, y, k):
    """mean_j y_j e^{-ik·x_j}, (K, C)."""
    return fs.reference.nufft3(x.double(), y.double().mT, k.double()).mT / len(x)


# --- projection -------------------------------------------------------------------------------------------------------


def test_projection_is_its_definition(gen):
    x, y = torch.randn(200, 6, generator=gen), torch.randn(200, 3, generator=gen)
    p, k = torch.randn(6, generator=gen), torch.linspace(0, 0.35, 20)
    along = x.double() @ (p / p.norm()).double()
    want = sums(TAU * along, y, k)
    assert relative_error(fs.measure.projection(x, y, k, p), want) <= 1e-6
    assert relative_error(fs.measure.projection(x, y[:, 0], k, p), want[:, 0]) <= 1e-6


@pytest.mark.parametrize("whole", [2000, 10, 0])
def test_the_first_principal_component_is_the_default(whole, gen, monkeypatch):
    monkeypatch.setattr(directions, "_WHOLE", whole)
    p = nn.functional.normalize(torch.randn(12, generator=gen), dim=0)
    x = 3 + 10 * torch.randn(400, 1, generator=gen) * p + torch.randn(400, 12, generator=gen)
    k = torch.linspace(0, 0.1, 5)
    found = directions.principal_direction(x)
    assert abs(found @ p.double()) > 0.999 and found[found.abs().argmax()] > 0
    images = x.reshape(400, 3, 4)
    assert relative_error(fs.measure.projection(images, x[:, 0], k), fs.measure.projection(x, x[:, 0], k, found)) < 1e-6


# --- aliases ----------------------------------------------------------------------------------------------------------


def test_alias_report_finds_the_low_frequency_that_sampling_made():
    x_full = torch.linspace(-math.pi, math.pi, 1001)[:-1]
    x_train = x_full[::200]  # five points a period: sin 6x looks like sin x
    report = fs.measure.alias_report(x_train, (6 * x_train).sin(), x_full, (6 * x_full).sin(), torch.arange(9))
    assert report.k[report.spurious].flatten().tolist() == [1.0, 4.0]
    assert report.train[1].abs() == pytest.approx(0.5, rel=1e-4) and report.full[1].abs() < 1e-5
    assert report.excess[1].item() == pytest.approx(1, rel=1e-4)
    assert "spurious k = 1" in str(report)
    clean = fs.measure.alias_report(x_full, (6 * x_full).sin(), x_full, (6 * x_full).sin(), torch.arange(9))
    assert len(clean.spurious) == 0 and clean.aliased_energy == 0


def test_the_parity_functions_spectrum_is_that_of_theory(gen):
    n = 8
    corners = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * n)
    some = torch.randperm(2**n, generator=gen)[:12]
    parity = corners.prod(1)
    k = torch.linspace(0, math.pi, 33)
    report = fs.measure.alias_report(corners[some], parity[some], corners, parity, k, threshold=0.1)
    assert relative_error(report.full, (-1j) ** n * report.k[:, 0].sin() ** n) <= 1e-5
    lowest = report.spurious[0]
    assert report.k[lowest, 0] < 0.9 and report.full[lowest].abs() < 0.15 * report.train[lowest].abs().max() + 0.1


# --- the tangent kernel's rates ---------------------------------------------------------------------------------------


def mlp(sizes, activation=nn.Tanh):
    layers = []
    for fan_in, fan_out in zip(sizes, sizes[1:], strict=False):
        layers += [nn.Linear(fan_in, fan_out), activation()]
    return nn.Sequential(*layers[:-1])


class Residual(nn.Module):
    """Skips, normalisation, a frozen layer, and rows (M,) out."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(1, 24), nn.Linear(24, 24), nn.Linear(24, 1)
        self.norm = nn.LayerNorm(24)
        self.first.requires_grad_(False)

    def forward(self, x):
        h = self.first(x).sin()
        return self.last(h + self.norm(self.second(h)).relu())[:, 0]


ARCHITECTURES = {
    "tanh": (lambda: mlp([1, 40, 40, 1]), 1),
    "relu with two outputs": (lambda: mlp([2, 50, 2], nn.ReLU), 2),
    "residual": (Residual, 1),
    "phases": (lambda: fs.nn.PhaseMLP([2.0, 9.0], width=8), 1),
}


def dense_rates(model, x, k, window=1.0):
    """Rayleigh quotients of the kernel made whole, from Jacobians row by row; mean over outputs."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    outputs = model(x).reshape(len(x), -1)
    waves = torch.polar(torch.ones(len(k), len(x), dtype=torch.float64) * window, k.double() @ x.double().mT)
    total = 0
    for c in range(outputs.shape[1]):
        rows = [torch.autograd.grad(out, parameters, retain_graph=True) for out in outputs[:, c]]
        jacobian = torch.stack([torch.cat([g.flatten() for g in row]) for row in rows]).double()
        kernel = (jacobian @ jacobian.mT).to(torch.complex128)
        total = total + torch.einsum("kj,ji,ki->k", waves, kernel, waves.conj()).real / waves[0].abs().square().sum()
    return total / outputs.shape[1]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_rates_are_the_dense_kernels(name):
    torch.manual_seed(0)
    make, d = ARCHITECTURES[name]
    model, x = make(), torch.rand(60, d) * TAU
    modes = (9, 6)[:d]
    k = torch.stack(torch.meshgrid(*[fs.reference.wavenumbers(n) for n in modes], indexing="ij"), -1).reshape(-1, d)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    got = fs.measure.ntk_rates(model, x, modes)
    assert got.shape == modes
    torch.testing.assert_close(got.flatten().double(), dense_rates(model, x, k), rtol=1e-3, atol=0)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_rates_at_listed_wavenumbers_and_by_samples(gen):
    torch.manual_seed(0)
    model, x, k = mlp([5, 30, 1]), torch.randn(50, 5), torch.randn(4, 5)
    exact = dense_rates(model, x, k)
    torch.testing.assert_close(fs.measure.ntk_rates(model, x, k).double(), exact, rtol=1e-3, atol=0)
    sampled = fs.measure.ntk_rates(model, x, k, samples=200, generator=gen)
    torch.testing.assert_close(sampled.double(), exact, rtol=0.5, atol=0)
    model, x = mlp([2, 30, 1]), 2 * torch.rand(50, 2)
    sampled = fs.measure.ntk_rates(model, x, (4, 5), period=2.0, samples=200, generator=gen)
    torch.testing.assert_close(sampled, fs.measure.ntk_rates(model, x, (4, 5), period=2.0), rtol=0.5, atol=0)


def test_rates_under_a_window(gen):
    torch.manual_seed(0)
    model, x, window = mlp([2, 30, 1]), torch.rand(50, 2, generator=gen) * TAU, torch.randn(50, generator=gen)
    k = fs.Plan(x, (4, 5)).k.flatten(0, 1)
    exact = fs.measure.ntk_rates(model, x, (4, 5), window=window)
    torch.testing.assert_close(exact.flatten().double(), dense_rates(model, x, k, window), rtol=1e-3, atol=0)
    sampled = fs.measure.ntk_rates(model, x, (4, 5), window=window, samples=200, generator=gen)
    torch.testing.assert_close(sampled, exact, rtol=0.5, atol=0)


def test_decay_exponent_fits_powers():
    k = torch.arange(-64, 65)
    rates = torch.where(k == 0, 5.0, 3.0 * k.abs().clamp_min(1) ** -2.5)
    assert fs.measure.decay_exponent(rates, k) == pytest.approx(2.5, abs=1e-4)
    floor = rates.clamp_min(1e-2)
    assert fs.measure.decay_exponent(floor, k) < 2.3
    assert fs.measure.decay_exponent(floor, k, floor=1e-2) == pytest.approx(2.5, abs=1e-4)
    plane = torch.stack(torch.meshgrid(torch.arange(-20, 21), torch.arange(-9, 10), indexing="ij"), -1)
    steep = (1 + plane.double().square().sum(-1)) ** -1.5
    assert fs.measure.decay_exponent(steep, plane) == pytest.approx(3, abs=0.25)


# --- the monitor's further methods ------------------------------------------------------------------------------------


def test_frequencies_in_many_dimensions(gen):
    x, k = torch.rand(300, 7, generator=gen), 3 * torch.randn(5, 7, generator=gen)
    target = torch.cos(x @ k[3])[:, None] + 0.1 * torch.randn(300, 2, generator=gen)
    pred = torch.randn(300, 2, generator=gen)
    f, h = sums(x, target, k), sums(x, pred, k)
    m = SpectralMonitor(x, target, k, method="frequencies")
    m.update(0, pred)
    want = ((h - f).norm(dim=1) / f.norm(dim=1)).float()
    torch.testing.assert_close(m.errors[0], want, rtol=1e-3, atol=1e-4)
    assert torch.equal(m.frequencies, k.double())
    strongest = SpectralMonitor(x, target, k, method="frequencies", peaks=2)
    assert torch.equal(strongest.wavenumbers, k[f.norm(dim=1).topk(2).indices.sort().values].double())


def test_projection_finds_the_peak_along_the_direction(gen):
    x = torch.rand(3000, 10, generator=gen) * torch.tensor([9.0] + [1.0] * 9)
    target = torch.sin(TAU * 0.9 * x[:, 0]) + 0.05 * torch.randn(3000, generator=gen)
    m = SpectralMonitor(x, target, torch.linspace(0.1, 2, 96), method="projection", period=1.0, peaks=1)
    assert m.frequencies.item() == pytest.approx(0.9, abs=0.02)
    m.update(0, torch.zeros(3000))
    m.update(1, target)
    assert m.errors.flatten().tolist() == pytest.approx([1, 0], abs=1e-6)
    k = torch.tensor([0.4, 0.9])
    along = SpectralMonitor(x, target, None, method="projection", period=1.0, peaks=k, direction=torch.eye(10)[0])
    pred = torch.randn(3000, generator=gen)
    along.update(0, pred)
    f, h = (fs.measure.projection(x, v, k, torch.eye(10)[0]) for v in (target, pred))
    torch.testing.assert_close(along.errors[0], (h - f).abs() / f.abs(), rtol=1e-3, atol=1e-4)


def dense_filter_error(x, pred, target, deltas):
    square = torch.cdist(x, x).square()
    low, high = [], []
    for delta in deltas:
        g = torch.exp(-square / (2 * delta))
        g = g / g.sum(1, keepdim=True)
        for errors, values in ((low, (g @ target, g @ pred)), (high, (target - g @ target, pred - g @ pred))):
            errors.append((values[0] - values[1]).norm() / values[0].norm())
    return torch.stack(low), torch.stack(high)


def test_filter_records_low_and_high_errors(gen, tmp_path):
    x, deltas = torch.rand(200, 3, generator=gen), torch.tensor([0.01, 0.04])
    target, pred = torch.randn(200, 2, generator=gen), torch.randn(200, 2, generator=gen)
    m = SpectralMonitor(x, target, deltas, method="filter")
    m.update(0, pred)
    torch.testing.assert_close(m.errors[0], torch.cat(dense_filter_error(x, pred, target, deltas)))
    assert m.frequencies.flatten().tolist() == pytest.approx([1.5915, 0.7958] * 2, rel=1e-4)
    assert [key[0] for key in m.steps_to(0.1)] == ["low", "low", "high", "high"]
    m.save(tmp_path / "m.pt")
    again = SpectralMonitor.load(tmp_path / "m.pt")
    again.update(1, target)
    assert torch.equal(again.errors[0], m.errors[0]) and again.errors[1].max() < 1e-5
    m.plot(tmp_path / "m.png")


def test_bands_gather_their_modes(gen, tmp_path):
    x, pred = 2 * torch.rand(400, 2, generator=gen), torch.randn(400, generator=gen)
    target = (3 * math.pi * x[:, 0]).sin() + (2 * math.pi * x[:, 1]).cos()
    bands = [(0, 1.5), (1.5, 3.0)]
    m = SpectralMonitor(x, target, (16, 17), period=2.0, bands=bands)
    m.update(0, pred)
    k = torch.cartesian_prod(torch.arange(-8, 8), torch.arange(-8, 9))
    f, h = (sums(math.pi * x, v[:, None], k)[:, 0] for v in (target, pred))
    size = k.double().norm(dim=1) / 2
    for column, (lo, hi) in enumerate(bands):
        inside = (size >= lo) & (size < hi)
        want = (h - f)[inside].norm() / f[inside].norm()
        assert m.errors[0, column].item() == pytest.approx(want.item(), rel=1e-3)
    assert list(m.steps_to(0.1)) == [(0, 1.5), (1.5, 3.0)]
    m.save(tmp_path / "m.pt")
    again = SpectralMonitor.load(tmp_path / "m.pt")
    again.update(1, pred)
    torch.testing.assert_close(again.errors[1], m.errors[0])


CLASSIFIED = [
    {"method": "filter", "modes": torch.tensor([0.5, 0.02])},
    {"method": "projection", "modes": torch.arange(1.0, 5.0)},
    {"method": "frequencies", "modes": torch.randn(3, 2, generator=torch.Generator().manual_seed(0))},
    {"method": "nufft", "peaks": torch.tensor([[0, 2], [3, 1]]), "magnitudes": True},
]


def classified(target, logits, choices):
    gen = torch.Generator().manual_seed(1)
    m = SpectralMonitor(torch.rand(60, 2, generator=gen), target, logits=True, **choices)
    for step, z in enumerate(logits):
        m.update(step, z)
    return m.errors


@pytest.mark.parametrize("choices", CLASSIFIED, ids=lambda c: c["method"])
def test_one_logit_is_that_of_class_one(choices, gen):
    labels = torch.arange(60) % 2
    z = torch.stack([40.0 * labels - 20, torch.randn(60, generator=gen), 20 - 40.0 * labels])
    want = classified(labels, torch.stack([torch.zeros_like(z), z], -1), choices)
    assert (want[0] < 1e-4).all() and (want[1:] > 1e-3).all()
    for target in (labels, labels.bool(), labels.float(), labels[:, None].float()):
        for given in (z, z[..., None]):
            torch.testing.assert_close(classified(target, given, choices), want)


@pytest.mark.parametrize("choices", CLASSIFIED, ids=lambda c: c["method"])
def test_classes_that_no_label_is_of_have_probabilities_too(choices, gen, tmp_path):
    labels, z = torch.arange(60) % 2, torch.randn(60, 10, generator=gen)
    want = classified(nn.functional.one_hot(labels, 10).float(), [z], choices)
    torch.testing.assert_close(classified(labels, [z], choices), want)
    gen = torch.Generator().manual_seed(1)
    m = SpectralMonitor(torch.rand(60, 2, generator=gen), labels, logits=True, **choices)
    m.update(0, z)
    m.save(tmp_path / "monitor")
    again = SpectralMonitor.load(tmp_path / "monitor")
    again.update(1, z)
    torch.testing.assert_close(again.errors[0], again.errors[1])


def test_more_labels_than_logits_are_refused():
    m = SpectralMonitor(X, torch.arange(20) % 3, 8, peaks=1, logits=True)
    with pytest.raises(ValueError, match="pred: had 2 channels, must have 3"):
        m.update(0, torch.zeros(20, 2))
    with pytest.raises(ValueError, match="target: had numbers outside"):
        SpectralMonitor(X, 2 * torch.ones(20), 8, peaks=1, logits=True)


def test_logits_are_compared_as_probabilities(gen):
    x, labels = torch.rand(150, 4, generator=gen), torch.randint(0, 3, (150,), generator=gen)
    logits, k = torch.randn(150, 3, generator=gen), torch.randn(6, 4, generator=gen)
    m = SpectralMonitor(x, labels, k, method="frequencies", logits=True)
    m.update(0, logits)
    f, h = sums(x, nn.functional.one_hot(labels, 3), k), sums(x, logits.softmax(-1), k)
    torch.testing.assert_close(m.errors[0].double(), (h - f).norm(dim=1) / f.norm(dim=1), rtol=1e-3, atol=1e-4)


X = torch.rand(20, 2, generator=torch.Generator().manual_seed(0)) * TAU
Y = X[:, 0].sin() + 2
MODEL = mlp([2, 4, 1])


@pytest.mark.parametrize(
    ("error", "named", "call"),
    [
        (TypeError, "modes", lambda: SpectralMonitor(X, Y, 8, method="frequencies")),
        (ValueError, "direction", lambda: SpectralMonitor(X, Y, 8, direction=X[0])),
        (ValueError, "direction", lambda: SpectralMonitor(X, Y, 8, method="projection", direction=Y)),
        (ValueError, "bands", lambda: SpectralMonitor(X, Y, (8, 8), bands=[(2, 1)])),
        (ValueError, "bands", lambda: SpectralMonitor(X, Y, (8, 8), bands=[(50, 60)])),
        (TypeError, "bands", lambda: SpectralMonitor(X, Y, (8, 8), bands=[3])),
        (ValueError, "modes", lambda: SpectralMonitor(X, Y, -Y, method="filter")),
        (TypeError, "modes", lambda: SpectralMonitor(X, Y, 8, method="filter")),
        (ValueError, "target", lambda: SpectralMonitor(X, torch.ones(19).long(), 8, logits=True)),
        (ValueError, "y", lambda: fs.measure.projection(X, Y[1:], Y)),
        (ValueError, "k", lambda: fs.measure.projection(X, Y, X)),
        (ValueError, "k", lambda: fs.measure.alias_report(X, Y, X, Y, torch.ones(3, 4))),
        (TypeError, "k", lambda: fs.measure.alias_report(X, Y, X, Y, X + 0j)),
        (ValueError, "k", lambda: fs.measure.alias_report(X, Y, X, Y, X / 0)),
        (TypeError, "k", lambda: fs.measure.projection(X, Y, Y + 0j)),
        (TypeError, "direction", lambda: fs.measure.projection(X, Y, Y, X[0] + 0j)),
        (TypeError, "modes", lambda: fs.measure.ntk_rates(MODEL, X, X + 0j)),
        (TypeError, "modes", lambda: fs.measure.ntk_rates(MODEL, X, X > 0)),
        (ValueError, "modes", lambda: fs.measure.ntk_rates(MODEL, X, X / 0)),
        (TypeError, "rates", lambda: fs.measure.decay_exponent(Y + 0j, Y)),
        (TypeError, "k", lambda: fs.measure.decay_exponent(Y, Y + 0j)),
        (ValueError, "x_train", lambda: fs.measure.alias_report(X[:, 0], Y, X, Y, Y)),
        (TypeError, "model", lambda: fs.measure.ntk_rates(torch.sin, X, 4)),
        (ValueError, "model", lambda: fs.measure.ntk_rates(nn.Tanh(), X, 4)),
        (ValueError, "modes", lambda: fs.measure.ntk_rates(MODEL, X, (4, 4, 4))),
        (ValueError, "samples", lambda: fs.measure.ntk_rates(MODEL, X, (4, 4), samples=0)),
        (ValueError, "k", lambda: fs.measure.decay_exponent(Y, torch.ones(20))),
        (ValueError, "rates", lambda: fs.measure.decay_exponent(-Y, Y)),
    ],
)
def test_bad_arguments_are_named(error, named, call):
    with pytest.raises(error, match=rf"^{named}: "):
        call()
