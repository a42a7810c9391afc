"""PhaseMLP as a scikit-learn regressor. Imported when it is asked for: it needs scikit-learn."""

import math
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from ..measure.peaks import dominant_frequencies
from .grouped import Activation
from .phase import PhaseMLP

_LEAST_POINTS = 32  # to look for lines in; fewer are as well explained by a curve
_MOST_DIMENSIONS = 3  # that a grid of frequencies can be searched in without being told how far
_FALLEN_TO = 1e-2  # of its rate, at the last step


class PhaseRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Regression of oscillating data by a :class:`fastspec.nn.PhaseMLP`, with the manners of scikit-learn.

    ``fit`` finds the data's lines (:func:`fastspec.measure.dominant_frequencies`), gives each an envelope, a small
    network, and trains them by Adam on the full batch, in double precision and under the mean squared error. Data
    without significant lines are fitted by a plain network. It works in a ``Pipeline`` and under ``GridSearchCV``, but
    needs no scaler: units and origin are taken out.

    Args:
        n_frequencies: number of lines; None for as many as are significant, at most 16.
        max_frequency: search no further than this, in cycles per unit of x; with more than three features no line is
            looked for unless it is given.
        width, depth, activation: of the envelopes.
        steps: of Adam, whose rate falls by a cosine.
        learning_rate: at the first step.
        random_state: of the networks' first weights; an int for the same result each time.

    Attributes:
        model_: the trained PhaseMLP, float64, from x to y in your units.
        frequencies_: ``(n, n_features_in_)``, cycles per unit of x.
        n_features_in_, feature_names_in_: as scikit-learn has them.
        loss_: mean squared error of the standardised values at the last step.
    """

    def __init__(
        self,
        n_frequencies: int | None = None,
        *,
        max_frequency: float | None = None,
        width: int = 32,
        depth: int = 2,
        activation: Activation = "tanh",
        steps: int = 500,
        learning_rate: float = 1e-2,
        random_state: Any = None,
    ) -> None:
        self.n_frequencies = n_frequencies
        self.max_frequency = max_frequency
        self.width = width
        self.depth = depth
        self.activation = activation
        self.steps = steps
        self.learning_rate = learning_rate
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> "PhaseRegressor":
        """From X ``(n, features)`` and y ``(n,)`` or ``(n, outputs)``."""
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, multi_output=True, ensure_min_samples=2)
        self._flat = y.ndim == 1
        x, values = torch.tensor(X), torch.tensor(y, dtype=torch.float64).reshape(len(y), -1)
        seed = check_random_state(self.random_state).randint(2**31)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model_ = self._network(x, values)
        self.frequencies_ = self.model_.frequencies.numpy()
        self.loss_ = self._train(x, values)
        return self

    def predict(self, X: Any) -> Any:
        """``(n,)`` or ``(n, outputs)``, as y was."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        with torch.no_grad():
            values = self.model_(torch.tensor(X)).numpy()
        return values[:, 0] if self._flat else values

    def _network(self, x: Tensor, y: Tensor) -> PhaseMLP:
        scale = {"x_mean": x.mean(0), "x_scale": _or_one(x.std(0)), "y_mean": y.mean(0), "y_scale": _or_one(y.std(0))}
        shifts = 2 * math.pi * self._frequencies(x, y)
        model = PhaseMLP(shifts, y.shape[1], width=self.width, depth=self.depth, activation=self.activation).double()
        for name, value in {"shifts": shifts, **scale}.items():  # as they are, not as float32 has them
            setattr(model, name, value)
        return model

    def _frequencies(self, x: Tensor, y: Tensor) -> Tensor:
        """None of a feature or an output that does not vary."""
        varies, outputs = x.std(0) > 0, y[:, y.std(0) > 0]
        d = int(varies.sum())
        found = x.new_zeros(0, x.shape[1])
        searchable = self.max_frequency is not None or d <= _MOST_DIMENSIONS
        if d == 0 or outputs.shape[1] == 0 or len(x) < _LEAST_POINTS or not searchable:
            return found
        lines = dominant_frequencies(x[:, varies], outputs, self.n_frequencies, max_frequency=self.max_frequency)
        found = x.new_zeros(len(lines), x.shape[1])
        found[:, varies] = lines
        return found

    def _train(self, x: Tensor, y: Tensor) -> float:
        optimizer = torch.optim.Adam(self.model_.parameters(), self.learning_rate)
        rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps, self.learning_rate * _FALLEN_TO)
        loss = x.new_zeros(())
        for _ in range(self.steps):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(self.model_(x) / self.model_.y_scale, y / self.model_.y_scale)
            loss.backward()
            optimizer.step()
            rate.step()
        return loss.item()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _or_one(scale: Tensor) -> Tensor:
    """What is constant has no spread to divide by."""
    return torch.where(scale > 0, scale, torch.ones_like(scale))
