import copy
import math

import pytest
import torch
from torch import nn

import fastspec as fs
import fastspec.nn as fsnn
from fastspec.nn.grouped import GroupedMLP


def test_activations_follow_their_formulas():
    x = torch.linspace(-1, 4, 501, dtype=torch.float64)
    inside = (x > 0) & (x < 1)
    torch.testing.assert_close(fsnn.srelu(x), torch.where(inside, x * (1 - x), torch.zeros_like(x)))
    spline = torch.where(x < 1, x**2, torch.where(x < 2, -2 * x**2 + 6 * x - 3, (3 - x) ** 2))
    torch.testing.assert_close(fsnn.phi(x), torch.where((x > 0) & (x < 3), spline, torch.zeros_like(x)))


def test_grouped_networks_equal_separate_ones():
    grouped = GroupedMLP(3, 2, 4, 8, 2, "tanh")
    x = torch.randn(3, 5, 2)
    for g in range(3):
        h = x[g]
        for i, (weight, bias) in enumerate(zip(grouped.weights, grouped.biases, strict=True)):
            h = (h.tanh() if i else h) @ weight[g] + bias[g]
        torch.testing.assert_close(grouped(x)[g], h)


def test_fourier_features_are_cosines_and_sines_of_their_projections():
    features = fsnn.FourierFeatures(2, 16, sigma=3.0)
    x = torch.randn(7, 5, 2)
    phase = 2 * math.pi * x @ features.B.mT
    torch.testing.assert_close(features(x), torch.cat([phase.cos(), phase.sin()], -1))
    assert features.out_features == 32 and features(x.double()).dtype == torch.float64
    assert not list(features.parameters()) and "B" in features.state_dict()


def test_sigma_sets_the_spread_of_frequencies():
    torch.manual_seed(0)
    spread = fsnn.FourierFeatures(2, 20000, sigma=(3.0, 0.5)).B.std(0)
    torch.testing.assert_close(spread, torch.tensor([3.0, 0.5]), rtol=0.03, atol=0)


@pytest.mark.parametrize(
    ("scales", "expected"), [("linear", [1, 2, 3]), ("exponential", [1, 2, 4]), ([1.5, 7.0], [1.5, 7.0])]
)
def test_mscale_sums_subnetworks_of_scaled_inputs(scales, expected):
    model = fsnn.MscaleMLP(2, 3, n_scales=3, scales=scales, width=8, depth=1, activation="phi")
    x = torch.rand(4, 5, 2)
    total = 0
    for i, a in enumerate(expected):
        first, second = model.subnetworks.weights
        b1, b2 = model.subnetworks.biases
        total = total + fsnn.phi(a * x @ first[i] + b1[i]) @ second[i] + b2[i]
    torch.testing.assert_close(model(x), total)


def test_phase_mlp_is_its_equation():
    shifts = torch.tensor([[1.0, 2.0], [-3.0, 0.5]])
    mean, scale = torch.tensor([5.0, 6.0]), torch.tensor([2.0, 4.0])
    model = fsnn.PhaseMLP(shifts, 3, width=8, x_mean=mean, x_scale=scale, y_mean=7.0, y_scale=0.5)
    x = 10 * torch.rand(6, 4, 2)
    flat = x.reshape(-1, 2)
    standard = ((flat - mean) / scale)[None]
    total = model.constant(standard)[0]
    for m, shift in enumerate(shifts):
        a, b = model.envelopes(standard)[m].split(3, -1)
        phase = ((flat - mean) @ shift)[:, None]
        total = total + a * phase.cos() + b * phase.sin()
    torch.testing.assert_close(model(x), (7 + 0.5 * total).reshape(6, 4, 3))
    torch.testing.assert_close(model.frequencies, shifts / (2 * math.pi))


@pytest.mark.parametrize(
    "model",
    [fsnn.FourierFeatures(1, 4), fsnn.MscaleMLP(1, 2, width=4), fsnn.PhaseMLP([1.0, 2.0], 2), fsnn.PhaseMLP([], 2)],
)
def test_a_vector_of_points_is_a_column(model):
    x = torch.rand(9)
    torch.testing.assert_close(model(x), model(x[:, None]))
    assert model(x).shape[0] == 9 and model(x).ndim == 2


