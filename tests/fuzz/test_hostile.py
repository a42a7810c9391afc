"""Whatever is passed, a call works or raises TypeError or ValueError that names the argument; nothing else happens."""

import math
import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import fastspec as fs

GEN = torch.Generator().manual_seed(0)
M, MODES = 12, 6
X = torch.rand(M, 1, generator=GEN) * 6
Y, K = torch.randn(M, generator=GEN), torch.tensor([1.0, 2.0])
HALF = torch.randn(MODES // 2 + 1, generator=GEN) + 0j
MODEL = nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1))
PLAN = fs.Plan(X, MODES)


def monitored(pred, step):
    fs.SpectralMonitor(X, Y, peaks=torch.tensor([1])).update(step, pred)


def loss_at(pred, target, x, index=None, **options):
    return fs.SpectralLoss(MODES, x=X if index is not None else None, **options)(pred, target, x, index=index)


TRANSFORM = {"eps": 1e-5, "period": 7.0, "order": "centered"}
LOSS = {"quadrature": None, "relative": False, "reduction": "mean"}
BOTH = {"pred": Y, "target": Y + 1}
# function: arguments that it takes
CALLS = {
    "nufft1": (fs.nufft1, {"x": X, "c": Y, "modes": MODES, "sign": -1} | TRANSFORM),
    "nufft2": (fs.nufft2, {"x": X, "f": torch.ones(MODES) + 0j, "sign": 1} | TRANSFORM),
    "nufft3": (fs.nufft3, {"x": X, "c": Y, "s": X[:5], "sign": 1, "eps": 1e-5}),
    "rnufft1": (fs.rnufft1, {"x": X, "c": Y, "modes": MODES} | TRANSFORM),
    "rnufft2": (fs.rnufft2, {"x": X, "f": HALF, "modes": MODES} | TRANSFORM),
    "Plan": (fs.Plan, {"x": X, "modes": MODES, "algorithm": "auto"} | TRANSFORM),
    "Plan.nufft1": (PLAN.nufft1, {"c": Y, "sign": -1}),
    "Plan.nufft2": (PLAN.nufft2, {"f": torch.ones(MODES), "sign": 1}),
    "Plan.rnufft1": (PLAN.rnufft1, {"c": Y}),
    "Plan.rnufft2": (PLAN.rnufft2, {"f": HALF}),
    "spectral_loss": (fs.spectral_loss, {"plan": PLAN, "weight": None} | BOTH | LOSS),
    "SpectralLoss": (loss_at, {"x": X, "weight": None, "period": 7.0, "eps": 1e-4, "channels": "last"} | BOTH | LOSS),
    "index": (loss_at, {"x": None, "index": torch.arange(M)} | BOTH),
    "frequencies": (
        lambda frequencies, pred, x: fs.SpectralLoss(frequencies=frequencies)(pred, Y, x),
        {"frequencies": K, "pred": Y, "x": X},
    ),
    "sobolev": (lambda s, k: fs.weights.sobolev(s)(k), {"s": 1.0, "k": K[:, None]}),
    "power": (lambda p, k: fs.weights.power(p)(k), {"p": 1.0, "k": K[:, None]}),
    "band": (lambda lo, hi, k: fs.weights.band(lo, hi)(k), {"lo": 0.0, "hi": 2.0, "k": K[:, None]}),
    "focal": (fs.weights.focal, {"alpha": 1.0}),
    "from_rates": (fs.weights.from_rates, {"rates": K, "exponent": 1.0}),
    "spectral": (
        fs.precondition.spectral,
        {"h": Y, "x_or_plan": X, "weight": torch.ones(MODES), "modes": MODES, "norm": "ortho", "quadrature": None},
    ),
    "quadrature": (fs.precondition.quadrature, {"x": X, "modes": 3, "period": 7.0}),
    "critical_exponent": (fs.precondition.critical_exponent, {"d": 2}),
    "monitor": (
        fs.SpectralMonitor,
        {"x": X, "target": Y, "modes": MODES, "period": 7.0, "peaks": 2, "method": "nufft", "bands": None},
    ),
    "update": (monitored, {"step": 1, "pred": Y}),
    "projection": (fs.measure.projection, {"x": X, "y": Y, "k": K, "direction": None}),
    "gaussian_filter": (fs.measure.gaussian_filter, {"x": X, "y": Y, "deltas": [0.1]}),
    "filter_error": (fs.measure.filter_error, {"x": X, "deltas": [0.1]} | BOTH),
    "alias_report": (
        fs.measure.alias_report,
        {"x_train": X, "y_train": Y, "x_full": X, "y_full": Y, "k": K, "period": 7.0, "threshold": 0.2},
    ),
    "ntk_rates": (
        fs.measure.ntk_rates,
        {"model": MODEL, "x": X, "modes": 3, "period": 7.0, "window": None},
    ),
    "decay_exponent": (fs.measure.decay_exponent, {"rates": K, "k": K, "floor": 0.0}),
    "fwht": (fs.walsh.fwht, {"x": Y[:8], "dim": -1, "normalized": False}),
    "spectrum_by_degree": (fs.walsh.spectrum_by_degree, {"f": Y[:8], "n": 3}),
    "lfp_rate": (fs.theory.lfp_rate, {"xi": K, "d": 1, "activation": "relu", "a": 1.0, "w": 1.0}),
    "interpolant": (
        fs.theory.min_norm_interpolant,
        {"x": X / 7, "y": Y, "alpha": 3.0, "modes": 21, "period": 1.0, "ridge": 0.0, "weight": None},
    ),
}
TEXTLIKE = "text", "", b"bytes", "mean", "auto"
NUMBERS = 0, -1, 1, 3, 2.5, -0.0, 1e-320, 1e308, math.nan, math.inf, -math.inf, 2**70, -(2**70), 1j, True
OTHERS = None, (), [], {}, [[]], [1, "a"], [None], (3, 3), object(), int, len, lambda k: k, lambda *_: None, range(3)


