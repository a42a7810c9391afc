"""On a busy machine a difference of two times may be negative: that is noise, and the rest of a run goes on."""

import csv
import itertools
import math
import time

import pytest

from benchmarks import clocks, report, suite
from benchmarks.claims import memory, point_gradient
from benchmarks.clocks import CPU, EventClock, WallClock
from benchmarks.measure import Benchmark, Figure, Row

NOISY = [-1.0, 0.0, math.nan, math.inf]


def row(value: float, rival: float = 2.0, **more) -> Row:
    return Row("a case", 1, Figure("fastspec", value), Figure("other", rival), 0.6, **more)


@pytest.mark.parametrize("value", NOISY)
@pytest.mark.parametrize("side", ["ours", "rival"])
def test_what_is_no_positive_number_is_noise(value, side):
    found = row(value) if side == "ours" else row(1.0, value)
    assert found.noisy and found.ratio is None and found.met is None
    assert report.record("fake", found)["ratio"] == "noise" and "noise" in report.cells("fake", found)


def test_a_limit_of_nothing_is_none():
    assert row(1.0, limit=0.0).times_limit is None and row(1.0, limit=0.5).times_limit == 2.0


@pytest.mark.parametrize("values", [[-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
def test_a_run_goes_on_past_noise(values, tmp_path, monkeypatch, capsys):
    def measure(case, seconds):
        yield row(case)

    fake = Benchmark("fake", values, measure, quick=values, mean_target=0.5, rows_per_case=1)
    monkeypatch.setattr(suite.Room, "names", lambda self: ["fake"])
    monkeypatch.setattr(suite.Room, "benchmark", lambda self, name: fake)
    assert suite.CLAIMS.run([], True, None, tmp_path)
    said, noisy = capsys.readouterr().out, sum(value < 0 for value in values)
    assert said.count("noise") >= noisy
    with (tmp_path / "fake.csv").open(newline="") as file:
        assert [entry["ratio"] for entry in csv.DictReader(file)].count("noise") == noisy
    if noisy == 1:
        assert "fake: 1 of 2 met; geometric mean 0.500, target 0.5, 1 thread(s) 0.500, noise in 1" in said
    else:
        assert "fake: noise in 2 of 2 rows" in said and "no rival" not in said


def test_no_rival_is_no_noise():
    alone = Row("a case", 1, Figure("fastspec", 1.0))
    assert not alone.noisy and report.means(Benchmark("fake", [], None, []), [alone]) == "fake: no rival here"


def test_a_gradient_that_seems_to_take_no_time_is_noise(monkeypatch):
    """With a clock by which forward and backward take less than forward alone."""
    pytest.importorskip("finufft")
    monkeypatch.setattr(WallClock, "medians", lambda self, calls, seconds: {"plain": 2e-3, "both": 1e-3})
    rows = list(point_gradient.measure(point_gradient.CASES[0], 0.01))
    assert rows and all(found.noisy for found in rows)
    assert "noise" in report.table({"point_gradient": rows})
    report.means(point_gradient.BENCHMARK, rows)


def test_memory_that_seems_to_shrink_is_noise(monkeypatch):
    monkeypatch.setattr(memory, "in_a_process", lambda *_: {"growth": -4096, "needed": 2**20})
    rows = list(memory.measure(memory.CASES[0], 0.0))
    assert len(rows) == len(CPU.threads) and all(found.noisy for found in rows)
    report.means(memory.BENCHMARK, rows)


@pytest.mark.parametrize("step", [0.0, -1e-3, 1e-12])
def test_a_clock_that_hardly_moves_is_not_waited_for(step, monkeypatch):
    monkeypatch.setattr(clocks, "PAUSE", 0)
    ticks = itertools.count()
    clock = WallClock(now=lambda: step * next(ticks))
    start = time.perf_counter()
    clock.medians({"a": lambda: None, "b": lambda: None}, seconds=0.01)
    assert time.perf_counter() - start < 20


def test_events_that_take_no_time_are_not_waited_for(monkeypatch):
    monkeypatch.setattr("torch.cuda.synchronize", lambda: None)
    monkeypatch.setattr(EventClock, "seconds", lambda self, call: 0.0)
    start = time.perf_counter()
    assert EventClock().medians({"a": lambda: None}, seconds=0.02) == {"a": 0.0}
    assert time.perf_counter() - start < 10