@pytest.mark.parametrize("model", [fsnn.MscaleMLP(1, width=4), fsnn.PhaseMLP([1.0, 2.0], width=4)])
def test_every_parameter_learns(model):
    model(torch.rand(50, 1)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def seasons(dtype=torch.float32):
    """A slow rise and two seasonal cycles, with a gap, decades from zero."""
    x = torch.linspace(1990, 2000, 700, dtype=torch.float64)
    x = torch.cat([x[:200], x[260:]])
    late = (x - 1990) / 10
    y = 350 + 20 * late**2 + 3 * torch.sin(2 * math.pi * x) + 0.8 * torch.sin(4 * math.pi * x + 1)
    return x.to(dtype), y.to(dtype)


def test_from_data_finds_shifts_and_standardisation():
    x, y = seasons(torch.float64)
    model = fsnn.PhaseMLP.from_data(x, y, 2)
    assert model.frequencies.flatten().tolist() == pytest.approx([1, 2], abs=3e-3)
    assert model.shifts.flatten().tolist() == pytest.approx([2 * math.pi, 4 * math.pi], abs=2e-2)
    assert next(model.parameters()).dtype == torch.float64
    assert model.x_mean.item() == pytest.approx(x.mean().item(), rel=1e-6)
    assert model.y_scale.item() == pytest.approx(y.std().item(), rel=1e-6)
    assert fsnn.PhaseMLP.from_data(x, y, 0)(x).shape == (len(x), 1)


def test_from_data_learns_raw_data_soon():
    torch.manual_seed(0)
    x, y = seasons()
    model = fsnn.PhaseMLP.from_data(x, y, n_frequencies=2)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(150):
        loss = nn.functional.mse_loss(model(x), y[:, None]) / y.var()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    # The seasons are 3 ppm in amplitude: a network without them cannot go below 2.
    assert (model(x)[:, 0] - y).square().mean().sqrt() < 0.6


def test_from_data_takes_planes_and_channels():
    torch.manual_seed(0)
    x = 4 * torch.rand(1500, 2)
    y = torch.stack([(2 * math.pi * (1.5 * x[:, 0] - 2 * x[:, 1])).sin(), x[:, 0]], 1)
    model = fsnn.PhaseMLP.from_data(x, y, 1, max_frequency=4.0)
    assert model.frequencies[0].tolist() == pytest.approx([1.5, -2.0], abs=1e-3)
    assert model(x).shape == (1500, 2)


# --- adaptive activations ---


@pytest.mark.parametrize("features", [None, 5])
def test_adaptive_activation_starts_as_the_plain_one(features):
    module = fsnn.AdaptiveActivation("tanh", n=20.0, features=features)
    x = torch.randn(3, 5)
    torch.testing.assert_close(module(x), x.tanh())
    with torch.no_grad():
        module.a.mul_(3)
    torch.testing.assert_close(module(x), (3 * x).tanh())
    assert module.a.shape == (() if features is None else (5,))


def test_adaptive_slope_moves_with_the_square_of_n():
    """A step in a moves the slope n a by n times the gradient, itself n times larger."""
    x = torch.linspace(-1, 1, 50)
    moved = {}
    for n in (1.0, 10.0):
        module = fsnn.AdaptiveActivation("tanh", n=n)
        (module(x) - (2 * x).tanh()).square().mean().backward()
        moved[n] = n * module.a.grad.item()
    assert moved[10.0] == pytest.approx(100 * moved[1.0], rel=1e-4)


def test_rowdy_is_its_sum_and_starts_as_the_plain_one():
    module = fsnn.Rowdy("tanh", terms=3, n=2.0, features=4)
    x = torch.randn(7, 4)
    torch.testing.assert_close(module(x), x.tanh())
    with torch.no_grad():
        module.alpha.normal_()
        module.omega.normal_()
    a, w = module.alpha, module.omega
    want = a[0] * (w[0] * x).tanh() + a[1] * 2 * (2 * w[1] * x).sin() + a[2] * 2 * (4 * w[2] * x).sin()
    torch.testing.assert_close(module(x), want)


# --- SIREN ---


def test_sine_layers_keep_their_distribution_with_depth():
    """Standard normal before each sine and arcsine-distributed after, of variance one half, as SIREN's theorem says."""
    torch.manual_seed(0)
    h = fsnn.SineLayer(1, 512, omega=30.0, first=True)(2 * torch.rand(1000, 1) - 1)
    for _ in range(4):
        layer = fsnn.SineLayer(512, 512, omega=30.0)
        inner = 30 * nn.functional.linear(h, layer.weight)
        assert inner.std().item() == pytest.approx(1, abs=0.1)
        h = layer(h)
        assert h.var().item() == pytest.approx(0.5, abs=0.05)


def test_sine_layer_is_its_equation():
    layer = fsnn.SineLayer(3, 8, omega=7.0, first=True)
    x = torch.randn(2, 5, 3)
    torch.testing.assert_close(layer(x), (7 * (x @ layer.weight.mT + layer.bias)).sin())
    assert layer.weight.abs().max() <= 1 / 3


# --- scales from data ---


def two_lines(d=1):
    gen = torch.Generator().manual_seed(0)
    x = 4 * torch.rand(1500, d, generator=gen)
    k = torch.tensor([[1.0, 6.0]] if d == 1 else [[1.0, 0.0], [2.0, 5.0]]).reshape(d, -1)
    return x, (2 * math.pi * x @ k).sin().sum(1) + 0.01 * torch.randn(1500, generator=gen)


def test_scales_come_from_the_frequencies_of_the_data():
    torch.manual_seed(0)
    x, y = two_lines()
    assert fsnn.SineLayer.from_data(x, y, 16).omega == pytest.approx(2 * math.pi * 6, rel=1e-3)
    assert fsnn.FourierFeatures.from_data(x, y, 20000).B.std().item() == pytest.approx(math.sqrt(18.5), rel=0.02)
    scales = fsnn.MscaleMLP.from_data(x, y, width=4).scales
    assert scales[0].item() == pytest.approx(0.25, rel=0.01) and scales[-2] < 6 <= scales[-1]
    torch.testing.assert_close(scales[1:], 2 * scales[:-1])


def test_bandwidth_is_found_for_each_axis():
    torch.manual_seed(0)
    x, y = two_lines(2)  # the lines (1, 2) and (0, 5)
    spread = fsnn.FourierFeatures.from_data(x, y, 20000, n_lines=2, max_frequency=8.0).B.std(0)
    torch.testing.assert_close(spread, torch.tensor([math.sqrt(0.5), math.sqrt(14.5)]), rtol=0.03, atol=0)


# --- polynomial networks ---


@pytest.mark.parametrize("degree", [1, 2, 4])
def test_polynet_is_a_polynomial_of_its_degree(degree):
    torch.manual_seed(0)
    model = fsnn.PolyNet(3, 2, width=16, degree=degree).double()
    origin, direction = torch.randn(2, 3, dtype=torch.float64)
    line = model(origin + torch.arange(degree + 2, dtype=torch.float64)[:, None] * direction)
    differences = line
    for _ in range(degree):
        differences = differences.diff(dim=0)
    assert differences.abs().max() > 1e-6
    torch.testing.assert_close(differences.diff(dim=0), torch.zeros(1, 2, dtype=torch.float64), rtol=0, atol=1e-10)


def test_polynet_is_its_recursion():
    model = fsnn.PolyNet(2, width=8, degree=3, activation="relu")
    z = torch.randn(5, 2)
    u = [
        torch.relu(z @ w.mT + b)
        for w, b in zip(model.factors.weight.split(8), model.factors.bias.split(8), strict=True)
    ]
    x = u[0]
    for factor in u[1:]:
        x = factor * x + x
    torch.testing.assert_close(model(z), x @ model.output.weight.mT + model.output.bias)


# --- broad learning ---


@pytest.mark.parametrize("batch", [7, 1000])
def test_broad_learning_solves_the_ridge_problem(batch):
    torch.manual_seed(0)
    model = fsnn.BroadLearning(2, 3, feature_nodes=8, enhancement_nodes=12, ridge=1e-3).double()
    x, y = torch.randn(60, 2, dtype=torch.float64), torch.randn(60, 3, dtype=torch.float64)
    a = model.features(x)
    dense = torch.linalg.solve(a.mT @ a + 1e-3 * torch.eye(20, dtype=torch.float64), a.mT @ y)
    torch.testing.assert_close(model.fit(x, y, batch=batch).weight, dense, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(model(x), a @ dense)


def test_broad_learning_improves_as_it_grows_from_low_frequencies_to_high():
    torch.manual_seed(0)
    x = torch.linspace(-1, 1, 400, dtype=torch.float64)
    waves = torch.stack([(2 * x).sin(), (12 * x).sin()], 1)
    model = fsnn.BroadLearning(1, feature_nodes=10, enhancement_nodes=0, scale=4.0).double()
    errors = []
    for nodes in (0, 30, 200):
        old = model.enhancement_weight
        model.grow(nodes).fit(x, waves.sum(1))
        assert torch.equal(model.enhancement_weight[:, : old.shape[1]], old)
        rest = waves.sum(1) - model(x)[:, 0]
        errors.append((waves * rest[:, None]).mean(0).abs() / waves.square().mean(0))
    assert errors[0][0] < 0.01 < 0.1 < errors[0][1]
    assert errors[2][1] < 0.05 * errors[0][1]


# --- deep frequency filter ---


def set_mask(module, value):
    """The mask at that number for every frequency."""
    with torch.no_grad():
        module.attention.weight.zero_()
        module.attention.bias.fill_(value)


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (1, 5)])
def test_a_mask_of_ones_is_the_identity(size):
    x = torch.randn(2, 3, *size)
    module = fsnn.DeepFrequencyFilter(3, embed=False)
    set_mask(module, 50.0)
    torch.testing.assert_close(module(x), x)
    set_mask(module, 0.0)
    torch.testing.assert_close(module(x), x / 2)


