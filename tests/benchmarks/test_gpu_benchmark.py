"""The benchmarks of `make gpu`, rehearsed on the CPU: their rows, and what they would measure of a rival."""

import csv
import gc
import weakref
from dataclasses import replace
from types import SimpleNamespace

import failures
import pytest
import torch
from samples import any_box

import fastspec as fs
from benchmarks import limits, report, suite
from benchmarks.clocks import CUDA, EAGER, EventClock, Graph
from benchmarks.gpu import (
    _cufinufft,
    channels,
    direct,
    few_modes,
    fft,
    filter,
    loss,
    planning,
    stages,
    training,
    transforms,
    walsh,
)
from benchmarks.measure import Case, Size
from benchmarks.pairs import Filtering
from benchmarks.tools import fit_planner

pytestmark = any_box

CAPTURE, SECONDS = Graph.__post_init__, EventClock.seconds  # as they are, before they are rehearsed
SIZES = Size(200, (30,)), Size(300, (8, 9)), Size(300, (5, 6, 7))


class FakePlan:
    """cuFINUFFT's interface over our own transforms; its methods above 1 are refused."""

    def __init__(self, kind, modes, channels, eps, *, isign, dtype, gpu_method):
        if gpu_method > 1:
            raise RuntimeError("no such method")
        assert dtype == "complex64"
        self.kind, self.modes, self.eps, self.sign = kind, modes, eps, isign

    def setpts(self, *coordinates):
        self.plan = fs.Plan(torch.stack(coordinates, -1), self.modes, eps=self.eps)

    def execute(self, data):
        return getattr(self.plan, f"nufft{self.kind}")(data, sign=self.sign)


def called(clock, calls, seconds, at_least=5):
    for call in calls.values():
        call()
    return dict.fromkeys(calls, 1e-3)


@pytest.fixture(autouse=True)
def on_cpu(monkeypatch):
    for clock in (CUDA, EAGER):
        monkeypatch.setattr(clock, "device", "cpu")
    monkeypatch.setattr(EventClock, "name", "a device")
    monkeypatch.setattr(EventClock, "medians", called)
    monkeypatch.setattr(Graph, "__post_init__", lambda graph: None)
    monkeypatch.setattr(Graph, "__call__", lambda graph: graph.call())
    monkeypatch.setattr(limits, "on_this_machine", lambda stages, threads, x: 2e-4)
    for module in (direct, filter):
        monkeypatch.setattr(module, "special_functions", lambda: 1e9)
    for module in (few_modes, fft, stages, walsh):
        monkeypatch.setattr(module, "copy_bandwidth", lambda device: 1e9)
    for name in ("synchronize", "empty_cache"):
        monkeypatch.setattr(torch.cuda, name, lambda: None)


def rows_of(module, cases):
    return list(replace(module.BENCHMARK, cases=cases).rows(quick=False, seconds=0.0))


@pytest.mark.parametrize("rival", [None, SimpleNamespace(Plan=FakePlan)], ids=["alone", "rival"])
@pytest.mark.parametrize("eps", [1e-3, 1e-6])
@pytest.mark.parametrize("size", SIZES[:2], ids=str)
def test_losses_and_transforms_are_measured_and_written(rival, eps, size, monkeypatch, tmp_path):
    monkeypatch.setattr(_cufinufft, "cufinufft", rival)
    rows = rows_of(loss, [Case(size, eps)])
    rows += rows_of(transforms, [Case(size, eps, kind=kind) for kind in ("nufft1", "nufft2")])
    rows += rows_of(channels, [Case(size, eps, kind="nufft1")])
    report.write_csv(tmp_path / "gpu.csv", [report.record("gpu", row) for row in rows])
    with (tmp_path / "gpu.csv").open() as file:
        written = list(csv.DictReader(file))
    assert [row["ours"] for row in written] == ["fastspec", "fastspec, as a graph"] * 4
    assert {(row["device"], row["times_limit"], row["threads"]) for row in written} == {("a device", "5.00", "")}
    assert all(float(row["ours_error"]) <= eps for row in written)
    if rival:
        assert all(float(row["rival_error"]) <= eps for row in written)
        assert {row["rival"] for row in written} == {"cuFINUFFT method 0"}
    else:
        assert {(row["rival"], row["ratio"], row["met"]) for row in written} == {("", "", "")}
    report.plot({"gpu": rows}, tmp_path / "gpu.png")
    assert (tmp_path / "gpu.png").exists() == bool(rival)
    assert report.means(loss.BENCHMARK, rows).endswith("graph 1.000" if rival else "no rival here")
    assert "fastspec, as a graph" in report.table({"gpu": rows})


