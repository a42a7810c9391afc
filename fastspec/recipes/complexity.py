"""Networks learn statistics of rising order (arXiv 2211.11567): clones of images teach as much, at first.

A network is trained on real digits, and on Gaussian clones of them: one keeps each class's mean only, with equal noise
on every pixel, the other each class's mean and covariance. All are tested on real digits. At first the clones teach as
well as the real images; then the clone of means falls behind, and later that with covariances. While accuracy rises
steeply, two trainings on the same images in batches of their own are some hundredths apart, so the clones' distance is
counted beyond theirs. The paper has CIFAR-10 and larger networks; the setting here is this recipe's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from .digits import load_digits, split
from .harness import Outcome, Recipe, descend, figure, outcome, progress
from .trials import Trial, over_seeds, spread

FIGURE = "accuracy.png"
MEANS, COVARIANCES, REAL = "class means", "and covariances", "real"
AGAIN = "real, other batches"  # how far apart two trainings on the same images are
COLOURS = {MEANS: "#EE7733", COVARIANCES: "#33BBEE", REAL: "0.2"}

Images = tuple[Tensor, Tensor]  # and their labels


@dataclass(frozen=True)
class Settings:
    seed: int = 0
    threads: int = 1
    seeds: int = 5
    train_size: int = 1400
    clone_size: int = 5000
    hidden: int = 128
    batch: int = 64
    learning_rate: float = 3e-4
    steps: int = 2500
    every: int = 20
    ridge: float = 1e-3  # on the covariances' diagonal
    early: float = 0.05  # by which clones may differ while the real one is below `young`, beyond its own repetition
    young: float = 0.7
    late: float = 0.01  # by which each order must be above the one before in the end


DEFAULT = Settings()
QUICK = replace(DEFAULT, seeds=3, steps=1200)


def run_trial(settings: Settings, seed: int, device: torch.device) -> Trial:
    images, labels = load_digits(device)
    images = images.flatten(1)
    train, test = split(settings.train_size, seed)
    x, y = images[train], labels[train]
    sets = {MEANS: clone(x, y, settings, shared=True), COVARIANCES: clone(x, y, settings, shared=False), REAL: (x, y)}
    found: Trial = {}
    new = images[test], labels[test]
    for name, data in sets.items():
        torch.manual_seed(seed)
        found[name] = accuracies(name, data, new, settings)
    torch.manual_seed(seed)
    found[AGAIN] = accuracies(AGAIN, (x, y), new, settings, batches=seed + 1000)
    return found


def clone(x: Tensor, y: Tensor, settings: Settings, *, shared: bool) -> tuple[Tensor, Tensor]:
    """Gaussian images with each class's mean, and its covariance or, shared, the mean variance of all pixels."""
    labels = torch.randint(10, (settings.clone_size,), device=x.device)
    means = torch.stack([x[y == c].mean(0) for c in range(10)])
    about = x - means[y]
    out = means[labels]
    for c in range(10):
        rows, unit = about[y == c], torch.eye(x.shape[1], device=x.device)
        covariance = about.square().mean() * unit if shared else rows.mT @ rows / len(rows) + settings.ridge * unit
        noise = torch.randn(int((labels == c).sum()), x.shape[1], device=x.device)
        out[labels == c] += noise @ torch.linalg.cholesky(covariance).mT
    return out, labels


def accuracies(name: str, data: Images, new: Images, settings: Settings, batches: int | None = None) -> list[float]:
    """On real test images, every so many steps; with a seed of the batches' own or that of the network."""
    (x, y), (new_x, new_y) = data, new
    model = nn.Sequential(
        nn.Linear(x.shape[1], settings.hidden), nn.ReLU(), nn.Linear(settings.hidden, settings.hidden), nn.ReLU()
    )
    model.append(nn.Linear(settings.hidden, 10))
    model.to(x.device)
    if batches is not None:
        torch.manual_seed(batches)
    optimizer, found = torch.optim.Adam(model.parameters(), settings.learning_rate), []
    for step in progress(name, settings.steps):
        batch = torch.randint(len(x), (settings.batch,), device=x.device)
        descend(optimizer, nn.functional.cross_entropy(model(x[batch]), y[batch]))
        if (step + 1) % settings.every == 0:
            with torch.no_grad():
                found.append((model(new_x).argmax(1) == new_y).float().mean().item())
    return found


def early_gap(trial: Trial, settings: Settings, others: tuple[str, ...] = (MEANS, COVARIANCES)) -> float:
    """The most by which the accuracy of these differs from the real one's while that is young."""
    young = next(i for i, a in enumerate([*trial[REAL], 1.0]) if a >= settings.young)
    pairs = [(trial[REAL][i], trial[name][i]) for i in range(young) for name in others]
    return max((abs(a - b) for a, b in pairs), default=0.0)


def final(curve: Sequence[float]) -> float:
    """The mean of the last tenth."""
    last = curve[-max(1, len(curve) // 10) :]
    return sum(last) / len(last)


def judge(settings: Settings, trials: list[Trial], out: Path) -> Outcome:
    gaps = [early_gap(t, settings) for t in trials]
    repeated = [early_gap(t, settings, (AGAIN,)) for t in trials]
    beyond = spread(gap - own for gap, own in zip(gaps, repeated, strict=True))
    finals = {name: spread(final(t[name]) for t in trials) for name in COLOURS}
    steps = {
        "covariances over means": spread(final(t[COVARIANCES]) - final(t[MEANS]) for t in trials),
        "real over covariances": spread(final(t[REAL]) - final(t[COVARIANCES]) for t in trials),
    }
    draw(settings, trials, out / FIGURE)
    checks = {"together at first": beyond["median"] < settings.early}
    checks |= {f"{name} in the end": found["median"] > settings.late for name, found in steps.items()}
    return outcome(
        "trained on clones of images, accuracy on real ones is at first the same, and in the end rises with the order"
        " of the statistics kept",
        checks,
        {"early difference beyond that of a repetition": settings.early, "late difference": settings.late},
        {
            "final_difference": steps,
            "largest_early_difference": spread(gaps),
            "the_same_of_a_repetition": spread(repeated),
            "early_difference_beyond_that": beyond,
            "final_accuracy": finals,
        },
        [FIGURE],
    )


def draw(settings: Settings, trials: list[Trial], path: Path) -> None:
    with figure(path, 6.5, 3.6) as page:
        ax = page.subplots()
        steps = [settings.every * (i + 1) for i in range(len(trials[0][REAL]))]
        for name, colour in COLOURS.items():
            curves = torch.tensor([t[name] for t in trials])
            ax.plot(steps, curves.median(0).values, color=colour, label=name)
            ax.fill_between(steps, curves.amin(0), curves.amax(0), color=colour, alpha=0.2, linewidth=0)
        ax.set(xscale="log", xlabel="step", ylabel="accuracy on real test images", title="trained on clones that keep")
        ax.legend(frameon=False, loc="lower right")


RECIPE = Recipe(
    "complexity",
    "clones of images that keep means or covariances teach as well as real ones, at first",
    DEFAULT,
    QUICK,
    over_seeds(run_trial, judge),
)