def test_frequency_filter_is_its_equation():
    torch.manual_seed(0)
    module = fsnn.DeepFrequencyFilter(3).eval()
    x = torch.randn(2, 3, 8, 9)
    f = torch.fft.rfft2(x, norm="ortho")
    conv, norm, _ = module.embedding
    e = torch.relu(norm(torch.einsum("oc,bchw->bohw", conv.weight[:, :, 0, 0], torch.cat([f.real, f.imag], 1))))
    pooled = torch.stack([e.mean(1), e.max(1).values], 1)
    mask = torch.sigmoid(nn.functional.conv2d(pooled, module.attention.weight, module.attention.bias, padding=3))
    want = torch.fft.irfft2(mask * (e[:, :3] + 1j * e[:, 3:]), s=(8, 9), norm="ortho")
    torch.testing.assert_close(module(x), want)
    assert fsnn.DeepFrequencyFilter(3)(x.bfloat16()).dtype == torch.bfloat16


def test_the_mask_is_of_the_instance():
    torch.manual_seed(0)
    module = fsnn.DeepFrequencyFilter(3, embed=False).eval()
    x = torch.randn(2, 3, 8, 8)
    ratio = torch.fft.rfft2(module(x)).abs() / torch.fft.rfft2(x).abs()
    torch.testing.assert_close(ratio[:, 0], ratio[:, 1], rtol=1e-3, atol=1e-4)  # one mask for all channels
    assert (ratio[0] - ratio[1]).abs().max() > 1e-3 and ratio.max() < 1


