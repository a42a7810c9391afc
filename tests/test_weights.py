"""Weights say what they were given where it is no wavenumber and no magnitude."""

import math

import pytest
import torch

import fastspec as fs
from fastspec import weights

WEIGHTS = {
    "sobolev": weights.sobolev(1.5),
    "power": weights.power(-1.0),
    "band": weights.band(1.0, 2.0),
    "lfp": weights.lfp(),
}
K = torch.tensor([[0, 1], [2, 3], [-1, 0]])


@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.parametrize("k", [None, 3.0, [1.0, 2.0], "k", K + 0j, K > 0], ids=lambda k: type(k).__name__)
def test_what_is_no_wavenumber_is_refused(name, k):
    with pytest.raises(TypeError, match=r"^k: (was|dtype was) .*, must be "):
        WEIGHTS[name](k)


@pytest.mark.parametrize("name", WEIGHTS)
def test_a_scalar_is_no_vector(name):
    with pytest.raises(ValueError, match=r"^k: was a scalar, must be \(\.\.\., d\)$"):
        WEIGHTS[name](torch.tensor(1.0))


@pytest.mark.parametrize("name", WEIGHTS)
def test_integer_wavenumbers_are_taken_as_floats(name):
    torch.testing.assert_close(WEIGHTS[name](K), WEIGHTS[name](K.float()))


@pytest.mark.parametrize(
    ("error", "named", "call"),
    [
        (TypeError, "magnitude", lambda: weights.focal()(None)),
        (TypeError, "magnitude", lambda: weights.focal()(torch.ones(2, 3) + 0j)),
        (TypeError, "rates", lambda: weights.from_rates(None, 1.0)),
        (TypeError, "rates", lambda: weights.from_rates(torch.ones(3) + 0j, 1.0)),
        (ValueError, "rates", lambda: weights.from_rates(torch.tensor([1.0, math.nan]), 1.0)),
        (TypeError, "s", lambda: weights.sobolev(None)),
        (ValueError, "p", lambda: weights.power(math.nan)),
        (TypeError, "lo", lambda: weights.band("a", 1.0)),
        (TypeError, "hi", lambda: weights.band(0.0, None)),
        (ValueError, "lo, hi", lambda: weights.band(0.0, math.nan)),
        (TypeError, "period", lambda: weights.lfp(period=None)),
        (ValueError, "period", lambda: weights.lfp(period=math.nan)),
    ],
)
def test_bad_arguments_are_named(error, named, call):
    with pytest.raises(error, match=rf"^{named}: "):
        call()


def test_a_loss_with_a_weight_compiles_as_before():
    x = torch.rand(50) * 6
    loss = fs.SpectralLoss(9, x=x, weight=lambda k: weights.sobolev(1.0)(k))
    value = torch.compile(loss, fullgraph=True, backend="eager")(x.sin(), x.cos())
    torch.testing.assert_close(value, loss(x.sin(), x.cos()))
