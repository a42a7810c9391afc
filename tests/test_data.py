"""What people hold, arrays, Series, whole numbers and times, is taken by every name that takes data."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import fastspec as fs

GEN = np.random.default_rng(0)
DAYS = np.sort(GEN.choice(2000, 200, replace=False)).astype(np.int64)
VALUES = np.sin(2 * math.pi * DAYS / 100) + 0.1 * GEN.standard_normal(200)
TENSOR, OF = torch.tensor(DAYS).double(), torch.tensor(VALUES)
K = torch.tensor([0.005, 0.01])


def network(d=1):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(d, 8), nn.Tanh(), nn.Linear(8, 1)).double()


def seeded(call):
    torch.manual_seed(0)
    return call()


def loss_of(x, y):
    loss = fs.SpectralLoss(128, x=x, period=3000.0, quadrature=np.full(200, 1 / 200))
    return loss(torch.zeros(200, dtype=torch.float64), OF)


def values_of(model):
    return torch.cat([t.flatten().double() for t in model.state_dict().values()])


COLUMN = torch.nn.Unflatten(0, (-1, 1))  # points (M,) as a network takes them
NAMES = {
    "SpectralLoss": loss_of,
    "ntk_rates": lambda x, y: fs.measure.ntk_rates(nn.Sequential(COLUMN, network()), x, K, period=1.0),
    "kernel_exponent": lambda x, y: torch.tensor(
        fs.measure.kernel_exponent(nn.Sequential(COLUMN, network()), x, 64, period=3000.0, samples=2)
    ),
    "whitening_weight": lambda x, y: fs.precondition.whitening_weight(
        nn.Sequential(COLUMN, network()), x, 64, period=3000.0
    ),
    "check_weight": lambda x, y: torch.tensor(
        fs.precondition.check_weight(nn.Sequential(COLUMN, network()), x, torch.ones(64), period=3000.0)
    ),
    "quadrature": lambda x, y: fs.precondition.quadrature(x, 16, period=3000.0),
    "projection": lambda x, y: fs.measure.projection(x, y, K.numpy(), np.ones(1)),
    "gaussian_filter": lambda x, y: fs.measure.gaussian_filter(x, y, [100.0]),
    "filter_error": lambda x, y: torch.stack(fs.measure.filter_error(x, 0.5 * np.asarray(y), y, [100.0])),
    "alias_report": lambda x, y: fs.measure.alias_report(x, y, x, y, K.numpy(), period=1.0).train,
    "dominant_frequencies": lambda x, y: fs.measure.dominant_frequencies(x, y, 1),
    "min_norm_interpolant": lambda x, y: fs.theory.min_norm_interpolant(x, y, 2.0, 401, period=3000.0).coefficients,
    "diagnose": lambda x, y: fs.diagnose(nn.Sequential(COLUMN, network()), x, y, frequencies=K.numpy()).steps,
    "retune": lambda x, y: values_of(fs.nn.retune(nn.Sequential(COLUMN, network()), x, y)),
    "PhaseMLP": lambda x, y: values_of(fs.nn.PhaseMLP.from_data(x, y)),
    "MscaleMLP": lambda x, y: values_of(fs.nn.MscaleMLP.from_data(x, y)),
    "SineLayer": lambda x, y: values_of(fs.nn.SineLayer.from_data(x, y, 4)),
    "FourierFeatures": lambda x, y: values_of(fs.nn.FourierFeatures.from_data(x, y, 4)),
    "MultiStage": lambda x, y: torch.cat(
        [p.flatten().double() for p in fs.nn.MultiStage(1, 1).double().add_stage(x, y)]
    ),
    "BroadLearning": lambda x, y: (
        fs.nn.BroadLearning(1, 1, feature_nodes=4, enhancement_nodes=4).double().fit(x, y).weight
    ),
}


@pytest.mark.filterwarnings("ignore::fastspec.measure.InsignificantWarning")
@pytest.mark.parametrize("name", NAMES)
def test_arrays_whole_numbers_and_times_are_what_the_tensor_is(name):
    expected = seeded(lambda: NAMES[name](TENSOR, OF))
    times = np.datetime64("1970-01-01") + DAYS.astype("timedelta64[D]")
    for x, y in ((DAYS, VALUES), (torch.tensor(DAYS), OF), (times, VALUES), (list(DAYS), list(VALUES))):
        torch.testing.assert_close(seeded(lambda x=x, y=y: NAMES[name](x, y)), expected)


@pytest.mark.parametrize("name", NAMES)
def test_series_and_their_index_too(name):
    pandas = pytest.importorskip("pandas")
    index = pandas.to_datetime("1970-01-01") + pandas.to_timedelta(DAYS, unit="D")
    expected = seeded(lambda: NAMES[name](TENSOR, OF))
    torch.testing.assert_close(seeded(lambda: NAMES[name](index, pandas.Series(VALUES, index))), expected)


@pytest.mark.parametrize("name", NAMES)
def test_what_holds_no_numbers_is_named(name):
    with pytest.raises(TypeError, match="^x"):
        NAMES[name](np.array(["a"] * 200), VALUES)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: fs.SpectralLoss(16, x=x, period="data"),
        lambda x: fs.measure.ntk_rates(nn.Sequential(COLUMN, network()).float(), x, K, period=1.0),
        lambda x: fs.measure.projection(x, OF, K),
        lambda x: fs.nn.PhaseMLP.from_data(x, OF, 0),
    ],
)
def test_seconds_that_single_precision_cannot_tell_apart_are_warned_of(call):
    seconds = (1.7e9 + 10 * torch.arange(200.0, dtype=torch.float64)).float()
    with pytest.warns(fs.PrecisionWarning, match="neighbours coincide"):
        call(seconds)


def test_a_models_precision_is_that_of_its_parameters():
    model = nn.Sequential(COLUMN, network()).float()
    assert fs.measure.ntk_rates(model, DAYS, K, period=1.0).dtype == torch.float32
    assert fs.diagnose(model, DAYS, VALUES, frequencies=K).steps.isfinite().all()
