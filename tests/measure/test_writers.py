"""Where a monitor logs to: TensorBoard, W&B, MLflow, told by what they can do."""

import math
import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch

from fastspec import SpectralMonitor

X = torch.rand(50, generator=torch.Generator().manual_seed(0))
Y = torch.sin(20 * X)


def logged(destination, peaks=(1, 3), **given):
    """The monitor, after three updates."""
    monitor = SpectralMonitor(X, Y, 16, period=1.0, peaks=torch.tensor(peaks))
    monitor.log_to(destination, **given)
    for step in (0, 10, 20):
        monitor.update(step, Y * step / 20)
    return monitor


class Recorder:
    """Writes down what it is told, under whatever name."""

    def __init__(self, *methods):
        self.told = []
        for method in methods:
            setattr(self, method, lambda *a, _name=method, **k: self.told.append((_name, a, k)))


def test_tensorboard_gets_each_scalar():
    writer = Recorder("add_scalar")
    monitor = logged(writer)
    names = ["spectral_error/1", "spectral_error/3"]
    assert [call[1][0] for call in writer.told] == 3 * names
    assert [call[1][2] for call in writer.told] == [0, 0, 10, 10, 20, 20]
    assert [call[1][1] for call in writer.told] == pytest.approx(monitor.errors.flatten().tolist())


def test_wandb_gets_an_axis_of_our_own():
    """A run drops what is logged for a step that it has left behind."""
    run = Recorder("log", "define_metric")
    monitor = logged(run, tag="bias")
    defined = [(a[0], k.get("step_metric")) for name, a, k in run.told if name == "define_metric"]
    assert defined == [("bias/step", None), ("bias/1", "bias/step"), ("bias/3", "bias/step")]
    rows = [a[0] for name, a, k in run.told if name == "log"]
    assert [row["bias/step"] for row in rows] == [0, 10, 20] and len(rows[0]) == 3
    assert [row["bias/3"] for row in rows] == pytest.approx(monitor.errors[:, 1].tolist())


def test_a_plain_log_gets_the_step():
    run = Recorder("log")
    logged(run)
    assert [k["step"] for _, a, k in run.told] == [0, 10, 20] and set(run.told[0][1][0]) == {
        "spectral_error/1",
        "spectral_error/3",
    }


def test_mlflow_gets_names_that_it_takes():
    module = Recorder("log_metrics")
    x = torch.rand(50, 2)
    monitor = SpectralMonitor(x, x[:, 0], None, period=1.0, peaks=torch.tensor([[1, -2]]))
    monitor.log_to(module)
    monitor.update(3, x[:, 1])
    ((_, (values,), given),) = module.told
    assert list(values) == ["spectral_error/1 -2"] and given == {"step": 3}


def test_an_mlflow_run_is_logged_to_by_its_id(monkeypatch):
    mlflow = ModuleType("mlflow")
    recorder = Recorder("log_metrics")
    mlflow.log_metrics = recorder.log_metrics
    monkeypatch.setitem(sys.modules, "mlflow", mlflow)
    logged(SimpleNamespace(info=SimpleNamespace(run_id="abc"), data=None))
    assert [k for _, a, k in recorder.told] == [{"step": step, "run_id": "abc"} for step in (0, 10, 20)]


def test_frequencies_that_are_close_keep_their_own_scalars():
    writer = Recorder("add_scalar")
    logged(writer, peaks=(1.00001, 1.00002))
    assert len({call[1][0] for call in writer.told}) == 2


def test_a_real_tensorboard_writer(tmp_path):
    tensorboard = pytest.importorskip("torch.utils.tensorboard")
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with tensorboard.SummaryWriter(tmp_path) as writer:
        monitor = logged(writer)
    read = accumulators.EventAccumulator(str(tmp_path))
    read.Reload()
    values = [event.value for event in read.Scalars("spectral_error/3")]
    assert values == pytest.approx(monitor.errors[:, 1].tolist()) and math.isfinite(values[0])


def test_what_can_log_nothing_is_refused():
    with pytest.raises(TypeError, match="^summary_writer: was dict, must have add_scalar"):
        SpectralMonitor(X, Y, 16, peaks=torch.tensor([1])).log_to({})
