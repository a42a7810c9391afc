"""Instruction counts: what is computed beside them. Nothing here is counted."""

from benchmarks import report
from benchmarks.tools import counts


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