def tensors():
    quantised = torch.quantize_per_tensor(Y, 0.1, 0, torch.qint8)
    yield from (torch.tensor(1.0), torch.tensor(-1), torch.tensor([]), torch.zeros(0, 1), torch.zeros(0, M))
    yield from (
        Y.long(),
        Y.bool(),
        Y.cfloat(),
        Y.double(),
        Y.half(),
        Y.bfloat16(),
        Y[:7],
        Y.expand(2, M),
        Y[None, None],
    )
    yield from (Y.to_sparse(), X.to_sparse_csr(), quantised, Y.to(torch.float8_e5m2), X.to(torch.float8_e4m3fn))
    yield from (Y.to("meta"), torch.full((M,), math.nan), torch.full((M, 1), math.inf), 1e38 * Y, X.cfloat(), K + 1j)
    yield from (torch.zeros(M, 4), torch.zeros(M, 0), torch.zeros(M, dtype=torch.uint16), torch.full((2,), math.nan))
    yield torch.nested.nested_tensor([Y, Y[:5]], layout=torch.jagged)
    yield from (Y.numpy(), X.tolist(), nn.Parameter(Y), nn.Linear(1, 1))


W = torch.ones(MODES)
BY_MODES = (
    W.to_sparse(),
    torch.quantize_per_tensor(W, 0.1, 0, torch.qint8),
    W.to(torch.float8_e5m2),
    W.to("meta"),
    W + 1j,
)
GARBAGE = (*BY_MODES, *TEXTLIKE, *NUMBERS, *OTHERS, *tensors())
NAMES = [(name, argument) for name, (_, arguments) in CALLS.items() for argument in arguments]


def is_own(name: str, argument: str, value: object) -> bool:
    """Whether it is, or goes to, a function of the user's, whose errors are the user's too."""
    return (callable(value) and argument in ("weight", "frequencies", "model", "f")) or (name, argument) == (
        "ntk_rates",
        "x",
    )


def outcome(name: str, given: dict[str, object]) -> None:
    call, arguments = CALLS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            call(**arguments | given)
        except (TypeError, ValueError, IndexError) as error:
            named = given if isinstance(error, TypeError) else arguments
            said = f"{name}({', '.join(given)}): {type(error).__name__}: {error}"
            assert any(each in str(error) for each in named), said


@pytest.mark.parametrize(("name", "argument"), NAMES)
def test_any_argument_is_used_or_refused_by_name(name, argument):
    for value in GARBAGE:
        if not is_own(name, argument, value):
            outcome(name, {argument: value})


@given(st.sampled_from(list(CALLS)), st.data())
def test_so_are_several(name, data):
    some = data.draw(st.lists(st.sampled_from(list(CALLS[name][1])), min_size=1, max_size=3, unique=True))
    given = {argument: data.draw(st.sampled_from(GARBAGE)) for argument in some}
    if not any(is_own(name, argument, value) for argument, value in given.items()):
        outcome(name, given)
