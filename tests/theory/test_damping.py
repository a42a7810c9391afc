"""Effective rates under damping, and the damping at which their exponent is critical."""

import pytest
import torch

import fastspec as fs


def test_effective_rates():
    rates = torch.tensor([100.0, 1.0, 0.01])
    assert torch.allclose(fs.theory.effective_rates(rates, 1.0), torch.tensor([100 / 101, 0.5, 0.01 / 1.01]))


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("alpha", [3.0, 4.0])
def test_critical_damping_leaves_the_critical_exponent(d, alpha):
    k = torch.arange(1.0, 200.0, dtype=torch.float64)
    rates = k**-alpha
    c = fs.theory.critical_damping(rates, k, d=d)
    kept = rates > 1e-7 * rates.max()
    left = fs.measure.decay_exponent(fs.theory.effective_rates(rates, c)[kept], k[kept])
    assert left == pytest.approx(d, abs=1e-3)
    assert c < rates.max()


def test_of_eigenvalues_by_their_number():
    """In two dimensions about π k² modes lie within |k|."""
    k = torch.cartesian_prod(torch.arange(-20.0, 21), torch.arange(-20.0, 21)).double().norm(dim=1)
    rates = k[(k > 0) & (k <= 20)] ** -4.0
    sorted_k = k[(k > 0) & (k <= 20)]
    by_modes, by_number = fs.theory.critical_damping(rates, sorted_k, d=2), fs.theory.critical_damping(rates, d=2)
    assert by_number == pytest.approx(by_modes, rel=0.35)


def test_a_kernel_that_is_critical_already_is_hardly_damped():
    k = torch.arange(1.0, 100.0)
    assert fs.theory.critical_damping(k**-0.5, k, d=1) == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: fs.theory.effective_rates(torch.ones(2), 0.0), ValueError, "damping: was 0.0, must be positive"),
        (lambda: fs.theory.effective_rates(torch.ones(2, dtype=torch.int64), 1.0), TypeError, "rates: dtype was"),
        (lambda: fs.theory.critical_damping(torch.ones(9), d=0), ValueError, "d: was 0, must be a positive int"),
        (
            lambda: fs.theory.effective_rates(torch.ones(2), float("inf")),
            ValueError,
            "damping: was inf, must be positive",
        ),
        (lambda: fs.theory.critical_damping(torch.ones(9) + 0j), TypeError, "rates: dtype was"),
        (lambda: fs.theory.critical_damping(torch.ones(9) / 0), ValueError, "rates: had non-finite numbers"),
        (lambda: fs.theory.critical_damping(torch.zeros(9)), ValueError, "rates: had none above 0"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
