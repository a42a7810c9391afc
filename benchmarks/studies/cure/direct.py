"""Without a network: what says where none was needed."""

import math

import numpy as np
import torch
from scipy.interpolate import LinearNDInterpolator, NearestNDInterpolator
from torch import Tensor, nn

import fastspec as fs

from .problem import TAU, Data, Setting, Side


class Fit(nn.Module):
    """A function as a module, for the judges."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def lines(data: Data, setting: Setting) -> Fit:
    """Least squares on a cubic trend and the strongest lines, as fs.measure finds them."""
    found = fs.measure.dominant_frequencies(data.x, data.target, data.lines, max_frequency=data.highest)
    middle, scale = data.x.double().mean(0), data.x.double().std(0)

    def basis(x: Tensor) -> Tensor:
        z = (x.double() - middle) / scale
        phase = TAU * (x.double() - middle) @ found.mT
        return torch.cat([torch.ones_like(z[:, :1]), z, z**2, z**3, phase.cos(), phase.sin()], 1)

    amplitudes = torch.linalg.lstsq(basis(data.x), data.target.double()).solution
    return Fit(lambda x: (basis(x) @ amplitudes).to(x))


def min_norm(data: Data, setting: Setting) -> Fit:
    """On a box a quarter larger than the data's, so that the ends need not meet."""
    low, high = data.x.amin(0), data.x.amax(0)
    period = (1.25 * (high - low)).tolist()
    modes = {1: (2047,), 2: (255, 255)}[data.x.shape[1]]
    fit = fs.theory.min_norm_interpolant(
        data.x, data.target[:, 0], setting.swept, modes, period=period, ridge=1e-6, tol=1e-6
    )
    return Fit(lambda x: fit(x)[:, None].to(x))


def linear(data: Data, setting: Setting) -> Fit:
    """SciPy's linear interpolation, and beyond the points' hull the nearest one."""
    x, y = data.x.double().numpy(), data.target.double().numpy()
    if x.shape[1] == 1:
        order = x[:, 0].argsort()
        return Fit(lambda z: torch.tensor(np.interp(z[:, 0].numpy(), x[order, 0], y[order, 0]))[:, None].to(z))
    inside, nearest = LinearNDInterpolator(x, y), NearestNDInterpolator(x, y)

    def function(z: Tensor) -> Tensor:
        found = torch.as_tensor(inside(z.double().numpy()))
        return torch.where(found.isnan(), torch.as_tensor(nearest(z.double().numpy())), found).to(z)

    return Fit(function)


def series(data: Data, setting: Setting) -> Fit:
    return Fit(data.equation.series(data, int(setting.swept)))


def neighbour(data: Data, setting: Setting) -> Fit:
    """The label of the nearest image."""
    classes = int(data.target.max()) + 1

    def function(x: Tensor) -> Tensor:
        labels = data.target[torch.cdist(x, data.x).argmin(1)]
        return 20 * nn.functional.one_hot(labels, classes).to(x)

    return Fit(function)


NO_RATE = (math.nan,)

LINES = Side("least squares on found lines", lines, "none", told="yes", rates=NO_RATE)
MIN_NORM = Side("minimum-norm interpolant", min_norm, "none", rates=NO_RATE, sweep=(2.0, 4.0))
LINEAR = Side("SciPy's linear interpolation", linear, "none", rates=NO_RATE)
SERIES_1D = Side("sine series (spectral method)", series, "none", rates=NO_RATE, sweep=(48.0,))
SERIES_2D = Side("sine series (spectral method)", series, "none", rates=NO_RATE, sweep=(20.0,))
NEIGHBOUR = Side("nearest image", neighbour, "none", rates=NO_RATE)
