"""The study of what diagnose says: its rows, its words, and a task of it at small size."""

import math
from dataclasses import replace

import pytest
import torch

from benchmarks.studies import diagnosis as study

ROW = study.Line("sines", 2e-3, 100, "1.5", 0.5, 600.0, 400)


def test_rows_are_read_as_they_were_written(tmp_path):
    rows = [ROW, replace(ROW, steps=None, predicted=1500.0)]
    study.write(tmp_path / "d.csv", rows)
    assert study.read(tmp_path / "d.csv") == rows and study.read(tmp_path / "none.csv") == []


def test_a_line_is_rightly_told_where_both_say_the_same():
    late = replace(ROW, task="co2", steps=None, predicted=900.0)
    early = replace(ROW, task="co2", steps=100, predicted=100.0)
    said = study.markdown([ROW, late, early])
    assert "Rightly told: 2 of 3 lines, 66.7%; the target, 90%, is missed." in said
    assert "is right for 1 of 3" in said and "averaged over tasks: 75.0%" in said
    assert study.predicted([ROW, late, early]) == [pytest.approx(math.log(1.5))]
    assert "90%, is met" in study.markdown([ROW, early])


def test_a_wave_and_its_negative_are_one():
    found = torch.tensor([[1.0, -2.0], [3.0, 1.0]])
    assert study.distance(found, torch.tensor([-1.0, 2.0])).tolist() == [0, pytest.approx(math.hypot(2, 3))]


def test_a_task_is_diagnosed_and_trained(tmp_path):
    study.main(["poisson line", "--quick", "--out", str(tmp_path)])
    rows = study.read(tmp_path / "diagnosis.csv")
    assert [row.frequency for row in rows] == ["0.25", "1", "2", "6"]
    assert rows[0].steps == 10 and rows[0].predicted < 30 and rows[3].steps is None
    assert (tmp_path / "diagnosis.png").stat().st_size > 1000 and "poisson line" in (
        tmp_path / "diagnosis.md"
    ).read_text()
