"""Regression and classification tasks: where the data come from, and what is to be learnt of them."""

import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

import fastspec as fs

from .problem import TAU, Data, HeldOut, Judge, Standardised, lines, mlp


def regression(x: Tensor, y: Tensor, clean: tuple[Tensor, Tensor], judge: Callable[[], Judge], **more) -> Data:
    return Data(x, y[:, None], clean, judge, lambda: Standardised(x, mlp(x.shape[1])), **more)


# --- 1-D --------------------------------------------------------------------------------------------------------------


def sines(seed: int) -> Data:
    gen = torch.Generator().manual_seed(seed)
    k = torch.tensor([1.0, 5.0, 15.0, 30.0, 40.0])

    def clean(x: Tensor) -> Tensor:
        return torch.sin(x * k).sum(1) / 2

    x = (torch.rand(600, 1, generator=gen) * 2 - 1) * math.pi
    test = (torch.rand(2000, 1, generator=gen) * 2 - 1) * math.pi
    y = clean(x) + 0.02 * torch.randn(600, generator=gen)
    return regression(x, y, (test, clean(test)), lines(x, y, k, TAU), lines=5, inducing=None)


def co2(seed: int) -> Data:
    """A fifth of the weeks is held out. The box is 44 years: the yearly cycle is wavenumber 44."""
    from fastspec.recipes.mauna_loa import load_co2

    years, ppm = load_co2(torch.device("cpu"))
    y = ((ppm - ppm.mean()) / ppm.std())[:, 0]
    shuffled = torch.randperm(len(years), generator=torch.Generator().manual_seed(seed))
    held, kept = shuffled[: len(years) // 5], shuffled[len(years) // 5 :].sort().values
    judge = lines(years[kept], y[kept], torch.tensor([2.0, 3.0, 5.0, 44.0, 88.0]), 44.0)
    return regression(years[kept], y[kept], (years[held], y[held]), judge, lines=3, period=44.0, modes=512)


# --- 2-D --------------------------------------------------------------------------------------------------------------


def portrait() -> Tensor:
    """512 x 512 pixels of the photograph that matplotlib ships, grey."""
    from matplotlib import cbook, image

    path = Path(str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)))
    return torch.tensor(image.imread(path) / 255.0).float().mean(-1)[:512, :512]


def pixels(grey: Tensor) -> tuple[Tensor, Tensor]:
    axes = [(torch.arange(n) + 0.5) / n for n in grey.shape]
    return torch.cartesian_prod(*axes), (grey - grey.mean()).flatten()


def photograph(seed: int, side: int = 128) -> Data:
    """The picture at a quarter of its resolution, from a fifth of its pixels; the rest is held out."""
    x, y = pixels(nn.functional.interpolate(portrait()[None, None], (side, side), mode="area")[0, 0])
    shuffled = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    kept, held = shuffled[: len(x) // 5], shuffled[len(x) // 5 :]
    whole = fs.SpectralMonitor(x, y, (65, 65), period=1.0, peaks=24)
    judge = lines(x[kept], y[kept], whole.wavenumbers, 1.0)
    more = {"lines": 24, "highest": 32.0, "inducing": 300, "period": 1.0, "modes": (64, 64)}
    return regression(x[kept], y[kept], (x[held], y[held]), judge, **more)


def full_photograph(seed: int) -> Data:
    """All of its 512 x 512 pixels but a fifth, in batches; judged on 20,000 of those held out."""
    x, y = pixels(portrait())
    shuffled = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    held, kept = shuffled[: len(x) // 5][:20_000], shuffled[len(x) // 5 :]
    more = {"lines": 24, "highest": 48.0, "inducing": 300, "period": 1.0, "batch": 2048}
    return regression(x[kept], y[kept], (x[held], y[held]), lambda: HeldOut(x[held[:4000]], y[held[:4000]]), **more)


def gear(x: Tensor, teeth: int = 9, finer: int = 400) -> Tensor:
    """Signed distance from (M, 2) to a toothed wheel's outline, negative within."""
    angle = torch.arange(teeth * finer) / (teeth * finer) * TAU
    radius = 0.6 + 0.12 * torch.tanh(6 * torch.sin(teeth * angle))
    outline = radius[:, None] * torch.stack([angle.cos(), angle.sin()], 1)
    distance = torch.cdist(x, outline).amin(1)
    at = torch.atan2(x[:, 1], x[:, 0])
    within = x.norm(dim=1) < 0.6 + 0.12 * torch.tanh(6 * torch.sin(teeth * at))
    return torch.where(within, -distance, distance)


def signed_distance(seed: int) -> Data:
    gen = torch.Generator().manual_seed(seed)
    x, test = (torch.rand(n, 2, generator=gen) * 2 - 1 for n in (1500, 2000))
    y, true = gear(x), gear(test)
    more = {"lines": 12, "highest": 8.0, "inducing": 300, "period": 2.0, "modes": (32, 32)}
    return regression(x, y, (test, true), lambda: HeldOut(test, true), **more)


# --- many dimensions --------------------------------------------------------------------------------------------------


def ridges(seed: int) -> Data:
    """Two plane waves in eight dimensions."""
    gen = torch.Generator().manual_seed(seed)
    directions = nn.functional.normalize(torch.randn(2, 8, generator=gen), dim=1)
    waves = directions * torch.tensor([[4.0], [5.0]])

    def clean(x: Tensor) -> Tensor:
        return torch.sin(x @ waves.mT).sum(1) + 0.3 * x[:, 0]

    x, test = torch.randn(4000, 8, generator=gen), torch.randn(4000, 8, generator=gen)
    more = {"lines": 2, "highest": 1.0}
    return regression(x, clean(x), (test, clean(test)), lines(x, clean(x), waves, TAU), **more)


# --- a classifier -----------------------------------------------------------------------------------------------------

DELTA = 1.0  # variance of the Gaussian: the nearest other image is at a squared distance of about 1, most are at 20


class Bands:
    """Errors of the low and the high part of a classifier's probabilities, told apart by a Gaussian over all images."""

    def __init__(self, x: Tensor, labels: Tensor):
        self.x = x
        self.monitor = fs.SpectralMonitor(x, labels, torch.tensor([DELTA]), method="filter", logits=True)

    def update(self, step: int, model: nn.Module) -> None:
        self.monitor.update(step, model(self.x))

    @property
    def errors(self) -> Tensor:
        return self.monitor.errors


def digits(seed: int) -> Data:
    """scikit-learn's 1,797 images of 8 x 8 pixels, a third held out."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    x, y = torch.tensor(images).float() / 16, torch.tensor(labels).long()
    shuffled = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    held, kept = shuffled[: len(x) // 3], shuffled[len(x) // 3 :]

    def wrong(model: nn.Module, x: Tensor, y: Tensor) -> float:
        return (model(x).argmax(1) != y).float().mean().item()

    return Data(
        x[kept],
        y[kept],
        (x[held], y[held]),
        lambda: Bands(x[kept], y[kept]),
        lambda: mlp(64, 10),
        loss=nn.functional.cross_entropy,
        inducing=32,  # of ten outputs each
        held_out=wrong,
    )