# --- multi-stage networks ---


@pytest.fixture(scope="module")
def stages():
    """Two stages on a smooth function, and the relative error after each."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x = torch.linspace(2, 4, 200, dtype=torch.float64)[:, None]
    y = (2 * x).sin() + 0.1 * (1.3 * (x - 3)).exp() * (5 * x).cos()
    model, errors = fsnn.MultiStage(1, width=16, depth=2).double(), []
    for _ in range(2):
        parameters = model.add_stage(x, y)
        options = {"max_iter": 300, "history_size": 50, "tolerance_grad": 0, "tolerance_change": 0}
        optimizer = torch.optim.LBFGS(parameters, line_search_fn="strong_wolfe", **options)

        def closure(optimizer=optimizer):
            optimizer.zero_grad()
            loss = model.loss(x, y)
            loss.backward()
            return loss

        optimizer.step(closure)
        errors.append(((model(x) - y).norm() / y.norm()).item())
    torch.set_num_threads(before)
    return model, x, y, errors


def test_a_second_stage_takes_orders_of_magnitude_off(stages):
    """The paper's claim: the error falls by orders of magnitude with each stage, where training on would stall."""
    *_, errors = stages
    assert errors[0] < 1e-2 and errors[1] < errors[0] / 20


def test_a_stage_has_the_residuals_size_and_frequency(stages):
    model, x, y, errors = stages
    first, second = model.stages
    assert first.size.item() == pytest.approx(y.square().mean().sqrt().item())
    assert second.size.item() == pytest.approx(errors[0] * first.size.item(), rel=1e-6)
    residual = (y - first.size * first(x - 3)) / second.size  # the points' middle is 3, half their extent 1
    spectrum = fs.nufft1(x - 3, residual.mT, 401, period=8.0)[0].abs()  # wavenumbers by 1/8 cycle per unit
    strongest = (spectrum.argmax().item() - 200) / 8
    assert second.kappa.item() == pytest.approx(2 * math.pi * abs(strongest), rel=0.15)
    assert second.periodic and not first.periodic
    assert not any(p.requires_grad for p in first.parameters()) and all(p.requires_grad for p in second.parameters())


