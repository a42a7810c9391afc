"""What to do about lines that a network will not learn in time, and why, in numbers."""

from typing import NamedTuple

_WITHIN_KERNELS_REACH = 10  # times: what the kernel gained on networks that only learn late (benchmarks/studies/cure)
_LINES_ARE_ALL = 0.98  # of the variance


class Advice(NamedTuple):
    recommendation: str  # "train", "kernel", "energy norm", "retune" or "no network"
    reason: str
    code: str


def advice(steps: list[float], names: list[str], horizon: int, explained: float, operator: bool) -> Advice:
    """From the predicted steps of each line, named, and the share of variance that a trend and the lines explain."""
    if not steps:
        return Advice("train", "no line of the data is significant: there is no frequency to be late at", _TRAIN)
    slow = max(range(len(steps)), key=steps.__getitem__)
    late = sum(s > horizon for s in steps)
    said = (
        f"{late} of {len(steps)} lines are predicted beyond {horizon} steps, {names[slow]} at {_rounded(steps[slow])}"
    )
    if not late:
        return Advice("train", f"all {len(steps)} lines are predicted within {horizon} steps", _TRAIN)
    if operator and steps[slow] <= _WITHIN_KERNELS_REACH * horizon:
        return Advice("energy norm", f"{said}: the operator's residual is led by its highest frequencies", _ENERGY)
    if operator:
        return Advice(
            "retune",
            f"{said}: its tangent kernel holds next to nothing there. A linear operator's source has the frequencies of"
            " its solution, to start the network at; and its residual is led by the highest of them, which the norm"
            " evens",
            _RETUNE_TO_SOURCE + _ENERGY,
        )
    if explained >= _LINES_ARE_ALL:
        return Advice(
            "no network",
            f"{said}; a trend and {len(steps)} lines explain {explained:.1%} of the variance: least squares on them"
            " needs no network. If it is to be one, retune it",
            _LINES + _RETUNE,
        )
    if steps[slow] <= _WITHIN_KERNELS_REACH * horizon:
        return Advice("kernel", f"{said}: late, but within what its tangent kernel can be evened by", _KERNEL)
    return Advice("retune", f"{said}: its tangent kernel holds next to nothing there, to precondition", _RETUNE)


def _rounded(steps: float) -> str:
    return f"{float(f'{steps:.2g}'):,.0f}"


_TRAIN = "loss = (model(x) - y).square().mean()  # as it is\n"
_KERNEL = """\
h = fs.precondition.kernel(model(x), model, x)  # in the training loop, in place of h = model(x)
loss = (h - y).square().mean()
"""
_ENERGY = """\
norm = fs.precondition.residual(x, (x.amin(0), x.amax(0)))  # points inside, the box's sides are better given
loss = norm(operator(model, x) - y) / norm(y)
"""
_RETUNE = """\
model = fs.nn.retune(model, x, y)  # before the optimizer is made
"""
_RETUNE_TO_SOURCE = """\
model = fs.nn.retune(model, x, y, order=2)  # before the optimizer is made; order: of the operator
"""
_LINES = """\
lines = fs.spectrum(x, y).peaks  # frequency, amplitude, phase
"""
