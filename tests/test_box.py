"""Units: the box of the data, and warnings where points or targets are not in the one that is meant."""

import math
import warnings

import numpy as np
import pytest
import torch

import fastspec as fs
from fastspec.precondition.whitening import check_weight
from fastspec.recipes.mauna_loa import load_co2

TAU = 2 * math.pi


def makers(x, y, period):
    model = torch.nn.Sequential(torch.nn.Linear(1, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)).to(x.dtype)
    h = y.clone().requires_grad_()
    return {
        "SpectralLoss": lambda: fs.SpectralLoss(16, x=x, period=period),
        "SpectralMonitor": lambda: fs.SpectralMonitor(x, y, 32, period=period),
        "ntk_rates": lambda: fs.measure.ntk_rates(model, x[:, None], 4, period=period),
        "kernel_exponent": lambda: fs.measure.kernel_exponent(model, x[:, None], 4, period=period, samples=1),
        "quadrature": lambda: fs.precondition.quadrature(x, 4, period=period),
        "whitening_weight": lambda: fs.precondition.whitening_weight(model, x[:, None], 4, period=period, samples=1),
        "spectral": lambda: fs.precondition.spectral(h, x, torch.ones(4), period=period),
    }


NAMES = list(makers(torch.zeros(3), torch.zeros(3), 1.0))


@pytest.fixture
def unit(gen):
    x = torch.rand(200, generator=gen, dtype=torch.float64)
    return x, (TAU * 3 * x).sin()


@pytest.mark.parametrize("name", NAMES)
def test_points_that_do_not_fill_the_period_are_warned_of(unit, name):
    with pytest.warns(
        fs.PeriodWarning, match=r"spans 0\.99\d*, less than half of the period 6\.28.*period='data' \(here"
    ):
        makers(*unit, TAU)[name]()


@pytest.mark.parametrize("name", NAMES)
def test_data_is_a_period(unit, name):
    with warnings.catch_warnings():
        warnings.simplefilter("error", fs.PeriodWarning)
        makers(*unit, "data")[name]()
    with pytest.raises(ValueError, match="^period: was 'date'"):
        makers(*unit, "date")[name]()


def test_more_than_a_period_is_warned_of():
    with pytest.warns(fs.PeriodWarning, match="spans 2.*, more than the period 1:"):
        fs.SpectralLoss(4, x=torch.linspace(0, 2, 50), period=1.0)


def test_both_ends_of_a_period_are_no_more_than_it():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fs.SpectralLoss(4, x=torch.linspace(-math.pi, math.pi, 50))


def test_the_box_of_a_grid_has_no_seam():
    axes = torch.arange(8) / 8, 5 + torch.arange(20) / 10
    x = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2)
    assert fs.SpectralLoss((4, 4), x=x, period="data").period == pytest.approx((1, 2), rel=1e-5)


def test_a_loss_in_the_datas_box_is_that_of_the_mean_square(gen):
    """Twenty half waves in [0, 1], which a box of 2 pi folds onto a sixth of itself and sees a fraction of."""
    x = torch.rand(400, generator=gen, dtype=torch.float64)
    y, zero = (20 * math.pi * x).sin(), torch.zeros(400, dtype=torch.float64)
    mean = y.square().mean().item()
    assert fs.SpectralLoss(64, x=x, period="data")(zero, y).item() == pytest.approx(mean, rel=0.25)
    with pytest.warns(fs.PeriodWarning), pytest.warns(fs.BandWarning):
        assert fs.SpectralLoss(16, x=x)(zero, y) < 0.2 * mean


def test_the_cycles_of_a_series_in_years_are_found():
    years, ppm = load_co2(torch.device("cpu"))
    monitor = fs.SpectralMonitor(years, ppm[:, 0] - ppm.mean(), 512, period="data")
    assert {1.0, 2.0} <= {round(f, 1) for f in monitor.frequencies.flatten().tolist() if f > 0.5}


def test_all_that_compare_spectra_take_the_datas_box(unit):
    x, y = unit
    k, model = torch.tensor([1, 3]), torch.nn.Sequential(torch.nn.Linear(1, 4), torch.nn.Tanh()).double()
    period = fs.SpectralLoss(4, x=x, period="data").period[0]
    reports = [fs.measure.alias_report(x[::2], y[::2], x, y, k, period=p) for p in ("data", period)]
    assert torch.equal(reports[0].train, reports[1].train) and torch.equal(reports[0].full, reports[1].full)
    weight = fs.weights.sobolev(0.5)
    first, second = (check_weight(model, x[:, None], weight, modes=8, period=p) for p in ("data", period))
    assert first == pytest.approx(second, rel=1e-6)


def test_frequencies_of_the_datas_box_are_the_users(unit):
    x, y = unit
    monitor = fs.SpectralMonitor(44 * x, y, 64, period="data")
    assert monitor.frequencies.flatten().tolist() == pytest.approx([3 / 44], rel=0.01)


def test_a_target_outside_of_the_band_is_warned_of(gen):
    x = torch.rand(1000, generator=gen) * TAU
    loss = fs.SpectralLoss(16, x=x)
    with pytest.warns(fs.BandWarning, match="modes hold [0-3]% of the target's variance"):
        loss(torch.zeros(1000), (40 * x).sin())
    with pytest.warns(fs.BandWarning), pytest.raises(ValueError, match="no spectral peak"):
        fs.SpectralMonitor(x, (40 * x).sin(), 16)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss(torch.zeros(1000), (40 * x).sin())  # once
        fs.SpectralLoss(16, x=x)(torch.zeros(1000), 3 + (4 * x).sin())
        fs.SpectralMonitor(x, (4 * x).sin(), 16)


def test_arrays_are_taken(unit):
    x, y = unit
    monitor = fs.SpectralMonitor(x.numpy(), y.numpy().astype(np.float32), 32, period=1.0)
    monitor.update(0, y.numpy())
    assert monitor.errors.max() < 1e-6
    monitor = fs.SpectralMonitor(torch.arange(100), torch.arange(100) % 2, 100, period=100.0)
    assert monitor.wavenumbers.tolist() == [[0.0], [50.0]]


@pytest.mark.filterwarnings("ignore::fastspec.BandWarning")
def test_any_target_may_be_looked_at(gen):
    """Whose points are not those held, or which is more precise than they are."""
    x = torch.rand(100, generator=gen) * TAU
    some = torch.arange(10)
    fs.SpectralLoss(4, x=x)(torch.zeros(10), x[:10].sin(), index=some)
    fs.SpectralLoss(4, x=x)(torch.zeros(7), x[:7].sin(), x[:7])
    fs.SpectralLoss(4, x=x.double())(torch.zeros(3, 100, 2), torch.rand(3, 100, 2, generator=gen))
    fs.SpectralLoss(4, x=x)(torch.zeros(100) + 0j, x.sin() + 0j)
    fs.SpectralMonitor(x, x.double().sin(), 16)
