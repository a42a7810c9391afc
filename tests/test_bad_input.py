"""Bad input is refused before any work, with the name of the argument in the message."""

import re
import subprocess
import sys
import warnings

import pytest
import torch
from samples import both_algorithms

import fastspec as fs

NAN, INF = float("nan"), float("inf")
X1, X2, X3, X4 = (torch.linspace(-3, 3, 8 * d).reshape(8, d) for d in (1, 2, 3, 4))
C = torch.ones(8)
BAD_X = {
    "no axes": (torch.tensor(1.0), ValueError),
    "four dimensions": (X4, ValueError),
    "no dimensions": (torch.zeros(8, 0), ValueError),
    "complex": (X1.cfloat(), TypeError),
    "integer": (X1.long(), TypeError),
    "list": ([0.0] * 8, TypeError),
    "nan": (X1.clone().index_fill_(0, torch.tensor([3]), NAN), ValueError),
    "infinite": (X1.clone().index_fill_(0, torch.tensor([3]), INF), ValueError),
}
BAD_OPTIONS = {
    "eps zero": ({"eps": 0.0}, ValueError),
    "eps one": ({"eps": 1.0}, ValueError),
    "eps negative": ({"eps": -1e-3}, ValueError),
    "eps nan": ({"eps": NAN}, ValueError),
    "eps text": ({"eps": "1e-3"}, TypeError),
    "order unknown": ({"order": "shifted"}, ValueError),
    "period zero": ({"period": 0.0}, ValueError),
    "period negative": ({"period": -1.0}, ValueError),
    "period infinite": ({"period": INF}, ValueError),
    "period nan": ({"period": (NAN,)}, ValueError),
    "period too many": ({"period": (1.0, 2.0)}, ValueError),
    "period text": ({"period": "2pi"}, TypeError),
}
BAD_MODES = {
    "zero": (0, ValueError),
    "negative": (-3, ValueError),
    "empty": ((), ValueError),
    "too many": ((4, 4), ValueError),
    "fraction": (4.5, TypeError),
    "text": ("8", TypeError),
    "absurd": (2**62, ValueError),
}
BAD_C = {
    "no axes": (torch.tensor(1.0), ValueError),
    "too short": (C[:7], ValueError),
    "too long": (torch.ones(9), ValueError),
    "points first": (torch.ones(8, 3), ValueError),
    "integer": (C.long(), TypeError),
    "boolean": (C.bool(), TypeError),
    "list": ([1.0] * 8, TypeError),
    "meta device": (C.to("meta"), ValueError),
}


ACCEPTED = ("integer", "list")  # by names that take data as people hold them: see test_data.py


def cases(table):
    return [pytest.param(*value, id=name) for name, value in table.items()]


def refuses(name, error, call, *args, **options):
    with pytest.raises(error, match=rf"\b{name}\b"):
        call(*args, **options)


@pytest.mark.parametrize(("x", "error"), cases(BAD_X))
@pytest.mark.parametrize(
    "call",
    [
        lambda x: fs.nufft1(x, C, (4,) * width(x)),
        lambda x: fs.nufft2(x, torch.ones((4,) * width(x))),
        lambda x: fs.rnufft1(x, C, (4,) * width(x)),
        lambda x: fs.rnufft2(x, torch.ones((4,) * (width(x) - 1) + (3,)) + 0j, (4,) * width(x)),
        lambda x: fs.Plan(x, (4,) * width(x)),
    ],
    ids=["nufft1", "nufft2", "rnufft1", "rnufft2", "Plan"],
)
def test_points(call, x, error):
    refuses("x", error, call, x)


@pytest.mark.parametrize(("x", "error"), cases({name: bad for name, bad in BAD_X.items() if name not in ACCEPTED}))
@pytest.mark.filterwarnings("ignore::fastspec.PeriodWarning")
def test_points_of_a_loss(x, error):
    refuses("x", error, lambda: fs.SpectralLoss((4,) * min(width(x), 3), x=x))


def width(x):
    return max(x.shape[-1], 1) if isinstance(x, torch.Tensor) and x.ndim > 1 else 1


