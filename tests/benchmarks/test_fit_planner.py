"""The planner's costs as its tool has them, and what the tool fits to times made up from rates that are known."""

import random
import sys
from dataclasses import replace

import pytest
import torch
from samples import any_box

from benchmarks import clocks
from benchmarks.clocks import ONE_THREAD
from benchmarks.measure import Case, Figure, Row, Size
from benchmarks.tools import costs, fit_cuda, fit_planner
from benchmarks.tools.costs import Work, planners_cuda, total
from benchmarks.tools.fits import Timed, fitted, residuals
from fastspec import _C

pytestmark = any_box

CPU, CUDA = costs.read("cpu_rates"), costs.read("cuda_rates")


def works(n: int, cuda: bool):
    """Random transforms, as planned, and the planner's choice."""
    rng = random.Random(0)
    for _ in range(n):
        dim, single, complex = rng.choice((1, 2, 3)), rng.random() < 0.5, rng.random() < 0.5
        modes = tuple(int((1e5, 600, 100)[dim - 1] ** rng.random()) for _ in range(dim))
        points, eps = int(10 ** rng.uniform(0, 6.5)), 10 ** rng.uniform(-6 if single else -12, -1)
        choice = _C.choose_plan(modes, points, eps, single=single, complex=complex, cuda=cuda)
        grid = tuple(choice.cells), tuple(choice.tile), choice.width
        yield Work(modes, points, single, complex, *grid), choice


def test_the_costs_are_the_planners():
    for w, choice in works(300, cuda=False):
        use = "complex" if w.complex else "real"
        assert costs.planners_gridding(w, CPU) == pytest.approx(getattr(choice.gridding, use), rel=1e-12)
        assert costs.planners_gridding(w, CPU) == pytest.approx(choice.nanoseconds, rel=1e-12)
        assert costs.planners_direct(w, CPU) == pytest.approx(getattr(choice.direct, use), rel=1e-12)
        steps = choice.gridding.step, choice.direct.step
        assert costs.planners_steps(w, CPU) == pytest.approx(steps, rel=1e-12)
    for w, choice in works(100, cuda=True):
        assert CUDA["call"] + planners_cuda(w, CUDA) == pytest.approx(choice.nanoseconds, rel=1e-12)
        of_sums = choice.direct.complex if w.complex else choice.direct.real
        assert costs.planners_cuda_direct(w, CUDA) == pytest.approx(of_sums, rel=1e-12)


def test_rates_are_written_where_they_were_read(tmp_path):
    path = tmp_path / "rates.h"
    path.write_text(costs.RATES.read_text())
    costs.write("cpu_rates", {name: 3.25 * value for name, value in CPU.items()}, "Measured here,\nand now.", path)
    assert costs.read("cpu_rates", path) == pytest.approx({name: 3.25 * v for name, v in CPU.items()}, rel=1e-3)
    assert costs.read("cuda_rates", path) == CUDA
    text, start, end = path.read_text(), "// Measured here,\n// and now.\ninline constexpr CpuRates cpu_rates{", "\n};"
    before = costs.RATES.read_text()
    assert text[: text.index(start)] == before[: text.index(start)]
    rest = text[text.index(end, text.index(start)) :]
    assert before.endswith(rest) and "cuda_rates" in rest


def test_a_fit_finds_the_rates_beside_those_known():
    true = {"a": 2.0, "b": 0.001, "c": 5.0}
    spent = [{"a": 10.0, "b": 1e5, "c": 1.0}, {"a": 1.0, "b": 3e5}, {"a": 400.0, "c": 2.0}, {"b": 1e3, "c": 9.0}]
    timed = [Timed(cost, total(cost, true)) for cost in spent]
    assert fitted(timed) == pytest.approx(true)
    assert fitted(timed, {"c": 5.0}) == pytest.approx({"a": 2.0, "b": 0.001})
    assert residuals("these", timed, true) == "these 0% and 0%"
    assert fitted([Timed({"a": 1.0, "b": 2.0}, 2.0), Timed({"a": 2.0, "b": 1.0}, 0.5)])["a"] == 0


@pytest.fixture
def made_up(monkeypatch):
    """Times as they would be at half today's rates, by the formulas of costs.py."""
    true = {name: value / 2 for name, value in CPU.items()} | {f"call[{i}]": 9e3 for i in range(3)}
    current, planned = [], fit_planner.planned

    def remembered(size, eps, dtype, complex, algorithm, *device):
        *rest, work = planned(size, eps, dtype, complex, algorithm, *device)
        current[:] = work, algorithm
        return *rest, work

    def times(calls, clock=ONE_THREAD):
        work, algorithm = current
        if "spread" in calls:
            taken = total(costs.meeting_points(work), true)
        elif "gridding" in calls:
            return dict(zip(("gridding", "direct"), (7e3 + t for t in costs.planners_steps(work, true)), strict=True))
        elif algorithm == "direct":
            taken = costs.planners_direct(work, true)
        elif work.points > 3000:
            taken = true["call[0]"] + total(costs.gridding(work), true)
        else:
            taken = costs.planners_gridding(work, true)
        return dict.fromkeys(calls, taken)

    monkeypatch.setattr(fit_planner, "planned", remembered)
    monkeypatch.setattr(fit_planner, "least_medians", times)
    before = torch.get_num_threads()
    yield true
    torch.set_num_threads(before)


def test_a_cpus_rates_are_found_again(made_up):
    rates, said = fit_planner.cpu_rates(quick=False)
    assert rates == pytest.approx(made_up, rel=1e-6)
    assert len(said) == 4 and all(part.endswith("0% and 0%") for part in said)


