"""PhaseRegressor: scikit-learn's own checks, and what it is for."""

import pickle
import sys

import numpy as np
import pytest
import torch

import fastspec as fs

sklearn = pytest.importorskip("sklearn")

from sklearn.base import clone  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

SMALL = {"steps": 60, "width": 8, "depth": 1, "learning_rate": 0.05}


def series(n=300):
    """Years and a seasonal series on a trend."""
    x = np.sort(np.random.default_rng(0).uniform(1990, 2010, n))[:, None]
    return x, 350 + 1.5 * (x[:, 0] - 2000) + 3 * np.sin(2 * np.pi * x[:, 0])


@parametrize_with_checks([fs.nn.PhaseRegressor(**SMALL)])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def test_fits_the_seasons_of_years_as_they_are():
    x, y = series()
    model = fs.nn.PhaseRegressor(steps=150, width=16, random_state=0).fit(x[::2], y[::2])
    assert model.frequencies_[0, 0] == pytest.approx(1, abs=2e-3)
    assert model.score(x[1::2], y[1::2]) > 0.99
    assert np.sqrt(np.mean((model.predict(x) - y) ** 2)) < 0.5
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict(x), model.predict(x))


def test_outputs_keep_the_shape_of_y():
    x, y = series(60)
    model = fs.nn.PhaseRegressor(1, **SMALL)
    assert model.fit(x, y).predict(x).shape == (60,)
    assert model.fit(x, y[:, None]).predict(x).shape == (60, 1)
    assert model.fit(x, np.stack([y, 0 * y], 1)).predict(x).shape == (60, 2)
    assert np.allclose(model.predict(x)[:, 1], 0, atol=0.2)


def test_is_cloned_and_searched():
    x, y = series(80)
    model = fs.nn.PhaseRegressor(1, **SMALL, random_state=1)
    assert clone(model).get_params() == model.get_params()
    found = GridSearchCV(model, {"width": [4, 8]}, cv=2).fit(x, y)
    assert found.best_params_["width"] in (4, 8)


def test_leaves_torchs_random_numbers_alone():
    x, y = series(40)
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    fs.nn.PhaseRegressor(0, **SMALL).fit(x, y)
    assert torch.equal(torch.rand(1), expected)


def test_many_features_are_searched_only_as_far_as_told():
    generator = np.random.default_rng(0)
    x = generator.uniform(0, 1, (300, 4))
    y = np.sin(2 * np.pi * 4 * x[:, 0])
    assert len(fs.nn.PhaseRegressor(**SMALL).fit(x, y).frequencies_) == 0
    found = fs.nn.PhaseRegressor(1, max_frequency=5.0, **SMALL).fit(x, y).frequencies_
    assert np.allclose(np.abs(found), [[4, 0, 0, 0]], atol=0.05)


def test_without_scikit_learn_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    monkeypatch.delitem(sys.modules, "fastspec.nn.regressor", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"fastspec-torch\[sklearn\]"):
        fs.nn.PhaseRegressor  # noqa: B018
    with pytest.raises(AttributeError, match="PhaseClassifier"):
        fs.nn.PhaseClassifier  # noqa: B018
