"""How many steps a line still needs, from what a trial left of it."""

import math

from .trial import STEPS, Trial

THRESHOLD = 0.1
# log(steps left) = _LEVEL - _OF_RATE log(rate per step) + _OF_ERROR log(error / 10 %): the likeliest, some being
# censored, over the 134 lines of six tasks, four kinds of network and three rates that had not come in 200 steps
_LEVEL, _OF_RATE, _OF_ERROR = 3.98, 0.437, 1.04
FACTOR = 2.1  # one standard deviation of the prediction, both ways, where it was not fitted: studies/diagnosis.py
_MOST = 1e7


def predicted_steps(trial: Trial) -> list[float]:
    """Steps to 10 % error of each frequency: counted where the trial has them, else predicted."""
    left = [error.item() for error in trial.errors[-1]]
    return [
        float(step) if step is not None else STEPS + _steps_left(rate, error)
        for step, rate, error in zip(trial.reached(THRESHOLD), trial.rates.tolist(), left, strict=True)
    ]


def _steps_left(rate: float, error: float) -> float:
    if not rate > 0:
        return _MOST
    log = _LEVEL - _OF_RATE * math.log(rate) + _OF_ERROR * math.log(max(error, THRESHOLD) / THRESHOLD)
    return min(math.exp(log), _MOST)
