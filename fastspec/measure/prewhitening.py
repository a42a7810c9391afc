"""Lines found one after the other in what is left of the data, and how many of them noise would not have made."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from .background import background
from .joint import Fit, apart
from .search import LOWEST, Grid, Known, Search
from .significance import Trials

MOST_LINES, FALSE_ALARM = 16, 0.01
MINUTE = 0.02  # of the strongest line's amplitude: what clean data are full of, and nobody means
_NOTHING = 1e-24  # of the sum of squares: rounding
_POINTS_A_LINE = 12  # of lines fitted before it is known whether they are any
_STEPS, _SETTLED = 12, 1e-4
_STEP, _NEAREST = 0.25, 0.5  # of Gauss-Newton, cycles per span
_SEVERAL, _ROUNDS = 4, 2
_SPARSE, _POINTS_A_MULTIPLE = 2, 6  # multiples for each that was found, points for each that is fitted
_CLOSE = 4.0  # cycles per span: two lines that are one between them on a fine grid leave others as near as that
_FLOOR = 1e-2  # of a channel's own size: what is left of one explained counts no more than this


def all_lines(fit: Fit, search: Search, count: int) -> Fit:
    """So many lines, whatever they are.

    Raises:
        ValueError: where the search has not as many.
    """
    for _ in range(count):
        fit = with_another(fit, search)
    return settled(fit, search)


def significant_lines(fit: Fit, search: Search, most: int, chance: float) -> Fit:
    """Those that noise would make with a probability below ``chance``, at most ``most``.

    Of several equal lines none stands out until the others are fitted: so lines are added beyond those that are
    significant, as far as the rest could become so, and the longest row kept that ends in one that is. Then those that
    the others have made superfluous are left out.
    """
    kept = fit
    ahead = min(most, len(fit.y) // _POINTS_A_LINE)
    for n in range(len(fit), most):
        try:
            more = with_another(fit, search)
        except ValueError:  # no separate frequency is left
            break
        sizes = more.amplitudes().norm(dim=1)
        if sizes[-1] < MINUTE * sizes.max():
            break
        gain = log_ratio(fit.squares, more, search.noise(more.frequencies[-1:]).item())
        significant = search.trials.chance(gain, more.y.shape[1]) <= chance
        kept = more if significant else kept
        if more.squares.sum() < _NOTHING * fit.y.square().sum():
            break
        if not significant and not _may_follow(fit, more, search.trials, ahead - n, chance):
            break
        fit = more
    return without_superfluous(settled(kept, search), search, chance)


def lines_of(fit: Fit, search: Search, coarse: Search, most: int, chance: float) -> Fit:
    """The significant lines; where some of several are close, also from a start on the ``coarse`` grid of one mode per
    resolution, which tells lines apart that a fine one sees as one between them."""
    found = significant_lines(fit, search, most, chance)
    if len(found) < _SEVERAL or (isinstance(search, Grid) and apart(found.frequencies) > _CLOSE):
        return found
    rough = significant_lines(fit, coarse, most, chance)
    found = without_superfluous(exchanged(min(found, settled(rough, search), key=criterion), search), search, chance)
    together = (without_superfluous(in_step(start, search), search, chance) for start in (rough, found))
    return min(found, *together, key=criterion)


def in_step(fit: Fit, search: Search) -> Fit:
    """With lines at the whole multiples of one frequency, per dimension, that are nearest; of a series also at those
    between them, for a trend may have hidden the lowest.

    Several side by side, a cycle per extent apart, hardly determine where they are: ten move by 0.1 for noise of 1e-7.
    Of all that explain the data as well these are those that say the least.
    """
    if not search.refines or len(fit) < _SEVERAL:
        return fit
    multiples = fit.frequencies.round()
    if apart(multiples) < _NEAREST or bool((multiples == 0).all(1).any()):
        return fit
    unit = ((fit.frequencies * multiples).sum(0) / multiples.square().sum(0).clamp_min(1)).where(multiples.any(0), 1.0)
    top = int(multiples.abs().max())
    if multiples.shape[1] == 1 and top <= _SPARSE * len(fit) and top <= len(fit.y) // _POINTS_A_MULTIPLE:
        multiples = torch.arange(1, top + 1).to(multiples)[:, None]
    tied = torch.diag_embed(multiples).flatten(0, 1)
    return settled(replace(fit.at(unit * multiples), tied=tied), search)


def exchanged(fit: Fit, search: Search) -> Fit:
    """With each line, found while others were still missing, looked for once more among all the others."""
    for _ in range(len(fit)):
        try:
            again = with_another(_without(fit, 0), search)
        except ValueError:
            break
        fit = again if again.squares.sum() < fit.squares.sum() else fit.at(fit.frequencies.roll(-1, 0))
    return settled(fit, search)


def _without(fit: Fit, line: int) -> Fit:
    kept = torch.arange(len(fit), device=fit.x.device) != line
    tied = None if fit.tied is None else fit.tied.reshape(*fit.frequencies.shape, -1)[kept].flatten(0, 1)
    return replace(fit.at(fit.frequencies[kept]), tied=tied)


def with_another(fit: Fit, search: Search) -> Fit:
    scale = torch.maximum(fit.residual.std(0), _FLOOR * fit.y.std(0))
    found = search.strongest(fit.residual / scale.clamp_min(torch.finfo(scale.dtype).tiny), fit.frequencies)
    more = fit.at(torch.cat([fit.frequencies, found[None]]))
    return refined(refined(more, search), search)


def settled(fit: Fit, search: Search) -> Fit:
    for _ in range(_STEPS):
        moved = refined(fit, search)
        if bool(moved.squares.sum() >= (1 - _SETTLED) * fit.squares.sum()):
            return moved
        fit = moved
    return fit


def refined(fit: Fit, search: Search) -> Fit:
    return fit.refined(_STEP, _NEAREST, LOWEST) if search.refines else fit


def log_ratio(before: Tensor, after: Fit, noise: float = 1.0) -> float:
    """Twice the logarithm of the ratio of likelihoods, each channel with its own variance; its expectation corrected
    for what was fitted, which makes it exact for one line. ``noise`` is that at the line, over the mean."""
    tiny = _NOTHING * after.y.square().sum(0) + torch.finfo(before.dtype).tiny
    free = max(1, len(after.y) - len(after.coefficients))
    gained = (before - after.squares).clamp_min(0) / (noise * (after.squares + tiny))
    return free * gained.log1p().sum().item()


def _may_follow(fit: Fit, more: Fit, trials: Trials, left: int, chance: float) -> bool:
    """Whether one of ``left`` lines as strong as the last one could be significant once the others are fitted."""
    part = ((fit.squares - more.squares) / fit.squares.clamp_min(torch.finfo(fit.y.dtype).tiny)).max().item()
    if left < 1 or part * left >= 1:
        return left > 0
    gain = (len(fit.y) - len(more.coefficients)) * math.log((1 - part * (left - 1)) / (1 - part * left))
    return gain * more.y.shape[1] >= trials.threshold(chance, more.y.shape[1])


def chances(fit: Fit, search: Search | Known) -> list[float]:
    """Of each line given all others."""
    if not len(fit):
        return []
    noise, shares = search.noise(fit.frequencies).tolist(), fit.shares().clamp_min(0)
    gains = [log_ratio(fit.squares + s, fit, n) for s, n in zip(shares, noise, strict=True)]
    return [search.trials.chance(gain, fit.y.shape[1]) for gain in gains]


def without_superfluous(fit: Fit, search: Search, chance: float) -> Fit:
    while len(fit):
        worst = _worst(fit, search, chance)
        if worst is None:
            break
        fit = settled(_without(fit, worst), search)
    return fit


def _worst(fit: Fit, search: Search, chance: float) -> int | None:
    """The line to be left out first, if any."""
    each, sizes = torch.tensor(chances(fit, search)), fit.amplitudes().norm(dim=1).cpu()
    each = torch.where(sizes < MINUTE * sizes.max(), 2.0, each)
    worst = int(each.argmax())
    return worst if each[worst] > chance else None


def lines_over_red(fit: Fit, search: Grid, most: int, chance: float) -> tuple[Fit, Grid]:
    """The lines that stand out where noise is as red as the whole spectrum, and the search beside that noise.

    Red noise has its power at low frequencies, in peaks that white noise would not have. The background is that of all
    the data first, then of what the lines found beside it leave.
    """
    found = fit
    for _ in range(_ROUNDS):
        search = search.over(background(found, search))
        found = settled(significant_lines(fit, search, most, chance), search)
        found = without_superfluous(found, search, chance)
    return found, search


def chances_over(fit: Fit, ground: Fit, search: Search) -> list[float]:
    """Of each line, in the noise beside which another fit of the same data was searched, of the size that it left."""
    noise, shares = search.noise(fit.frequencies).tolist(), fit.shares().clamp_min(0)
    tiny, channels = torch.finfo(fit.y.dtype).tiny, fit.y.shape[1]
    free = max(1, len(fit.y) - len(ground.coefficients))
    gains = [(s / (n * ground.squares + tiny)).log1p().sum().item() for s, n in zip(shares, noise, strict=True)]
    return [search.trials.chance(free * gain, channels) for gain in gains]


def criterion(fit: Fit) -> float:
    """Bayesian information (Schwarz 1978), the less the better; a line has two amplitudes and a frequency of its own,
    or its part of those that move together."""
    left = fit.squares / fit.y.square().sum(0).clamp_min(torch.finfo(fit.y.dtype).tiny)
    free = fit.coefficients.numel() + fit.free
    return len(fit.y) * (left + _NOTHING).log().sum().item() + free * math.log(len(fit.y))
