"""What holds of all modules: copies, state, derivatives, arguments that are named."""

import copy

import pytest
import torch
from torch import nn

import fastspec.nn as fsnn

# --- all modules ---

POINTS = torch.rand(60, 2, generator=torch.Generator().manual_seed(0))

MODULES = [
    (lambda: fsnn.AdaptiveActivation("sin", features=4), (6, 4)),
    (lambda: fsnn.Rowdy("phi", features=4), (6, 4)),
    (lambda: fsnn.FourierFeatures(2, 8), (6, 2)),
    (lambda: fsnn.Standard(2).fit(POINTS), (6, 2)),
    (lambda: fsnn.SineLayer(2, 8, first=True), (6, 2)),
    (lambda: fsnn.MscaleMLP(2, width=4), (6, 2)),
    (lambda: fsnn.SineLayer.from_data(POINTS, POINTS.square().sum(1), 8, max_frequency=20.0), (6, 2)),
    (lambda: fsnn.Filtered(nn.Linear(2, 3), 1.0, (5, 4), period=2.0), (6, 2)),
    (lambda: fsnn.Reflected(nn.Linear(2, 3), (0.0, -1.0), (2.0, 2.0), odd=(True, False)), (6, 2)),
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


@pytest.mark.parametrize(
    ("error", "named", "call"),
    [
        (ValueError, "features", lambda: fsnn.Standard(0)),
        (ValueError, "x", lambda: fsnn.Standard(2)(torch.rand(5, 3))),
        (ValueError, "x", lambda: fsnn.Standard(1)(torch.rand(5, 3))),
        (ValueError, "x", lambda: fsnn.Standard(2).fit(torch.rand(5, 3))),
        (ValueError, "x", lambda: fsnn.Standard(1).fit(torch.ones(5))),
        (ValueError, "y", lambda: fsnn.Standard(2).fit_values(torch.rand(5))),
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
        (ValueError, "y", lambda: fsnn.SineLayer.from_data(torch.rand(50), torch.ones(50), 8)),
        (ValueError, "y", lambda: fsnn.FourierFeatures.from_data(torch.rand(50), torch.ones(50))),
        (ValueError, "y", lambda: fsnn.MscaleMLP.from_data(torch.rand(50), torch.ones(50))),
        (ValueError, "y", lambda: fsnn.PhaseMLP.from_data(torch.rand(50), torch.full((50, 2), 350.1))),
        (ValueError, "exponent", lambda: fsnn.Filtered(nn.Linear(1, 1), float("nan"), 8)),
        (ValueError, "modes", lambda: fsnn.Filtered(nn.Linear(4, 1), 1.0, (4, 4, 4, 4))),
        (ValueError, "low", lambda: fsnn.Filtered(nn.Linear(1, 1), 1.0, 8, low=(0.0, 1.0))),
        (ValueError, "multiplier", lambda: fsnn.Filtered(nn.Linear(1, 1), 1.0, 8, multiplier=torch.ones(7))),
        (ValueError, "odd", lambda: fsnn.Reflected(nn.Linear(1, 1), 0.0, 1.0, odd=(True, False))),
        (ValueError, "degree", lambda: fsnn.PolyNet(1, degree=0)),
        (ValueError, "ridge", lambda: fsnn.BroadLearning(1, ridge=-1.0)),
        (ValueError, "scale", lambda: fsnn.BroadLearning(1, scale=0.0)),
        (ValueError, "enhancement_nodes", lambda: fsnn.BroadLearning(1).grow(-1)),
        (ValueError, "y", lambda: fsnn.BroadLearning(1).fit(torch.rand(5), torch.rand(4))),
        (ValueError, "kernel_size", lambda: fsnn.DeepFrequencyFilter(3, kernel_size=4)),
        (ValueError, "x", lambda: fsnn.DeepFrequencyFilter(3)(torch.rand(2, 4, 8, 8))),
        (ValueError, "stages", lambda: fsnn.MultiStage(1).loss(torch.rand(5), torch.rand(5))),
        (ValueError, "y", lambda: fsnn.MultiStage(1).add_stage(torch.rand(5), torch.rand(4))),
        (ValueError, "y", lambda: fsnn.MultiStage(1).add_stage(torch.rand(5), torch.full((5,), 350.1))),
        (ValueError, "x", lambda: fsnn.MultiStage(1).add_stage(torch.ones(5), torch.rand(5))),
        (ValueError, "y", lambda: fsnn.BroadLearning(1).fit(torch.rand(5), torch.ones(5))),
        (ValueError, "x", lambda: fsnn.BroadLearning(1).fit(torch.ones(5), torch.rand(5))),
        (TypeError, "n_frequencies", lambda: fsnn.PhaseMLP.from_data(torch.rand(50), torch.rand(50), 1.5)),
        (ValueError, "y", lambda: fsnn.PhaseMLP.from_data(torch.rand(50), torch.rand(40))),
    ],
)
def test_bad_arguments_are_named(error, named, call):
    with pytest.raises(error, match=rf"^{named}: "):
        call()


def test_standard_fills_the_box_whatever_the_units():
    x = 1958 + 43 * torch.rand(50, 1, dtype=torch.float64)
    u = fsnn.Standard(1).fit(x)(x)
    assert u.min().item() == pytest.approx(-1) and u.max().item() == pytest.approx(1)
    torch.testing.assert_close(fsnn.Standard(1).fit(x).undone(u), x)
    assert fsnn.Standard(1).fit(x[:, 0])(x[:, 0]).shape == (50,)
