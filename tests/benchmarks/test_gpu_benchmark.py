"""The benchmark of `make gpu`, rehearsed on the CPU: its rows, its tables, and what it would measure of a rival."""

import csv
from types import SimpleNamespace

import gpu
import gpu_direct
import gpu_fft
import gpu_walsh
import pytest
import torch
from common import Size

import fastspec as fs


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


def called(calls, seconds):
    for call in calls.values():
        call()
    return dict.fromkeys(calls, 1.0)


@pytest.fixture
def on_cpu(monkeypatch):
    monkeypatch.setattr(gpu, "DEVICE", "cpu")
    monkeypatch.setattr(gpu, "SIZES", (Size(200, (30,)), Size(300, (8, 9))))
    monkeypatch.setattr(gpu, "captured", lambda call: call)
    monkeypatch.setattr(gpu, "copy_bandwidth", lambda: 1e6)
    monkeypatch.setattr(gpu, "medians", called)
    for name in ("synchronize", "empty_cache"):
        monkeypatch.setattr(torch.cuda, name, lambda: None)
    row = gpu.Row("planning", Size(1, (1,)), None, 1.0, "setpts", 3.0, 0.5)
    monkeypatch.setattr(gpu, "plan_row", lambda *_: row)
    monkeypatch.setattr(gpu, "training_row", lambda *_: row)


@pytest.mark.parametrize("rival", [None, SimpleNamespace(Plan=FakePlan)], ids=["alone", "rival"])
def test_every_row_is_measured_and_written(rival, on_cpu, monkeypatch, tmp_path):
    monkeypatch.setattr(gpu, "cufinufft", rival)
    stages = []
    rows = list(gpu.all_rows(False, 0.0, stages))
    gpu.write(tmp_path / "gpu.csv", [row.record("a device") for row in rows])
    with (tmp_path / "gpu.csv").open() as file:
        written = list(csv.DictReader(file))
    assert {row["work"] for row in written} >= {"loss and gradient", "type 1", "type 2, as a graph", "planning"}
    measured = [row for row in written if row["eps"]]
    assert all(float(row["ours_error"]) <= float(row["eps"]) for row in measured)
    if rival:
        assert all(float(row["rival_error"]) <= float(row["eps"]) for row in measured)
        assert {row["rival"] for row in measured} == {"cuFINUFFT method 0"}
    assert {stage["stage"] for stage in stages} == {"spread", "FFT", "weigh", "inverse FFT", "interpolate"}
    gpu.plot(tmp_path / "gpu.png", rows, "a device")
    assert (tmp_path / "gpu.png").exists()


@pytest.fixture
def small_on_cpu(monkeypatch):
    for module in (gpu_direct, gpu_fft, gpu_walsh):
        monkeypatch.setattr(module, "DEVICE", "cpu")
        monkeypatch.setattr(module, "copy_bandwidth", lambda: 1e9)
        monkeypatch.setattr(module, "medians", called)
    monkeypatch.setattr(gpu_fft, "SIZES", (Size(200, (30,)), Size(300, (8, 9)), Size(300, (5, 6, 7))))
    monkeypatch.setattr(gpu_direct, "SIZES", ((200, (8, 9)), (100, (5, 6, 7))))
    monkeypatch.setattr(gpu_walsh, "NUMBERS", 2**10)
    monkeypatch.setattr(gpu_walsh, "CASES", [(torch.float32, 8), (torch.float64, 10)])
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a device")


def test_ffts_are_measured_beside_whole_ones_of_the_same_result(small_on_cpu):
    rows = list(gpu_fft.rows())
    assert [row.case.split(" of ")[0] for row in rows] == ["FFT", "inverse FFT"] * 3
    assert all(row.ours_error <= 1e-6 and row.rival_error <= 1e-6 for row in rows)


@pytest.mark.parametrize("rival", [None, lambda x, scale: fs.reference.fwht(x) * scale], ids=["alone", "rival"])
def test_the_walsh_hadamard_transform_is_measured_against_what_is_here(rival, small_on_cpu, monkeypatch):
    monkeypatch.setattr(gpu_walsh, "hadamard_transform", rival)
    rows = list(gpu_walsh.rows())
    assert [row.rival for row in rows] == ["fast-hadamard-transform"] * bool(rival) + ["limit", "limit"]
    assert all(row.ours_error <= 1e-6 and row.rival_error <= 1e-6 for row in rows)
    assert rows[-1].limit_ms == pytest.approx(1e3 * 2 * 2**10 * 8 / 1e9)


def test_direct_sums_on_modes_are_measured_beside_gridding_and_plain_torch(small_on_cpu):
    rows = list(gpu_direct.modes_rows())
    assert [row.rival for row in rows] == ["gridding", "gridding", "plain torch", "plain torch"] * 2
    assert all(row.ours_error <= 1e-6 and row.rival_error <= 5e-6 for row in rows)
