"""Multi-stage networks, and state that grows."""

import copy
import math

import pytest
import torch
from torch import nn

import fastspec as fs
import fastspec.nn as fsnn

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
    assert first.size.item() == pytest.approx((y - y.mean()).square().mean().sqrt().item())
    assert second.size.item() == pytest.approx(errors[0] * y.square().mean().sqrt().item(), rel=1e-6)
    residual = (y - y.mean() - first.size * first(x - 3)) / second.size  # the points' middle is 3, half their extent 1
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
