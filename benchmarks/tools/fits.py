"""Times, what they were spent on, and the rates that fit them: see costs.py."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from benchmarks.tools.costs import Cost, Rates, total


@dataclass(frozen=True)
class Timed:
    """Nanoseconds, and what they were spent on."""

    cost: Cost
    nanoseconds: float


def fitted(timed: Sequence[Timed], known: Rates = {}) -> Rates:  # noqa: B006  (never written to)
    """Non-negative rates of least relative squares, beside those known."""
    names = [name for name in dict.fromkeys(n for t in timed for n in t.cost) if name not in known]
    shares = np.array([[t.cost.get(name, 0) / t.nanoseconds for name in names] for t in timed])
    left = [1 - sum(known.get(n, 0) * amount for n, amount in t.cost.items()) / t.nanoseconds for t in timed]
    scale = np.abs(shares).max(0)
    return dict(zip(names, nnls(shares / scale, np.array(left))[0] / scale, strict=True))


def misfits(timed: Sequence[Timed], rates: Rates) -> np.ndarray:
    """Each time as the rates have it over the one measured, less 1."""
    return np.array([total(t.cost, rates) / t.nanoseconds - 1 for t in timed])


def residuals(of: str, timed: Sequence[Timed], rates: Rates) -> str:
    found = np.abs(misfits(timed, rates))
    return f"{of} {np.median(found):.0%} and {np.quantile(found, 0.9):.0%}"