def test_all_methods_refused_is_an_error(monkeypatch):
    class Refused(FakePlan):
        def __init__(self, *args, **options):
            raise RuntimeError("no such method")

    monkeypatch.setattr(_cufinufft, "cufinufft", SimpleNamespace(Plan=Refused))
    with pytest.raises(RuntimeError, match="none of its methods ran"):
        rows_of(loss, [Case(SIZES[0])])


@pytest.mark.parametrize("rival", [None, SimpleNamespace(Plan=FakePlan)], ids=["alone", "rival"])
def test_planning_and_training_are_timed(rival, monkeypatch):
    monkeypatch.setattr(_cufinufft, "cufinufft", rival)
    (planned,) = rows_of(planning, [Case(SIZES[1])])
    assert planned.rival == (rival and planned.rival) and planned.target == 0.5
    (trained,) = rows_of(training, [Case(SIZES[1])])
    assert (trained.ours.name, trained.rival.name) == ("SpectralLoss", "MSELoss")


def test_stages_are_measured_one_by_one_against_their_bytes():
    rows = rows_of(stages, [Case(size) for size in SIZES])
    assert [row.case.split(" 1-D")[0] for row in rows[:5]] == ["spread", "FFT", "weigh", "inverse FFT", "interpolate"]
    assert len(rows) == 15 and all(row.rival is None and row.limit > 0 and "width" in row.note for row in rows)
    (alone,) = rows_of(stages, [Case(Size(0, (8, 6)), kind=stages.WEIGH)])
    moved = stages.COPIES * (2 * 8 * 4 * 8 + 4 * 4 * 7)
    assert alone.limit == alone.rival.value == pytest.approx(1e3 * moved / 1e9) and alone.target == 1.25


def test_ffts_are_measured_beside_whole_ones_of_the_same_result():
    rows = rows_of(fft, [Case(size) for size in SIZES])
    assert [row.case.split(" ")[0] for row in rows] == ["FFT", "inverse"] * 3
    assert all(row.ours.setting.met and row.rival.setting.met and row.limit > 0 for row in rows)


@pytest.mark.parametrize("rival", [None, lambda x, scale: fs.reference.fwht(x) * scale], ids=["alone", "rival"])
def test_the_walsh_hadamard_transform_is_measured_against_what_is_here(rival, monkeypatch):
    monkeypatch.setattr(walsh, "hadamard_transform", rival)
    rows = rows_of(walsh, [walsh.Lines(torch.float32, 8, 2**10), walsh.Lines(torch.float64, 10, 2**10)])
    assert [row.rival.name for row in rows] == ["fast-hadamard-transform"] * bool(rival) + ["limit", "limit"]
    assert all(f.setting.met for row in rows for f in (row.ours, row.rival) if f.setting)
    assert rows[-1].limit == pytest.approx(1e3 * 2 * 2**10 * 8 / 1e9)


def test_direct_sums_on_modes_are_measured_beside_gridding_and_plain_torch():
    rows = rows_of(few_modes, [Case(Size(200, (8, 9)), 5e-6), Case(Size(100, (5, 6, 7)), 5e-6)])
    assert [row.rival.name for row in rows] == ["gridding", "gridding", "plain torch", "plain torch"] * 2
    assert all(row.ours.setting.error <= 1e-6 and row.rival.setting.met for row in rows)


def test_direct_sums_on_frequencies_are_measured_with_their_gradients():
    rows = rows_of(direct, [direct.Pairs(moving, points=700, frequencies=600, dim=3) for moving in (False, True)])
    assert all(row.ours.setting.error <= 1e-6 and row.rival.setting.error <= 2e-3 for row in rows)
    assert [row.limit for row in rows] == pytest.approx([1e3 * n * 2 * 700 * 600 / 1e9 for n in (2, 3)])


def test_filters_are_measured_beside_attention():
    row, *rounded = rows_of(filter, [Filtering(300, dim=5, widths=3, eps=1e-3)])
    assert [each.ours.name for each in rounded] == ["fastspec, tf32", "fastspec, bf16"]
    assert row.ours.setting.error <= 1e-6 and row.rival.name == "attention, float16" and row.rival.setting.error <= 0.01