@pytest.mark.parametrize(("options", "error"), cases(BAD_OPTIONS))
@pytest.mark.parametrize(
    "call",
    [
        lambda **o: fs.nufft1(X1, C, 4, **o),
        lambda **o: fs.nufft2(X1, torch.ones(4), **o),
        lambda **o: fs.rnufft1(X1, C, 4, **o),
        lambda **o: fs.rnufft2(X1, C[:3] + 0j, 4, **o),
        lambda **o: fs.Plan(X1, 4, **o),
    ],
    ids=["nufft1", "nufft2", "rnufft1", "rnufft2", "Plan"],
)
def test_options(call, options, error):
    refuses(next(iter(options)), error, call, **options)


@pytest.mark.parametrize(("sign", "error"), [(0, ValueError), (2, ValueError), ("+", (TypeError, ValueError))], ids=str)
def test_sign(sign, error):
    plan = fs.Plan(X1, 4)
    refuses("sign", error, fs.nufft1, X1, C, 4, sign=sign)
    refuses("sign", error, fs.nufft2, X1, C[:4], sign=sign)
    refuses("sign", error, plan.nufft1, C, sign=sign)
    refuses("sign", error, plan.nufft2, C[:4], sign=sign)


@pytest.mark.parametrize(("modes", "error"), cases(BAD_MODES))
def test_modes(modes, error):
    refuses("modes", error, fs.nufft1, X1, C, modes)
    refuses("modes", error, fs.rnufft1, X1, C, modes)
    refuses("modes", error, fs.rnufft2, X1, C[:3] + 0j, modes)
    refuses("modes", error, fs.Plan, X1, modes)
    refuses("modes", error, fs.SpectralLoss, modes, x=X1)


@pytest.mark.parametrize(("c", "error"), cases(BAD_C))
def test_strengths(c, error):
    refuses("c", error, fs.nufft1, X1, c, 4)
    refuses("c", error, fs.rnufft1, X1, c, 4)
    refuses("c", error, fs.Plan(X1, 4).nufft1, c)
    refuses("c", error, fs.Plan(X1, 4).rnufft1, c)


def test_complex_strengths_of_a_real_transform():
    refuses("c", TypeError, fs.rnufft1, X1, C.cfloat(), 4)
    refuses("c", TypeError, fs.Plan(X1, 4).rnufft1, C.cfloat())


def test_spectra():
    refuses("f", ValueError, fs.nufft2, X2, torch.ones(4))
    refuses("f", ValueError, fs.nufft2, X2, torch.ones(4, 0))
    refuses("f", ValueError, fs.rnufft2, X2, torch.ones(4, 4) + 0j, (4, 4))
    refuses("f", ValueError, fs.Plan(X2, (4, 4)).nufft2, torch.ones(4, 3))
    refuses("f", ValueError, fs.Plan(X2, (4, 4)).rnufft2, torch.ones(3, 3) + 0j)
    refuses("f", TypeError, fs.nufft2, X1, torch.ones(4).long())
    refuses("f", TypeError, fs.rnufft2, X1, torch.ones(3), 4)
    refuses("f", ValueError, fs.nufft2, X1, torch.ones(4, device="meta"))


def test_point_sets_need_a_row_each():
    x = torch.zeros(3, 8, 1)
    refuses("c", ValueError, fs.nufft1, x, torch.ones(2, 8), 4)
    refuses("c", ValueError, fs.nufft1, x.unsqueeze(0), torch.ones(3, 1, 8), 4)
    refuses("f", ValueError, fs.nufft2, x, torch.ones(2, 4))


def test_ragged_and_sparse_tensors_are_refused_with_advice():
    ragged = torch.nested.nested_tensor([torch.ones(8), torch.ones(5)], layout=torch.jagged)
    for data in (ragged, torch.ones(3, 8).to_sparse()):
        with pytest.raises(TypeError, match="pad ragged sets with strengths of zero"):
            fs.nufft1(torch.zeros(3, 8, 1), data, 4)
    with pytest.raises(TypeError, match="x: was a nested tensor"):
        fs.nufft1(ragged, C, 4)