def test_the_loss_of_a_stage_is_of_order_one(stages):
    model, x, y, errors = stages
    extended = copy.deepcopy(model)
    extended.add_stage(x, y)
    for parameter in extended.stages[-1].rest[-1].parameters():
        nn.init.zeros_(parameter)
    assert extended.loss(x, y).item() == pytest.approx(1)
    torch.testing.assert_close(extended(x), model(x))


def test_state_of_stages_and_of_grown_nodes_is_taken_over(stages):
    model, x, *_ = stages
    other = fsnn.MultiStage(1, width=16, depth=2).double()
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other(x), model(x))
    broad = fsnn.BroadLearning(1, enhancement_nodes=5).grow(7).double().fit(x, x.sin())
    other = fsnn.BroadLearning(1, enhancement_nodes=5).double()
    other.load_state_dict(broad.state_dict())
    torch.testing.assert_close(other(x), broad(x))


# --- all modules ---

MODULES = [
    (lambda: fsnn.AdaptiveActivation("sin", features=4), (6, 4)),
    (lambda: fsnn.Rowdy("phi", features=4), (6, 4)),
    (lambda: fsnn.FourierFeatures(2, 8), (6, 2)),
    (lambda: fsnn.SineLayer(2, 8, first=True), (6, 2)),
    (lambda: fsnn.MscaleMLP(2, width=4), (6, 2)),
    (lambda: fsnn.PhaseMLP(torch.ones(2, 5), width=4), (6, 5)),  # any dimension
    (lambda: fsnn.PolyNet(2, width=4), (6, 2)),
    (lambda: fsnn.BroadLearning(2).fit(torch.rand(9, 2), torch.rand(9)), (6, 2)),
    (lambda: fsnn.DeepFrequencyFilter(2), (2, 2, 3, 4)),
    (lambda: fsnn.MultiStage(2), (6, 2)),
]


@pytest.mark.parametrize(("make", "shape"), MODULES, ids=lambda value: "" if callable(value) else str(value))
def test_modules_are_copied_saved_and_differentiated(make, shape, tmp_path):
    torch.manual_seed(0)
    model, other = make(), make()
    x = torch.rand(shape, dtype=torch.float64)
    if isinstance(model, fsnn.MultiStage):
        model.add_stage(x.float(), torch.rand(6))
    torch.save(model.state_dict(), tmp_path / "state.pt")
    other.load_state_dict(torch.load(tmp_path / "state.pt"))
    y = model(x.float())
    torch.testing.assert_close(other(x.float()), y)
    torch.testing.assert_close(copy.deepcopy(model)(x.float()), y)
    assert repr(model)
    model = model.double()
    assert torch.autograd.gradcheck(model, x.requires_grad_())
    parameters = [p for p in model.parameters() if p.requires_grad]
    if parameters:
        grads = torch.autograd.grad(model(x).square().sum(), parameters)
        assert all(g.isfinite().all() for g in grads) and any(g.abs().sum() > 0 for g in grads)


def test_state_dict_carries_everything():
    x, y = seasons()
    model = fsnn.PhaseMLP.from_data(x, y, 2)
    other = fsnn.PhaseMLP([0.0, 0.0])
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other(x), model(x))


