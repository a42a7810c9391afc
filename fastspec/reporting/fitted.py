"""A model for data that come without one: PhaseMLP, with the monitor of its training."""

import torch
from torch import Tensor, nn

from ..measure import SpectralMonitor
from ..measure.spectrum import Spectrum
from ..nn import PhaseMLP

_FALLEN_TO = 1e-2  # of its rate, at the last step
_RECORDS = 200


def fitted(x: Tensor, y: Tensor, found: Spectrum, steps: int) -> tuple[PhaseMLP, SpectralMonitor | None]:
    """Trained on the full batch, float64; the monitor is None where the data have no lines to watch."""
    torch.manual_seed(0)
    furthest = float(found.peaks.max_frequency.max())
    model = PhaseMLP.from_data(x, y, len(found.peaks), max_frequency=furthest).to(x)
    scale = y.std(0)
    frequency, mean = found.peaks.frequency, y.mean(0)
    frequency = frequency[frequency.norm(dim=1).argsort()]
    monitor = SpectralMonitor(x, y - mean, None, period=1.0, peaks=frequency) if len(frequency) else None
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, 1e-2 * _FALLEN_TO)
    for step in range(steps + 1):
        prediction = model(x)
        if monitor is not None and (step % max(1, steps // _RECORDS) == 0 or step == steps):
            monitor.update(step, prediction - mean)
        if step < steps:
            optimizer.zero_grad()
            nn.functional.mse_loss(prediction / scale, y / scale).backward()
            optimizer.step()
            rate.step()
    return model, monitor
