"""What the benchmarks compute beside times: tolerances, limits, ratios and files. Nothing here is timed."""

import csv
import gc
import math
import os
import subprocess
import sys
import weakref
from dataclasses import replace

import pytest
import torch

import fastspec as fs
from benchmarks import ROOT, clocks, limits, measure, processes, report, stages, suite
from benchmarks.clocks import CPU, Graph, WallClock
from benchmarks.limits import Gridding, Rates, Stage
from benchmarks.measure import Benchmark, Case, Contender, Figure, Row, Setting, Size, ladder, loosest

PLANE = Gridding(points=1000, modes=(20, 30), cells=(32, 48), width=5, complex=False)


# --- equal accuracy ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error_per_tolerance", "chosen"),
    [(0.01, 8e-6), (0.3, 2.8e-6), (0.9, 1e-6), (1.2, 7e-7), (3, 3e-7)],
)
def test_the_loosest_tolerance_that_delivers_is_chosen(error_per_tolerance, chosen):
    found = loosest(lambda tolerance: error_per_tolerance * tolerance, 1e-6)
    assert found.met and found.tolerance == pytest.approx(chosen)
    assert found.error == pytest.approx(error_per_tolerance * chosen) and found.error <= 1e-6


def test_the_search_stops_once_it_knows():
    asked = []
    loosest(lambda tolerance: asked.append(tolerance) or 0.6 * tolerance, 1e-6)
    assert asked == pytest.approx([1e-6, 1.4e-6, 2e-6])
    asked.clear()
    loosest(lambda tolerance: asked.append(tolerance) or 1.5 * tolerance, 1e-6)
    assert asked == pytest.approx([1e-6, 7e-7, 5e-7])


def test_where_no_tolerance_delivers_the_least_error_is_taken():
    errors = {0.3: 4e-6, 0.5: 3e-6, 0.7: 5e-6, 1: 6e-6}
    found = loosest(lambda tolerance: errors[round(tolerance * 1e6, 1)], 1e-6)
    assert found == Setting(pytest.approx(5e-7), 3e-6, met=False)


def test_tolerances_below_a_librarys_floor_are_not_asked_for():
    assert ladder(1e-6, floor=1.01e-6) == pytest.approx([1.01e-6, 1.4e-6, 2e-6, 2.8e-6, 4e-6, 5.6e-6, 8e-6])
    assert not loosest(lambda tolerance: 2 * tolerance, 1e-6, floor=1.01e-6).met


def test_the_error_is_relative_and_l2():
    exact = torch.tensor([3.0, 4.0], dtype=torch.float64)
    assert measure.relative_error((exact + torch.tensor([0.0, 0.05])).numpy(), exact) == pytest.approx(0.01)


# --- rows -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def medians(monkeypatch):
    """Times by contender in place of measured ones."""
    times = {"fastspec": 1e-3, "slow": 5e-3, "fast": 4e-3}
    monkeypatch.setattr(WallClock, "medians", lambda self, calls, seconds: {name: times[name] for name in calls})


def contender(name: str, error: float = 0.0) -> Contender:
    return Contender(name, lambda tolerance, threads: lambda: torch.ones(4) * (1 + error))


def compared(rivals, target=0.3) -> list[Row]:
    before = torch.get_num_threads()
    rows = list(
        measure.compare(
            Case(Size(10, (4,))),
            contender("fastspec"),
            rivals,
            torch.ones(4, dtype=torch.float64),
            0,
            target,
            lambda tolerance, threads: tolerance / threads,
        )
    )
    torch.set_num_threads(before)
    return rows


def test_the_fastest_rival_counts(medians):
    rows = compared([contender("slow"), contender("fast")])
    assert [row.threads for row in rows] == [1, 2]
    assert all(row.rival.name == "fast" and row.ratio == pytest.approx(0.25) and row.met for row in rows)


def test_targets_may_depend_on_the_threads_and_limits_on_the_tolerance(medians):
    one, two = compared([contender("fast")], target={1: 0.3, 2: 0.2})
    assert (one.met, two.met) == (True, False)
    assert one.limit == pytest.approx(8e-3) and two.limit == pytest.approx(4e-3)  # ms at the loosest rung, 8e-6
    assert one.times_limit == pytest.approx(125)


def test_a_library_that_misses_the_accuracy_is_named(medians):
    assert [row.remark for row in compared([contender("fast", error=1e-3)])] == ["fast misses eps"] * 2


def test_a_library_without_rivals_still_has_its_rows(medians):
    row, _ = compared([])
    assert row.rival is None and row.ratio is None and row.met is None and row.ours.value == pytest.approx(1)


def test_a_call_without_a_tolerance_is_judged_as_it_is():
    asked = []
    plain = measure.plain("torch", lambda: asked.append(1) or torch.ones(4) * (1 + 2e-6))
    found = measure.calibrated(plain, torch.ones(4, dtype=torch.float64), 1e-6)
    assert found == Setting(1e-6, pytest.approx(2e-6, rel=0.1), met=False) and asked == [1]


