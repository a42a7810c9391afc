"""What a page recommends: a diagnosis of the model, or where there is none, of a plain network in its place."""

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from .._box import period_of
from ..diagnosis import Diagnosis, diagnose
from ..measure.labels import rounded
from ..measure.spectrum import Spectrum
from ..nn.retune import chosen_kind
from ..nn.standard import InUnits, Standard

_WIDTH = 64


def of_model(model: Any, x: Tensor, y: Tensor, found: Spectrum) -> Diagnosis | None:
    """None of what cannot be trained, and where the data have no line."""
    trained = isinstance(model, nn.Module) and any(p.requires_grad for p in model.parameters())
    if not trained or not len(found.peaks):
        return None
    parameter = next(p for p in model.parameters() if p.requires_grad)
    return diagnose(model, x.to(parameter), y.to(parameter), frequencies=found.peaks.frequency)


def of_data(x: Tensor, y: Tensor, found: Spectrum) -> Diagnosis | None:
    """Of a plain tanh network on standardised data, with code for these data in place of that for the network."""
    if not len(found.peaks):
        return None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = [nn.Linear(x.shape[1], _WIDTH), nn.Tanh(), nn.Linear(_WIDTH, _WIDTH), nn.Tanh()]
        last = InUnits(nn.Linear(_WIDTH, y.shape[1]), Standard(y.shape[1]).fit_values(y))
        told = of_model(nn.Sequential(Standard(x.shape[1]).fit(x), *net, last), x, y, found)
    if told is None:
        return None
    reason = f"A plain tanh network (two layers of {_WIDTH} units, standardised data, Adam at 1e-3): {told.reason}"
    return replace(told, reason=f"{reason}. {_box(x, found)}", code=code_of(told, x, y, found))


def _box(x: Tensor, found: Spectrum) -> str:
    """The period that has no seam, and how many modes hold the lines."""
    period, highest = period_of("data", x), found.peaks.frequency.abs().amax(0).tolist()
    modes = [2 * math.ceil(f * p) + 1 for f, p in zip(highest, period, strict=True)]
    box, counts = (" x ".join(parts) for parts in (rounded(period), map(str, modes)))
    return f'The box that these points fill, period="data", is {box} long; {counts} modes hold all lines'


def code_of(told: Diagnosis, x: Tensor, y: Tensor, found: Spectrum) -> str:
    """For data (M, d) and (M, C), whose lines were found, to go with a recommendation."""
    reach = f", max_frequency={float(found.peaks.max_frequency.max()):.6g}"
    kind = "plain" if told.recommendation == "train" else chosen_kind(x, y, found.peaks)
    lines = _LINES if told.recommendation == "no network" else ""
    d, channels = found.peaks.frequency.shape[1], found.peaks.residual.shape[1]
    return (lines + _NETWORKS[kind] + _TRAINING).format(reach=reach, d=d, channels=channels)


_LINES = """\
lines = fs.spectrum(x, y{reach}).peaks  # frequency, amplitude, phase: all there is, without a network; or
"""
_NETWORKS = {
    "plain": """\
model = torch.nn.Sequential(torch.nn.Linear({d}, 64), torch.nn.Tanh(), torch.nn.Linear(64, {channels})).to(x)
model = fs.nn.retune(model, x, y{reach})  # data standardised inside
""",
    "phases": """\
model = fs.nn.PhaseMLP.from_data(x, y{reach})  # or your own: fs.nn.retune(model, x, y{reach})
""",
    "features": """\
features = fs.nn.FourierFeatures.from_data(x, y{reach})  # or your own: fs.nn.retune(model, x, y{reach})
model = torch.nn.Sequential(features, torch.nn.Linear(features.out_features, 128), torch.nn.Tanh())
model.append(torch.nn.Linear(128, {channels}))
""",
}
_TRAINING = """\
model, optimizer = model.to(x), torch.optim.Adam(model.parameters(), 1e-2)
frequency, mean = fs.spectrum(x, y{reach}).peaks.frequency, y.mean(0)
monitor = fs.SpectralMonitor(x, y - mean, None, period=1.0, peaks=frequency)
for step in range(300):
    h = model(x)  # as y, (M, C)
    monitor.update(step, h - mean)
    optimizer.zero_grad()
    (h - y).square().mean().backward()
    optimizer.step()
"""