def test_loss_arguments():
    loss = fs.SpectralLoss(4, x=X1)
    refuses("target", ValueError, loss, C, C[:7])
    refuses("target", (TypeError, ValueError), loss, C, C.to("meta"))
    refuses("target", TypeError, loss, C, 0.0)
    refuses("pred", ValueError, loss, C[:7], C[:7])
    refuses("pred", TypeError, loss, C.long(), C.long())
    refuses("x", ValueError, fs.SpectralLoss(4), C, C)
    refuses("pred", ValueError, loss, C, C, x=X1[:7])
    refuses("reduction", ValueError, fs.SpectralLoss, 4, x=X1, reduction="median")
    refuses("weight", ValueError, lambda: fs.SpectralLoss(4, x=X1, weight=torch.ones(5))(C, C))
    refuses("weight", TypeError, lambda: fs.SpectralLoss(4, x=X1, weight="sobolev")(C, C))
    refuses("weight", ValueError, lambda: fs.SpectralLoss(4, x=X1, weight=lambda k: torch.ones(3))(C, C))
    refuses("quadrature", ValueError, lambda: fs.SpectralLoss(4, x=X1, quadrature=torch.ones(7))(C, C))
    refuses("eps", ValueError, lambda: fs.SpectralLoss(4, x=X1, eps=2.0))
    refuses("period", ValueError, lambda: fs.SpectralLoss(4, x=X1, period=-1.0))


def test_message_says_what_it_was_and_what_it_must_be():
    with pytest.raises(ValueError, match=r"eps.*2\.5.*\b0 and 1\b"):
        fs.nufft1(X1, C, 4, eps=2.5)
    with pytest.raises(ValueError, match=r"\bc\b.*\b7\b.*\b8\b"):
        fs.nufft1(X1, C[:7], 4)


MODEL = torch.nn.Linear(1, 1)
Q = torch.quantize_per_tensor(C, 0.1, 0, torch.qint8)
UNLIKELY = {
    "sign of several": (TypeError, "sign", lambda: fs.nufft1(X1, C, 4, sign=C)),
    "sign of a tensor": (TypeError, "sign", lambda: fs.Plan(X1, 4).nufft2(C[:4], sign=torch.tensor(1))),
    "sparse pred": (TypeError, "pred", lambda: fs.SpectralLoss(4, x=X1)(C.to_sparse(), C)),
    "sparse weight": (TypeError, "weight", lambda: fs.SpectralLoss(8, x=X1, weight=C.to_sparse())(C, C)),
    "float8": (TypeError, "c", lambda: fs.nufft1(X1, C.to(torch.float8_e5m2), 4)),
    "float8 pred": (TypeError, "pred", lambda: fs.SpectralLoss(4, x=X1)(C.to(torch.float8_e4m3fn), C)),
    "quantised": (TypeError, "c", lambda: fs.nufft1(X1, Q, 4)),
    "quantised target": (TypeError, "target", lambda: fs.spectral_loss(fs.Plan(X1, 4), C, Q)),
    "quantised eps": (TypeError, "eps", lambda: fs.Plan(X1, 4, eps=Q)),
    "no reduction": (ValueError, "reduction", lambda: fs.SpectralLoss(4, x=X1, reduction=[])),
    "relative to what": (TypeError, "relative", lambda: fs.SpectralLoss(4, x=X1, relative=C)),
    "quadrature by name": (TypeError, "quadrature", lambda: fs.SpectralLoss(4, x=X1, quadrature="even")),
    "sobolev of none": (TypeError, "k", lambda: fs.weights.sobolev(1.0)(None)),
    "no plan": (TypeError, "plan", lambda: fs.spectral_loss(None, C, C)),
    "no points to precondition": (TypeError, "x_or_plan", lambda: fs.precondition.spectral(C, None, C)),
    "complex aliases": (TypeError, "k", lambda: fs.measure.alias_report(X1, C, X1, C, C[:2] + 0j)),
    "complex modes": (TypeError, "modes", lambda: fs.measure.ntk_rates(MODEL, X1, C[:2] + 0j)),
    "target by frequencies": (
        ValueError,
        "target",
        lambda: fs.SpectralMonitor(X1, NAN * C, torch.ones(2), method="frequencies"),
    ),
    "points not there": (ValueError, "x", lambda: fs.SpectralMonitor(X1.to("meta"), C.to("meta"), 4)),
    "places not held": (
        ValueError,
        "index",
        lambda: fs.SpectralLoss(4, x=X1)(C[:2], C[:2], index=torch.tensor([0, 8])),
    ),
    "frequencies": (ValueError, "frequencies", lambda: fs.SpectralLoss(frequencies=INF * C, x=X1)(C, C)),
    "tiny period": (ValueError, "period", lambda: fs.nufft1(X1, C, 4, period=1e-310)),
    "tiny period of a loss": (ValueError, "period", lambda: fs.SpectralLoss(4, x=X1, period=1e-310)),
    "tiny period of a plan": (ValueError, "period", lambda: fs.Plan(X2, (4, 4), period=(1.0, 1e-320))),
    "ridge": (ValueError, "ridge", lambda: fs.theory.min_norm_interpolant(X1, C, 3.0, 21, ridge=C)),
    "no neurons": (ValueError, "w", lambda: fs.theory.lfp_rate(C, d=1, w=torch.ones(0))),
}