def test_calls_take_turns(monkeypatch):
    monkeypatch.setattr(clocks, "PAUSE", 0)
    monkeypatch.setattr(clocks, "TURN", 0)
    turns = []
    CPU.medians({name: lambda name=name: turns.append(name) for name in "ab"}, seconds=0, at_least=3)
    assert "".join(turns) == "ab" + "aaabbb" * 2  # once to warm up; the first of a turn is not counted


def wait_policy() -> str | None:
    return os.environ.get("OMP_WAIT_POLICY")


@pytest.fixture
def fake_cuda(monkeypatch):
    """Stands in for streams and graphs; replaying counts."""

    class Fake:
        replayed = 0

        def __enter__(self):
            pass

        def __exit__(self, *_):
            pass

        def wait_stream(self, stream):
            pass

        def replay(self):
            Fake.replayed += 1

    for name in ("Stream", "CUDAGraph", "current_stream"):
        monkeypatch.setattr(torch.cuda, name, Fake)
    for name in ("stream", "graph"):
        monkeypatch.setattr(torch.cuda, name, lambda _: Fake())
    return Fake


def test_a_graph_keeps_what_its_call_holds(fake_cuda):
    class Model:
        pass

    model = Model()
    kept = weakref.ref(model)
    graph = Graph(lambda model=model: 7)
    del model
    gc.collect()
    assert graph() == 7 and fake_cuda.replayed == 1
    assert kept() is not None


def test_ours_is_timed_as_a_graph_too_where_there_are_graphs(fake_cuda):
    assert list(clocks.CUDA.ways("ours", int)) == ["ours", "ours, as a graph"]
    assert list(clocks.EAGER.ways("ours", int)) == list(CPU.ways("ours", int)) == ["ours"]


