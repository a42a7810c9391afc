"""A monitor in other people's trainers, those that are installed and their likenesses in support/trainers.py."""

import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import fastspec as fs
from fastspec.callbacks.watching import Watching
from tests.support import trainers

X = torch.linspace(-1, 1, 41)[:-1, None]
Y = torch.sin(torch.pi * X) + torch.sin(4 * torch.pi * X)


def monitor():
    return fs.SpectralMonitor(X, Y, None, period=2.0, peaks=torch.tensor([1, 4]))


class Net(nn.Module):
    """One that can say in which mode it was asked."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Dropout(0.5), nn.Linear(16, 1))
        self.modes = set()

    def forward(self, x):
        self.modes.add((self.training, torch.is_grad_enabled()))
        return self.layers(x)


def batches(size=10):
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X, Y), batch_size=size)


# --- what they share --------------------------------------------------------------------------------------------------


def test_a_model_is_asked_in_evaluation_mode_and_left_as_it_was():
    net, watching = Net(), Watching(monitor())
    net.layers[2].eval()
    watching.record(0, net)
    assert net.modes == {(False, False)}
    assert net.training and net.layers[0].training and not net.layers[2].training


def test_records_are_every_so_many_steps_and_at_the_end_once():
    watching, net = Watching(monitor(), every=5), Net()
    for step in range(13):
        watching.record(step, net)
    for _ in range(2):
        watching.record(12, net, always=True)
    assert watching.monitor.steps == [0, 5, 10, 12]


@pytest.mark.parametrize(
    "returned",
    [lambda y: (y, None), lambda y: [y], lambda y: SimpleNamespace(logits=y), lambda y: y[:, 0]],
)
def test_what_models_return_is_understood(returned):
    model = lambda x: returned(Y)  # noqa: E731
    watching = Watching(monitor(), predict=None, inputs=X.numpy())
    watching.record(0, model)
    assert watching.monitor.errors.max() < 1e-5


def test_inputs_and_predict_are_the_users():
    asked = []
    net = Net().double()
    net.register_forward_pre_hook(lambda module, given: asked.extend(given))
    Watching(monitor(), inputs=3 * X).record(0, net)
    assert asked[0].dtype == torch.float64 and torch.equal(asked[0], (3 * X).double())
    watching = Watching(monitor(), inputs={"x": X})
    watching.record(0, net)
    watching = Watching(monitor(), inputs="anything", predict=lambda model, inputs: Y if inputs == "anything" else None)
    watching.record(0, net)
    assert watching.monitor.errors.max() < 1e-5


def test_bad_arguments_are_named():
    with pytest.raises(TypeError, match="^monitor: was Tensor"):
        Watching(X)
    with pytest.raises(ValueError, match="^every: was 0"):
        Watching(monitor(), every=0)
    with pytest.raises(TypeError, match="predict"):
        Watching(monitor()).record(0, NoTensor())


class NoTensor(nn.Module):
    def forward(self, x):
        return "no tensor"


def test_they_are_listed_and_no_other_is():
    assert "Lightning" in dir(fs.callbacks)
    with pytest.raises(AttributeError, match="Keras"):
        fs.callbacks.Keras  # noqa: B018


def test_a_missing_package_names_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "skorch.callbacks", None)
    monkeypatch.delitem(sys.modules, "fastspec.callbacks.skorch", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"fastspec-torch\[skorch\]"):
        fs.callbacks.Skorch  # noqa: B018


# --- each, real and in small ------------------------------------------------------------------------------------------


def packages(monkeypatch, kind, name):
    """The trainer's package, where it is installed, or its likeness in its place; fastspec's callback is made anew."""
    ours = f"fastspec.callbacks.{name}"
    monkeypatch.setitem(sys.modules, ours, None)
    del sys.modules[ours]
    found = "lightning.pytorch" if name == "lightning" else {"huggingface": "transformers"}.get(name, name)
    if kind == "in small":
        for module, held in getattr(trainers, found.partition(".")[0])().items():
            monkeypatch.setitem(sys.modules, module, held)
    return pytest.importorskip(found)


real_and_small = pytest.mark.parametrize("kind", ["real", "in small"])


def spy(base, hooks, step):
    """A callback that notes the hooks it hears and the step of each, of a class of that base."""
    heard = []

    def noted(hook):
        return lambda self, *given, **named: heard.append((hook, step(self, *given)))

    return type("Spy", (base,), {hook: noted(hook) for hook in hooks})(), heard


@real_and_small
def test_lightning(tmp_path, monkeypatch, kind):
    lightning = packages(monkeypatch, kind, "lightning")

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = Net()

        def forward(self, x):
            return self.net(x)

        def training_step(self, batch):
            return (self.net(batch[0]) - batch[1]).square().mean()

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), 1e-2)

    def trainer(epochs, *callbacks):
        quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
        return lightning.Trainer(max_epochs=epochs, callbacks=[*callbacks], default_root_dir=tmp_path, **quiet)

    callback = fs.callbacks.Lightning(monitor(), every=4, picture=tmp_path / "errors.png")
    other, heard = spy(lightning.Callback, trainers.LIGHTNING, lambda self, trainer, *given: trainer.global_step)
    module, first = Module(), trainer(3, callback, other)
    first.fit(module, batches())
    assert callback.monitor.steps == [0, 4, 8, 12] and module.training
    assert (tmp_path / "errors.png").stat().st_size > 3000
    start, end = trainers.LIGHTNING[:3], trainers.LIGHTNING[7:]
    epochs = [
        [
            ("on_train_epoch_start", 4 * epoch),
            *(
                (f"on_train_batch_{side}", 4 * epoch + n + (side == "end"))
                for n in range(4)
                for side in ("start", "end")
            ),
            ("on_train_epoch_end", 4 * epoch + 4),
        ]
        for epoch in range(3)
    ]
    assert heard == [*((hook, 0) for hook in start), *sum(epochs, []), *((hook, 12) for hook in end)]
    first.save_checkpoint(tmp_path / "state.ckpt")
    again = fs.callbacks.Lightning(monitor(), every=4)
    trainer(4, again).fit(Module(), batches(), ckpt_path=tmp_path / "state.ckpt")
    assert again.monitor.steps == [0, 4, 8, 12, 16]
    assert torch.equal(again.monitor.errors[:4], callback.monitor.errors)


@real_and_small
def test_huggingface(tmp_path, monkeypatch, kind):
    transformers = packages(monkeypatch, kind, "huggingface")

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = Net()

        def forward(self, x, labels=None):
            output = self.net(x)
            return {"loss": (output - labels).square().mean()} if labels is not None else (output,)

    callback = fs.callbacks.HuggingFace(monitor(), every=2, picture=tmp_path / "errors.png")
    other, heard = spy(
        transformers.TrainerCallback, trainers.HUGGINGFACE, lambda self, args, state, *_: state.global_step
    )
    arguments = transformers.TrainingArguments(
        tmp_path, max_steps=5, per_device_train_batch_size=10, report_to=[], use_cpu=True, disable_tqdm=True
    )
    rows = [{"x": x, "labels": y} for x, y in zip(X, Y, strict=True)]
    trainer = transformers.Trainer(Model(), arguments, train_dataset=rows, callbacks=[callback, other])
    trainer.train()
    assert callback.monitor.steps == [0, 2, 4, 5] and callback.monitor.errors.isfinite().all()
    assert (tmp_path / "errors.png").stat().st_size > 3000
    steps = [[*((hook, n) for hook in trainers.HUGGINGFACE[3:6]), ("on_step_end", n + 1)] for n in range(5)]
    epochs = [
        [("on_epoch_begin", 4 * n), *sum(steps[4 * n : 4 * n + 4], []), ("on_epoch_end", 4 + n)] for n in range(2)
    ]
    assert heard == [("on_init_end", 0), ("on_train_begin", 0), *sum(epochs, []), ("on_train_end", 5)]


@real_and_small
def test_deepxde(tmp_path, monkeypatch, kind):
    monkeypatch.setenv("DDE_BACKEND", "pytorch")
    dde = packages(monkeypatch, kind, "deepxde")
    if kind == "real":
        data = dde.data.Function(dde.geometry.Interval(-1, 1), lambda x: x, 16, 16)
        model = dde.Model(data, dde.nn.FNN([1, 8, 1], "tanh", "Glorot normal"))
        model.compile("adam", lr=1e-3, verbose=0)
    else:
        model = dde.Model(nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1)), X, X)
    callback = fs.callbacks.DeepXDE(monitor(), every=3, picture=tmp_path / "errors.png")
    given = fs.callbacks.DeepXDE(monitor(), predict=lambda model, inputs: Y)
    other, heard = spy(
        sys.modules["deepxde.callbacks"].Callback, trainers.DEEPXDE, lambda self: self.model.train_state.step
    )
    model.train(iterations=7, display_every=7, verbose=0, callbacks=[callback, given, other])
    assert callback.monitor.steps == [0, 3, 6, 7] and callback.monitor.errors.isfinite().all()
    assert given.monitor.steps == list(range(8)) and given.monitor.errors.max() < 1e-5
    assert (tmp_path / "errors.png").stat().st_size > 3000
    steps = [[(hook, n + ("end" in hook)) for hook in trainers.DEEPXDE[2:6]] for n in range(7)]
    assert heard == [("init", 0), ("on_train_begin", 0), *sum(steps, []), ("on_train_end", 7)]


def test_skorch(tmp_path):
    skorch = pytest.importorskip("skorch")
    callback = fs.callbacks.Skorch(monitor(), every=3, picture=tmp_path / "errors.png")
    net = skorch.NeuralNetRegressor(Net, max_epochs=2, batch_size=10, train_split=None, verbose=0, callbacks=[callback])
    net.fit(X, Y)
    assert callback.monitor.steps == [0, 3, 6, 8]
    net.partial_fit(X, Y)
    assert callback.monitor.steps == [0, 3, 6, 8, 11, 14, 16]
    assert (tmp_path / "errors.png").stat().st_size > 3000
    assert type(net.get_params()["callbacks"][0]) is fs.callbacks.Skorch
