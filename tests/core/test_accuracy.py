"""Float64 keeps its accuracy where there are many modes, and many periods away, by every way there is.

A phase is a wavenumber times a coordinate: what a coordinate loses when it is folded and scaled, its largest wavenumber
makes of it. The exact sums are of tests/support/exact.py.
"""

import math

import exact
import pytest
import torch
from samples import relative_error

import fastspec as fs
from fastspec import _C
from fastspec._core import fallback

TAU = math.tau
CASES = {  # modes, period, periods from the origin
    "many modes": ((400_000,), [TAU], 0),
    "many modes, another period": ((400_000,), [0.37], 0),
    "many modes along one axis": ((100_000, 2), [TAU, 3.0], 0),
    "far away": ((1000,), [TAU], 10**6),
    "far away, another period": ((30, 20), [1.1, 1.0], 10**6),
    "far away in 3-D": ((12, 10, 8), [TAU, 0.1, 7.0], 10**6),
}
pytestmark = pytest.mark.parametrize("case", CASES)


def sums(case, count=100):
    """Points, strengths, places of some modes, their wavenumbers and exact sums."""
    modes, period, far = CASES[case]
    gen, d = torch.Generator().manual_seed(len(case)), len(modes)
    x = (torch.rand(count, d, generator=gen, dtype=torch.float64) - 0.5 + far) * torch.tensor(period)
    c = torch.randn(count, generator=gen, dtype=torch.complex128)
    places = torch.stack([torch.randint(n, (40,), generator=gen) for n in modes], -1)
    k = places - torch.tensor([n // 2 for n in modes])
    return x, c, modes, period, places, k, exact.exponentials(x, k, period) @ c


@pytest.mark.parametrize(("algorithm", "largest"), [("gridding", 2e-13), ("direct", 1e-14)])
def test_type_1_meets_eps(case, algorithm, largest):
    x, c, modes, period, places, _, want = sums(case)
    if algorithm == "direct" and math.prod(modes) > 10**5:
        x, c = x[:20], c[:20]
        want = exact.exponentials(x, places - torch.tensor([n // 2 for n in modes]), period) @ c
    plan = fs.Plan(x, modes, eps=1e-13, period=period, algorithm=algorithm)
    assert relative_error(plan.nufft1(c)[places.unbind(-1)], want) <= largest


def test_every_level_keeps_the_points_digits(case):
    x, c, modes, period, places, _, want = sums(case)
    before = _C.instruction_set()
    try:
        for level in _C.instruction_sets():
            _C.select_instruction_set(level)
            plan = fs.Plan(x, modes, eps=1e-13, period=period, algorithm="gridding")
            assert relative_error(plan.nufft1(c)[places.unbind(-1)], want) <= 2e-13, level
    finally:
        _C.select_instruction_set(before)


def test_float32_strengths_of_float64_points(case):
    x, c, modes, period, places, _, want = sums(case)
    plan = fs.Plan(x, modes, eps=1e-6, period=period, algorithm="gridding")
    assert relative_error(plan.nufft1(c.to(torch.complex64))[places.unbind(-1)], want) <= 2e-6


def test_the_oracle_and_plain_torch(case):
    x, c, modes, period, places, k, want = sums(case)
    axes = [fs.reference.cycles(x[:, a], k[:, a], period[a]) for a in range(len(modes))]
    assert relative_error(torch.exp(-2j * math.pi * sum(axes)).mT @ c, want) <= 1e-14
    if math.prod(modes) <= 10**5:
        oracle = fs.reference.nufft1(x, c, modes, period=period)
        assert relative_error(oracle[places.unbind(-1)], want) <= 1e-14
        plain = fallback.direct_type1(x[None], c[None, None], modes, period, True, -1)[0, 0]
        assert relative_error(plain, oracle) <= 1e-14


def test_exponential_sums(case):
    x, c, _, _, _, k, _ = sums(case)
    s, tau = k.double(), [TAU] * x.shape[1]
    want = exact.exponentials(x, k, tau) @ c
    for got in (
        fs.nufft3(x, c, s),
        fs.reference.nufft3(x, c, s),
        fallback.exponential_sums(x, c[None], s, -1)[0],
    ):
        assert relative_error(got, want) <= 1e-13