def test_a_gpus_rates_are_found_again(monkeypatch):
    true = {name: 0.7 * (value or 1e-3) for name, value in CUDA.items()} | {"complex_numbers": 1.3}
    measured = [(w, planners_cuda(w, true, fft=False), planners_cuda(w, true)) for w, _ in works(200, cuda=True)]
    monkeypatch.setattr(fit_planner, "gridded", lambda *_: iter(measured))
    called = [("call", 0.0), ("direct_call", 0.0), ("direct_call", 1e6)]
    few = [Timed({name: 1.0, "pair": pairs}, true[name] + true["pair"] * pairs) for name, pairs in called]
    monkeypatch.setattr(fit_planner, "few_on_gpu", lambda _: iter(few))
    rates, said = fit_planner.cuda_rates(quick=False)
    assert rates == pytest.approx(true, rel=1e-6) and said == ["stages and transforms 0% and 0%"]


TABLES = [costs.RATES.parents[2] / "benchmarks" / "results" / "h100" / "kernels.csv"]


def test_a_gpus_rates_are_fitted_to_tables(monkeypatch, capsys):
    """Those in use are; without a device, and without times in float64."""
    monkeypatch.setattr(sys, "argv", ["fit_planner", "--tables", str(TABLES[0])])
    fit_planner.main()
    said = capsys.readouterr().out
    assert "on NVIDIA H100 80GB HBM3, as kernels.csv has it" in said
    rates, _ = fit_planner.cuda_rates(quick=False, tables=TABLES)
    assert rates == pytest.approx(CUDA, rel=1e-3)


def test_tables_tell_stages_transforms_and_calls():
    measured = fit_cuda.of_tables(TABLES)
    whole, alone = ([s for s in measured.stages if s.fft == fft and len(s.work.cells) == 3] for fft in (True, False))
    assert len(whole) == 5 and len(alone) == 10  # by prototypes: the kernels of before are left out
    of = {(s.work.width, s.work.tile, s.work.complex, s.fft): s.nanoseconds for s in measured.stages}
    spread, interpolate, fft, inverse = 6.559e6, 2.568e6, 1.548e6, 1.770e6
    assert of[7, (16, 16, 16), False, False] == pytest.approx((spread + interpolate) / 2)
    assert of[7, (16, 16, 16), False, True] == pytest.approx((spread + interpolate + fft + inverse) / 2)
    assert [list(timed.cost) for timed in measured.others].count(["call"]) == 3


def test_the_smallest_calls_are_measured_on_a_gpu(monkeypatch):
    """Here on the CPU that stands in for one."""
    monkeypatch.setattr(fit_planner, "EAGER", ONE_THREAD)
    monkeypatch.setattr(fit_planner, "mean_of", lambda calls, clock: 1e5 * len([call() for call in calls.values()]))
    first, second = fit_planner.few_on_gpu(quick=True)
    assert first == Timed({"call": 1.0}, 2e5)
    assert second == Timed({"direct_call": 1.0, "pair": 1000 * 16 * 9}, 2e5)


@pytest.fixture
def hasty(monkeypatch):
    monkeypatch.setattr(clocks, "PAUSE", 0)
    monkeypatch.setattr(clocks, "TURN", 0)
    large, small = [Size(3000, (100,)), Size(300, (9, 8)), Size(300, (4, 4, 4))], [Size(9, (5,)), Size(8, (3, 2))]
    monkeypatch.setattr(fit_planner, "QUICK", (large, small))
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_the_tool_measures_and_writes_with_where_and_when(hasty, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(costs, "RATES", tmp_path / "rates.h")
    (tmp_path / "rates.h").write_text(costs.read.__defaults__[0].read_text())
    monkeypatch.setattr(sys, "argv", ["fit_planner", "--quick", "--write"])
    fit_planner.main()
    written, said = (tmp_path / "rates.h").read_text(), capsys.readouterr().out
    assert "cores" in written and str(fit_planner.date.today()) in written and "nine in ten: stages" in written
    assert "direct[1].sum" in said and costs.read("cpu_rates", tmp_path / "rates.h").keys() == CPU.keys()


def test_the_least_of_the_medians_counts():
    class Clock:
        found = iter((3e-9, 1e-9, 2e-9))

        def medians(self, calls, seconds, at_least):
            return dict.fromkeys(calls, next(self.found))

    assert fit_planner.least_medians({"a": int, "b": int}, Clock()) == {"a": 1, "b": 1}


def test_wrong_choices_are_told(monkeypatch):
    rows = [Row("good", 1, Figure("direct", 1.0), Figure("gridding", 2.0), 1.2)]
    rows += [Row("bad", 1, Figure("direct", 3.0), Figure("gridding", 2.0), 1.2)]
    monkeypatch.setattr(
        fit_planner.algorithms, "BENCHMARK", replace(fit_planner.algorithms.BENCHMARK, measure=lambda case, _: rows)
    )
    monkeypatch.setattr(fit_planner.algorithms, "QUICK", [Case(Size(1, (1,)))])
    said = fit_planner.check(quick=True)
    assert said.endswith("1 of 2 choices are within 1.2 of the better") and "bad" in said and "good" not in said


def test_errors_are_told_beside_those_expected(monkeypatch):
    """Where the planner expects half of what is measured, the quantiles double."""
    monkeypatch.setattr(fit_planner, "BY_DIMENSION", {1: ((20,), (31,))})
    before = fit_planner.errors(quick=True).splitlines()
    expected = fit_planner.expected_error
    monkeypatch.setattr(fit_planner, "expected_error", lambda plan: expected(plan) / 2)
    after = fit_planner.errors(quick=True).splitlines()
    for single, double in zip(before[1:], after[1:], strict=True):
        once, twice = (float(line.split()[-1]) for line in (single, double))
        assert 0.2 < once < 2 and twice == pytest.approx(2 * once, abs=0.02)