@pytest.mark.parametrize(("error", "named", "call"), UNLIKELY.values(), ids=UNLIKELY)
def test_what_nobody_should_pass(error, named, call):
    with pytest.raises(error, match=rf"^{named}(\(k\))?: "):
        call()


ZERO_ROWS = {
    "nufft1": ((0, 8), lambda c: fs.nufft1(X1, c, 5), (0, 5)),
    "rnufft1": ((2, 0, 8), lambda c: fs.rnufft1(X1, c, 5), (2, 0, 3)),
    "nufft2": ((0, 5), lambda f: fs.nufft2(X1, f), (0, 8)),
    "rnufft2": ((0, 3), lambda f: fs.rnufft2(X1, f + 0j, 5), (0, 8)),
    "nufft3": ((0, 8), lambda c: fs.nufft3(X1, c, X1[:3]), (0, 3)),
    "sets": ((0, 8), lambda c: fs.nufft1(X1.expand(0, 8, 1), c, 5), (0, 5)),
    "loss": ((0, 8, 2), lambda p: fs.SpectralLoss(5, x=X1, reduction="none")(p, p + 1), (0, 2)),
    "sum": ((8, 0), lambda p: fs.SpectralLoss(5, x=X1, reduction="sum", relative=True)(p, p + 1), ()),
    "frequencies": ((0, 8, 1), lambda p: fs.SpectralLoss(frequencies=C, x=X1, reduction="none")(p, p + 1), (0, 1)),
    "spectral": ((8, 0), lambda h: fs.precondition.spectral(h, X1, torch.ones(5)), (8, 0)),
    "filter": ((8, 0), lambda y: fs.measure.gaussian_filter(X1, y, [0.1]), (1, 8, 0)),
    "fwht": ((0, 8), fs.walsh.fwht, (0, 8)),
}


@both_algorithms
@pytest.mark.parametrize(("shape", "call", "wanted"), ZERO_ROWS.values(), ids=ZERO_ROWS)
def test_no_rows_give_no_rows(shape, call, wanted):
    data = torch.zeros(shape, requires_grad=True)
    out = call(data)
    assert out.shape == wanted and not out.detach().any()
    out.abs().sum().backward()
    assert data.grad.shape == shape


@pytest.mark.parametrize(
    ("dtype", "eps", "warned"),
    [
        (torch.float32, 1e-7, True),
        (torch.float32, 1e-6, False),
        (torch.float64, 1e-16, True),
        (torch.float64, 1e-14, False),
    ],
)
def test_an_eps_that_rounding_does_not_allow_warns(dtype, eps, warned):
    x = X1.to(dtype)
    for call in (
        lambda: fs.nufft1(x, C.to(dtype), 4, eps=eps),
        lambda: fs.Plan(x, 4, eps=eps),
        lambda: fs.SpectralLoss(4, eps=eps)(C.to(dtype), C.to(dtype), x),
    ):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call()
        said = [str(w.message) for w in caught]
        assert bool(said) == warned and all(
            re.match(rf"eps: was {eps}, below .* {str(dtype)[6:]} gives", s) for s in said
        )


def test_nan_strengths_stay_nan():
    """Strengths may be anything a network returns; only the points steer memory accesses."""
    c = C.clone()
    c[2] = NAN
    assert fs.nufft1(X1, c, 4).isnan().all()


HOSTILE = """
import torch, fastspec as fs
for x in (torch.full((8, 2), float("nan")), torch.full((8, 2), 1e300, dtype=torch.float64), torch.full((8, 2), 3e38)):
    for call in (lambda: fs.nufft1(x, torch.ones(8, dtype=x.dtype), (5, 6)), lambda: fs.Plan(x, (5, 6))):
        try:
            call()
        except ValueError as error:
            assert "x" in str(error)
print("alive")
"""


def test_hostile_points_do_not_end_the_process():
    done = subprocess.run([sys.executable, "-c", HOSTILE], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "alive", done.stderr