@pytest.mark.parametrize(
    ("error", "named", "call"),
    [
        (ValueError, "in_features", lambda: fsnn.FourierFeatures(0)),
        (TypeError, "n_frequencies", lambda: fsnn.FourierFeatures(1, 2.5)),
        (ValueError, "sigma", lambda: fsnn.FourierFeatures(1, sigma=-1.0)),
        (ValueError, "sigma", lambda: fsnn.FourierFeatures(3, sigma=(1.0, 2.0))),
        (ValueError, "x", lambda: fsnn.FourierFeatures(3)(torch.rand(5, 2))),
        (TypeError, "x", lambda: fsnn.FourierFeatures(3)(torch.ones(5, 3, dtype=torch.long))),
        (ValueError, "scales", lambda: fsnn.MscaleMLP(1, scales="cubic")),
        (ValueError, "scales", lambda: fsnn.MscaleMLP(1, scales=[1.0, 0.0])),
        (ValueError, "n_scales", lambda: fsnn.MscaleMLP(1, n_scales=0)),
        (ValueError, "width", lambda: fsnn.MscaleMLP(1, width=0)),
        (ValueError, "activation", lambda: fsnn.MscaleMLP(1, activation="step")),
        (ValueError, "x", lambda: fsnn.MscaleMLP(2)(torch.rand(5))),
        (ValueError, "shifts", lambda: fsnn.PhaseMLP(torch.rand(2, 2, 2))),
        (TypeError, "shifts", lambda: fsnn.PhaseMLP(torch.tensor([1j]))),
        (ValueError, "x_scale", lambda: fsnn.PhaseMLP([1.0], x_scale=0.0)),
        (ValueError, "y_mean", lambda: fsnn.PhaseMLP([1.0], 2, y_mean=torch.rand(3))),
        (ValueError, "n", lambda: fsnn.AdaptiveActivation(n=0.5)),
        (ValueError, "activation", lambda: fsnn.AdaptiveActivation("step")),
        (ValueError, "terms", lambda: fsnn.Rowdy(terms=1)),
        (TypeError, "features", lambda: fsnn.Rowdy(features=1.5)),
        (ValueError, "omega", lambda: fsnn.SineLayer(1, 2, omega=0.0)),
        (ValueError, "x", lambda: fsnn.SineLayer(2, 2)(torch.rand(5, 3))),
        (ValueError, "x", lambda: fsnn.SineLayer.from_data(torch.rand(50, 4), torch.rand(50), 8)),
        (ValueError, "degree", lambda: fsnn.PolyNet(1, degree=0)),
        (ValueError, "ridge", lambda: fsnn.BroadLearning(1, ridge=-1.0)),
        (ValueError, "scale", lambda: fsnn.BroadLearning(1, scale=0.0)),
        (ValueError, "enhancement_nodes", lambda: fsnn.BroadLearning(1).grow(-1)),
        (ValueError, "y", lambda: fsnn.BroadLearning(1).fit(torch.rand(5), torch.rand(4))),
        (ValueError, "kernel_size", lambda: fsnn.DeepFrequencyFilter(3, kernel_size=4)),
        (ValueError, "x", lambda: fsnn.DeepFrequencyFilter(3)(torch.rand(2, 4, 8, 8))),
        (ValueError, "stages", lambda: fsnn.MultiStage(1).loss(torch.rand(5), torch.rand(5))),
        (ValueError, "y", lambda: fsnn.MultiStage(1).add_stage(torch.rand(5), torch.rand(4))),
        (ValueError, "y", lambda: fsnn.MultiStage(1).add_stage(torch.rand(5), torch.zeros(5))),
        (TypeError, "n_frequencies", lambda: fsnn.PhaseMLP.from_data(torch.rand(50), torch.rand(50), 1.5)),
        (ValueError, "y", lambda: fsnn.PhaseMLP.from_data(torch.rand(50), torch.rand(40))),
    ],
)
def test_bad_arguments_are_named(error, named, call):
    with pytest.raises(error, match=rf"^{named}: "):
        call()


@pytest.mark.parametrize("d", [1, 2])
def test_reflected_models_are_even_about_both_ends_and_the_model_between(d):
    model, low, high = nn.Linear(d, 1).double(), [0.5, -1.0][:d], [2.0, 3.0][:d]
    even = fsnn.Reflected(model, low, high)
    low, period = torch.tensor(low).double(), torch.tensor(even.period).double()
    x = low + torch.rand(9, d).double() * period / 2
    torch.testing.assert_close(even(x), model(x))
    torch.testing.assert_close(even(x + 3 * period), model(x))
    mirrored = even.points(x)
    assert mirrored.shape == (9 * 2**d, d) and len(mirrored.unique(dim=0)) == 9 * 2**d
    torch.testing.assert_close(mirrored[:9], x)
    torch.testing.assert_close(even(mirrored), even.values(model(x)))
    flat = fsnn.Reflected(nn.Identity(), 0.0, 1.0)
    torch.testing.assert_close(flat.points(torch.tensor([0.2, 0.7])), torch.tensor([0.2, 0.7, -0.2, -0.7]))
    with pytest.raises(ValueError, match="^high: "):
        fsnn.Reflected(model, 1.0, 1.0)
    with pytest.raises(ValueError, match="^x: "):
        even.points(torch.rand(4, 3))