def test_threads_are_passive_in_the_other_process_only(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    assert processes.in_passive_process(wait_policy) == "passive"
    assert wait_policy() == "active"


@pytest.mark.parametrize(
    ("number", "text"), [(1e5, "1e5"), (512, "512"), (1_000, "1e3"), (1e-6, "1e-6"), (2.5e-4, "2.5e-4"), (200, "200")]
)
def test_numbers_are_brief(number, text):
    assert measure.brief(number) == text


# --- limits -----------------------------------------------------------------------------------------------------------


def test_bytes_and_flops_of_a_plane():
    windows = 2 * 1000 * 2 * 5 * 8  # multiply-adds: two axes, five taps, polynomials of degree eight
    assert limits.spread(PLANE) == Stage(1000 * (8 + 4) + 4 * (1000 + 32 * 48), windows + 2 * 1000 * 25)
    lines = 5 * 32 * 16 * math.log2(32)  # along axis 0, for half of axis 1's 30 modes
    assert limits.fft(PLANE) == Stage(4 * (32 * 48 + 2 * 20 * 16), 2.5 * 32 * 48 * math.log2(48) + lines)
    assert limits.sort(PLANE).bytes == 1000 * (8 + 8 + 4)
    assert PLANE.kept == 20 * 16


def test_channels_share_the_windows_and_complex_data_count_twice():
    one, many = limits.spread(PLANE), limits.spread(Gridding(1000, (20, 30), (32, 48), 5, True, 4, channels=3))
    taps = 2 * 1000 * 25
    assert many.flops - one.flops == 5 * taps
    assert many.bytes - one.bytes == 5 * 4 * (1000 + 32 * 48)


def test_dense_lines_meet_taps_once_per_cell():
    line = Gridding(points=10_000, modes=(50,), cells=(100,), width=6, complex=False)
    assert limits.spread(line).flops == 2 * 10 * (10_000 + 100 * 6)


def test_a_stage_takes_the_longer_of_moving_and_computing():
    assert limits.seconds([Stage(100, 1), Stage(1, 100)], Rates(bandwidth=10, flops=50)) == 10 + 2


def test_a_griddings_sizes_are_the_plans():
    plan = fs.Plan(torch.rand(300, 2, dtype=torch.float64), (20, 30))
    found = Gridding.of(plan, complex=True, channels=2)
    assert (found.points, found.modes, found.itemsize, found.channels) == (300, (20, 30), 8, 2)
    assert found.cells == stages.gridding(plan).cells and found.terms == stages.sorted_points(plan).polynomials.shape[0]


# --- files ------------------------------------------------------------------------------------------------------------

ROWS = [
    Row("a case", 1, Figure("fastspec", 1.0, Setting(2e-6, 9e-7, True)), Figure("other", 4.0), 0.5, limit=0.5),
    Row("a case", 2, Figure("fastspec", 1.0), Figure("other", 1.0, Setting(1e-6, 3e-6, False)), 0.5),
]
BENCHMARK = Benchmark("fake", [1, 2], lambda case, seconds: iter(ROWS[case - 1 : case]), quick=[1], mean_target=0.5)


def test_rows_are_written_as_they_were_measured(tmp_path):
    told = []
    assert report.gather(BENCHMARK, False, 0, tmp_path, told.append) == ROWS == told
    with (tmp_path / "fake.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["ratio"], first["met"], first["times_limit"], first["unit"]) == ("0.2500", "yes", "2.00", "ms")
    assert (first["ours_tolerance"], first["ours_error"], first["rival_tolerance"]) == ("2.00e-06", "9.0e-07", "")
    assert (second["ratio"], second["met"], second["remark"]) == ("1.0000", "no", "other misses eps")


def test_a_quick_run_is_of_the_quick_cases(tmp_path):
    assert report.gather(BENCHMARK, True, 0, tmp_path, lambda row: None) == ROWS[:1]


def test_means_and_summary():
    assert report.means(BENCHMARK, ROWS) == (
        "fake: 1 of 2 met; geometric mean 0.500, target 0.5, 1 thread(s) 0.250, 2 thread(s) 1.000"
    )
    found = report.summary(BENCHMARK, ROWS)
    assert (found["met"], found["largest_ratio"], found["geometric_mean"], found["mean_met"]) == (
        1,
        "1.000",
        "0.500",
        "yes",
    )


def test_the_table_is_aligned_and_says_what_was_not_met():
    heading, first, second = report.table({"fake": ROWS}).splitlines()
    assert first[heading.index("met") :].startswith("yes") and second[heading.index("met") :].startswith("NO")
    assert "9.0e-07 / -" in first and second.endswith("other misses eps")


def test_the_plot_of_many_benchmarks_fits_a_screen(tmp_path):
    many = [replace(row, case=f"case {i}") for i in range(100) for row in ROWS]
    report.plot({f"benchmark {i}": many for i in range(16)}, tmp_path / "ratios.png")
    width, height = (int.from_bytes((tmp_path / "ratios.png").read_bytes()[at : at + 4], "big") for at in (16, 20))
    assert width <= 1000 and height <= 1000


def test_a_line_of_the_plot_says_who_and_how_many():
    assert report.line_of("fake", ROWS) == "fake, 1 of 2 met\nfastspec over other"


# --- the registry -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", [suite.CLAIMS, suite.GPU], ids=["claims", "gpu"])
def test_every_claim_is_found_and_says_itself(room):
    for rival in ("ducc0", "finufft", "pytorch_finufft", "hadamard_transform"):
        pytest.importorskip(rival)
    scripts = {
        path.stem for path in (ROOT / "benchmarks" / room.name).glob("*.py") if "BENCHMARK = " in path.read_text()
    }
    assert room.names() == sorted(scripts) and len(scripts) > 5
    for name in room.names():
        benchmark, claim = room.benchmark(name), sys.modules[f"benchmarks.{room.name}.{name}"].__doc__
        assert benchmark.name == {"claims": name, "gpu": f"gpu_{name}"}[room.name]
        assert benchmark.device == {"claims": "cpu", "gpu": "cuda"}[room.name]
        assert "Target: " in claim and (claim.startswith("Claim: ") or benchmark.name == "gpu_stages")


def test_a_new_file_is_a_new_claim(tmp_path, monkeypatch):
    folder = tmp_path / "benchmarks" / "claims"
    folder.mkdir(parents=True)
    for name in ("newer", "also", "_helper"):
        (folder / f"{name}.py").touch()
    monkeypatch.setattr(suite, "ROOT", tmp_path)
    assert suite.CLAIMS.names() == ["also", "newer"]


def test_a_run_of_all_has_an_overview_and_a_run_of_some_has_none(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(suite.Room, "names", lambda self: ["fake"])
    monkeypatch.setattr(suite.Room, "benchmark", lambda self, name: BENCHMARK)
    assert not suite.CLAIMS.run(["fake"], False, None, tmp_path / "some")
    assert suite.CLAIMS.run([], True, None, tmp_path / "all")
    assert {path.name for path in (tmp_path / "some").iterdir()} == {"fake.csv"}
    assert {path.name for path in (tmp_path / "all").iterdir()} == {"fake.csv", "summary.csv", "ratios.png"}
    assert "fake: 1 of 1 met" in capsys.readouterr().out


ELSEWHERE = """
import sys

if __name__ == "__main__":
    from fastspec import cli

    cli.load_benchmarks("suite")
    from benchmarks.claims.memory import status
    from benchmarks.processes import in_a_process

    assert {root!r} not in sys.path and in_a_process(status, "VmRSS") > 2**20
    print("both here and there")
"""


def test_benchmarks_are_reached_from_anywhere_without_the_path(tmp_path):
    """Where fastspec is importable and its checkout is not, in this process and in one that it spawns."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "fastspec").symlink_to(ROOT / "fastspec")
    (tmp_path / "script.py").write_text(ELSEWHERE.format(root=str(ROOT)))
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    command = [sys.executable, str(tmp_path / "script.py")]
    said = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert said.stdout == "both here and there\n", said.stderr
