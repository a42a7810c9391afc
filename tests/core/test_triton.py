"""The Triton kernels: their results in Triton's interpreter and on a GPU, and what its compiler makes of them."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import interpreted
import pytest
import torch

import fastspec._core.triton

pytest.importorskip("triton")
TOLERANCE = {torch.float32: 3e-6, torch.float64: 1e-13}
SUMS = [
    (1, 200, 70, 1, False, -1, 1e4),  # d, points, frequencies, rows, complex, sign, phase
    (3, 1, 1, 1, True, 1, 10.0),
    (8, 1200, 40, 1, False, -1, 1e4),  # several chunks, several shares
    (8, 130, 65, 2, True, 1, 1e4),
    (20, 40, 33, 9, True, -1, 1e4),  # several slices of dimensions, many rows
    (40, 70, 20, 3, False, 1, 100.0),
]
ON_MODES = [
    ((70,), 40, 1, 2, False, True),  # modes, points, sets, channels, real, centered; several tiles of rows
    ((10,), 30, 2, 1, True, False),
    ((600,), 5, 1, 1, False, False),
    ((8, 13), 300, 1, 1, True, True),  # several shares of the points
    ((5, 34), 20, 2, 2, False, False),  # several tiles of columns
    ((6, 5, 4), 40, 1, 1, False, True),
    ((3, 4, 6), 30, 2, 2, True, False),
    ((1, 6, 1), 3, 1, 1, True, True),
]
FILTERS = [
    (1, 1, 1, 1, 1),  # points, d, channels, widths, sets of values
    (130, 3, 1, 2, 1),
    (90, 64, 1, 3, 1),
    (50, 20, 5, 9, 1),  # several groups of channels and of widths
    (40, 70, 2, 3, 3),
]
ROUNDED = {  # relative errors of what is low-passed and of the normalisers, by the docstring's dimensions
    "tf32": {3: (6e-4, 2e-4), 64: (1e-4, 1e-4)},
    "bf16": {3: (5e-3, 4e-3), 64: (1e-3, 4e-3)},
}
ROUNDED_FILTERS = [(130, 3, 1, 2, 1), (90, 64, 1, 3, 1), (20, 3, 17, 2, 1), (40, 64, 2, 12, 12), (1, 3, 1, 1, 1)]


@pytest.fixture(scope="module")
def run():
    """Calls a function of interpreted.py in a process of its own, where the kernels are interpreted."""
    before = os.environ.get("TRITON_INTERPRET")
    os.environ["TRITON_INTERPRET"] = "1"
    try:
        pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        pool.submit(os.getpid).result()  # starts it
    finally:
        os.environ.pop("TRITON_INTERPRET")
        if before is not None:
            os.environ["TRITON_INTERPRET"] = before
    with pool:
        yield lambda *args: pool.submit(*args).result()


def check(errors: dict, dtype: torch.dtype) -> None:
    assert all(error <= TOLERANCE[dtype] for error in errors.values()), errors


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("case", SUMS, ids=str)
def test_sums(run, dtype, case):
    check(run(interpreted.sums, dtype, *case), dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_sums_of_nothing(run, dtype):
    check(run(interpreted.no_sums, dtype), dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("case", ON_MODES, ids=str)
def test_sums_on_modes(run, dtype, case):
    check(run(interpreted.on_modes, dtype, *case), dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_sums_on_modes_of_nothing(run, dtype):
    check(run(interpreted.on_no_modes, dtype), dtype)


def test_sums_on_modes_are_few_launches():
    from benchmarks.tools import triton_resources

    for op, call in triton_resources.on_modes(torch.float32).items():
        with triton_resources.recorded() as launches:
            call()
        assert len(launches) == (2 if "type1" in op else 1), op


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"modes": (4,), "period": [1.0]}, "one number per axis"),
        ({"modes": (4, 0)}, "modes at least 1"),
        ({"period": [1.0]}, "modes and period"),
        ({"sign": 2}, "sign: must be"),
        ({"x": torch.zeros(1, 5, 2)}, "x: wrong dtype"),
        ({"x": torch.zeros(2, 5, 2, dtype=torch.float64)}, "x: must be"),
        ({"strengths": torch.zeros(1, 1, 4, dtype=torch.float64)}, "strengths: one for each"),
    ],
)
def test_wrong_sums_on_modes_touch_no_memory(change, complaint):
    from fastspec._core.triton.direct import direct_type1

    x, strengths = (torch.zeros(1, *shape, dtype=torch.float64) for shape in ((5, 2), (1, 5)))
    good = dict(x=x, strengths=strengths, modes=(4, 4), period=[1.0] * 2, centered=True, sign=-1)
    with pytest.raises(RuntimeError, match=complaint):
        direct_type1(**(good | change))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("case", FILTERS, ids=str)
def test_filter(run, dtype, case):
    check(run(interpreted.filters, dtype, *case), dtype)


def check_rounded(errors: dict, precision: str, dim: int) -> None:
    assert all(e <= most for e, most in zip(errors.values(), ROUNDED[precision][dim], strict=True)), errors


@pytest.mark.parametrize("precision", ROUNDED)
@pytest.mark.parametrize("case", ROUNDED_FILTERS, ids=str)
def test_filter_of_rounded_points(run, precision, case):
    check_rounded(run(interpreted.rounded_filters, precision, *case), precision, case[1])


def test_every_kernel_compiles_for_hopper_without_spilling():
    """The first configuration of each; ``make resources`` compiles all."""
    from benchmarks.tools import triton_resources

    seen, spilled = set(), []
    for dtype in TOLERANCE:
        for op, launch in triton_resources.launches_of(dtype):
            name = launch.function.__module__, launch.function.__name__, dtype
            if name not in seen:
                seen.add(name)
                row = triton_resources.compiled(op, launch, launch.configs[0], 90)
                spilled += [row] if row.spilled_bytes else []
    assert len(seen) == 23
    assert not spilled


def test_ops_are_registered_for_cuda():
    found = [name for name in fastspec._core.triton.HOMES if hasattr(torch.ops.fastspec, name)]
    assert "direct_type1" in found
    assert all(torch._C._dispatch_has_kernel_for_dispatch_key(f"fastspec::{name}", "CUDA") for name in found)


def test_one_warning_where_triton_is_missing(monkeypatch):
    monkeypatch.setattr(fastspec._core.triton, "find_spec", lambda name: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.warns(RuntimeWarning, match="Triton is not installed") as caught:
        assert fastspec._core.triton.register() is None
    assert len(caught) == 1


# --- on a GPU ---------------------------------------------------------------------------------------------------------


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(
    "case", [*SUMS, (8, 100_000, 500, 1, False, -1, 1e4), (3, 5000, 300, 9, True, 1, 1e4)], ids=str
)
def test_sums_on_gpu(dtype, case):
    check(interpreted.sums(dtype, *case, device="cuda"), dtype)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_sums_of_nothing_on_gpu(dtype):
    check(interpreted.no_sums(dtype, device="cuda"), dtype)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(
    "case",
    [
        *ON_MODES,
        ((8001,), 500, 1, 1, False, False),
        ((16, 16), 20_000, 1, 1, True, True),
        ((64, 64), 1000, 1, 3, False, True),
        ((16,) * 3, 900, 2, 1, True, True),
    ],
    ids=str,
)
def test_sums_on_modes_on_gpu(dtype, case):
    check(interpreted.on_modes(dtype, *case, device="cuda"), dtype)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_sums_on_modes_of_nothing_on_gpu(dtype):
    check(interpreted.on_no_modes(dtype, device="cuda"), dtype)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("case", [*FILTERS, (1500, 64, 2, 20, 1), (700, 784, 1, 3, 1)], ids=str)
def test_filter_on_gpu(dtype, case):
    check(interpreted.filters(dtype, *case, device="cuda"), dtype)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ROUNDED)
@pytest.mark.parametrize("case", [*ROUNDED_FILTERS, (5000, 64, 1, 20, 1)], ids=str)
def test_filter_of_rounded_points_on_gpu(precision, case):
    check_rounded(interpreted.rounded_filters(precision, *case, device="cuda"), precision, case[1])


def gpu_calls():
    """A call of each op on the GPU."""
    from fastspec._core.triton import direct, exponential_sums, gaussian, gaussian_rounded

    def normal(*shape, dtype=torch.float32):
        return torch.randn(shape, device="cuda", dtype=dtype)

    x, s, c, g = normal(3000, 8), normal(200, 8), normal(1, 3000), normal(1, 200, dtype=torch.complex64)
    y, deltas = normal(1, 3000, 2), torch.tensor([1.0, 4.0], device="cuda", dtype=torch.float64)
    points, modes, strengths = normal(1, 3000, 2), normal(1, 3, 20, 9, dtype=torch.complex64), normal(1, 3, 3000)
    on_modes = (20, 17), [1.0, 2.0], True
    return {
        "direct_type1": lambda: direct.direct_type1(points, strengths, *on_modes, -1),
        "direct_type2": lambda: direct.direct_type2(points, modes, *on_modes, 1, True),
        "direct_type2_gradient": lambda: direct.direct_type2_gradient(points, modes, strengths, *on_modes, 1, False)[1],
        "exponential_sums": lambda: exponential_sums.exponential_sums(x, c, s, -1),
        "exponential_sums_real": lambda: exponential_sums.exponential_sums_real(x, c, s, -1),
        "many": lambda: exponential_sums.exponential_sums(x, y[0].mT.repeat(3, 1), s, -1),
        "exponential_sums_gradient": lambda: exponential_sums.exponential_sums_gradient(x, c, s, g, -1),
        "gaussian_filter": lambda: gaussian.gaussian_filter(x, y, deltas)[0],
        "gaussian_filter_gradient": lambda: gaussian.gaussian_filter_gradient(x, y, deltas, y.expand(2, -1, -1)),
        "gaussian_filter_rounded": lambda: gaussian_rounded.gaussian_filter_rounded(x, y, deltas, "tf32")[0],
    }


GPU_OPS = (
    "direct_type1",
    "direct_type2",
    "direct_type2_gradient",
    "exponential_sums",
    "exponential_sums_real",
    "many",
    "exponential_sums_gradient",
    "gaussian_filter",
    "gaussian_filter_gradient",
    "gaussian_filter_rounded",
)


@pytest.mark.gpu
@pytest.mark.parametrize("op", GPU_OPS)
def test_no_op_waits_and_each_is_deterministic_and_captured(op):
    call = gpu_calls()[op]
    first = call()  # tunes
    torch.cuda.set_sync_debug_mode("error")
    try:
        again = call()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.equal(first, again)  # which waits itself
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = call()
    captured.zero_()
    graph.replay()
    assert torch.equal(first, captured)