def test_the_planners_stages_and_transforms_are_timed():
    (real, *made), (complex, *_) = fit_planner.gridded(SIZES[1:2], {torch.float32: (1e-3,)}, CUDA)
    assert (real.complex, complex.complex, real.modes) == (False, True, (8, 9)) and made == [1e6, 1e6]


# --- what a device does with it -----------------------------------------------------------------------------------


class Happening:
    """Stands in for what torch.cuda makes: notes what is asked of it."""

    def __init__(self, said=None, name=""):
        self.said, self.name = said, name

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def __getattr__(self, asked):
        return lambda *_: None if self.said is None else self.said.append(f"{asked} {self.name}".strip()) or 2.0


def test_a_captured_call_lives_as_long_as_its_graph(monkeypatch):
    """What it holds is what the graph reads and writes."""
    for name in ("Stream", "CUDAGraph", "stream", "graph", "current_stream"):
        monkeypatch.setattr(torch.cuda, name, lambda *_: Happening())
    monkeypatch.setattr(Graph, "__post_init__", CAPTURE)
    model = torch.nn.Linear(1, 1)
    held, graph = weakref.ref(model), Graph(lambda model=model: model(torch.ones(1)))
    del model
    gc.collect()
    assert held() is not None and graph.out.requires_grad


def test_a_graph_is_timed_without_the_host(monkeypatch):
    said = []
    names = iter(["start", "end"] * 2)
    monkeypatch.setattr(torch.cuda, "Event", lambda **_: Happening(said, next(names)))
    monkeypatch.setattr(torch.cuda, "_sleep", lambda cycles: said.append("sleep"))
    for call in (lambda: said.append("call"), Graph(lambda: said.append("call"))):
        assert SECONDS(CUDA, call) == 2e-3
        said.append("|")
    eager, graph, _ = " ".join(said).replace(" |", "|").split("|")
    assert eager == "record start call record end synchronize end elapsed_time start"
    assert graph == f" sleep {eager}"


def kinds_of(calls, kinds):
    kinds.update(map(type, calls.values()))
    return called(None, calls, 0)


@pytest.mark.parametrize(
    ("module", "case"),
    [
        (fft, Case(SIZES[1])),
        (few_modes, Case(Size(50, (4, 5)), 5e-6)),
        (walsh, walsh.Lines(torch.float32, 8, 2**10)),
    ],
    ids=["fft", "few modes", "walsh"],
)
def test_short_calls_are_timed_as_graphs(module, case, monkeypatch):
    """Of both sides: by a device's events a call of 2 us took 131, the host's."""
    kinds = set()
    monkeypatch.setattr(EventClock, "medians", lambda clock, calls, *_: kinds_of(calls, kinds))
    assert rows_of(module, [case]) and kinds == {Graph}


def test_a_benchmark_that_fails_stops_no_other(monkeypatch, tmp_path, capfd):
    def measure(case, seconds):
        yield report.Row("a case", None, report.Figure("fastspec", 1.0))
        if case == "broken":
            raise RuntimeError("no such method")

    made = {name: suite.Benchmark(name, [name], measure, [name], device="cuda") for name in ("broken", "whole")}
    monkeypatch.setattr(suite.Room, "names", lambda room: list(made))
    monkeypatch.setattr(suite.Room, "benchmark", lambda room, name: made[name])
    monkeypatch.setattr(suite, "machine", lambda device: device)
    monkeypatch.setattr(suite, "plot", lambda found, path: None)
    with pytest.raises(RuntimeError, match="these failed, as said above: broken"):
        suite.GPU.run([], False, None, tmp_path)
    assert "no such method" in capfd.readouterr().err
    assert (tmp_path / "broken.csv").read_text() == (tmp_path / "whole.csv").read_text().replace("whole", "broken")
    assert "broken" not in (tmp_path / "gpu_summary.csv").read_text()


def test_failures_are_written_as_they_happen(tmp_path):
    for name, failed in (("one", False), ("two", True), ("three", True)):
        failures.note_failure(
            SimpleNamespace(failed=failed, nodeid=name, when="call", longreprtext="why"), tmp_path / "o"
        )
    assert (tmp_path / "o" / failures.NAME).read_text() == "two, call\nwhy\n\nthree, call\nwhy\n\n"
