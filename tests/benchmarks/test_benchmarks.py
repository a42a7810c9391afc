"""What the benchmarks compute beside times: tolerances, limits, ratios and files. Nothing here is timed."""

import csv
import math
import os

import common
import counts
import limits
import pytest
import report
import torch
from common import Benchmark, Case, Contender, Figure, Row, Setting, Size, ladder, loosest
from limits import Gridding, Rates, Stage

import fastspec as fs

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
    assert common.relative_error((exact + torch.tensor([0.0, 0.05])).numpy(), exact) == pytest.approx(0.01)


# --- rows -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def medians(monkeypatch):
    """Times by contender in place of measured ones."""
    times = {"fastspec": 1e-3, "slow": 5e-3, "fast": 4e-3}
    monkeypatch.setattr(common, "interleaved_medians", lambda calls, seconds: {name: times[name] for name in calls})


def contender(name: str, error: float = 0.0) -> Contender:
    return Contender(name, lambda tolerance, threads: lambda: torch.ones(4) * (1 + error))


def compared(rivals, target=0.3) -> list[Row]:
    before = torch.get_num_threads()
    rows = list(
        common.compare(
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


def test_calls_take_turns(monkeypatch):
    monkeypatch.setattr(common, "PAUSE", 0)
    monkeypatch.setattr(common, "TURN", 0)
    turns = []
    common.interleaved_medians({name: lambda name=name: turns.append(name) for name in "ab"}, seconds=0, at_least=3)
    assert "".join(turns) == "ab" + "aaabbb" * 2  # once to warm up; the first of a turn is not counted


def wait_policy() -> str | None:
    return os.environ.get("OMP_WAIT_POLICY")


def test_threads_are_passive_in_the_other_process_only(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    assert common.in_passive_process(wait_policy) == "passive"
    assert wait_policy() == "active"


@pytest.mark.parametrize(
    ("number", "text"), [(1e5, "1e5"), (512, "512"), (1_000, "1e3"), (1e-6, "1e-6"), (2.5e-4, "2.5e-4"), (200, "200")]
)
def test_numbers_are_brief(number, text):
    assert common.brief(number) == text


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
    assert found.cells == plan.layout.cells and found.terms == plan.polynomials.shape[0]


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


def test_the_plot_is_drawn(tmp_path):
    report.plot({"fake": ROWS, "more": ROWS}, tmp_path / "ratios.png")
    assert (tmp_path / "ratios.png").stat().st_size > 1000


def test_every_script_is_in_the_suite():
    for rival in ("ducc0", "finufft", "pytorch_finufft"):
        pytest.importorskip(rival)
    import suite

    folder = cli_folder()
    scripts = {path.stem for path in folder.glob("*.py") if "BENCHMARK = " in path.read_text()}
    assert scripts == {module.__name__ for module in suite.MODULES}
    for module in suite.MODULES:
        assert module.BENCHMARK.name == module.__name__
        assert module.__doc__.startswith("Claim: ") and "Target: " in module.__doc__


def cli_folder():
    from fastspec.cli import BENCHMARKS

    return BENCHMARKS


# --- instruction counts -----------------------------------------------------------------------------------------------


def test_the_flags_are_those_of_the_extension():
    assert "-std=c++20" in counts.host_flags((counts.ROOT / "setup.py").read_text())


def test_counts_are_per_unit():
    profile = "version: 1\ndesc: Trigger: Client Request: spread 2-D\nsummary: 250\ntotals: 250\n"
    totals = dict([counts.total_of(profile)])
    assert counts.count_of("spread;2-D;point;100", totals) == counts.Count("spread", "2-D", "point", 2.5)


def test_counts_are_compared_with_those_recorded(tmp_path):
    assert counts.read(tmp_path / "none.csv") == []
    recorded = [counts.Count("spread", "2-D", "point", 2.0)]
    report.write_csv(tmp_path / counts.FILE, [counts.asdict(count) for count in recorded])
    assert counts.read(tmp_path / counts.FILE) == recorded
    now = [counts.Count("spread", "2-D", "point", 2.5), counts.Count("sort", "2-D", "point", 1.0)]
    _, spread, sort = counts.changes(now, recorded).splitlines()
    assert spread.endswith("+25.0%") and sort.endswith("new")
