"""Trainers of other people in small: what fastspec.callbacks asks of each, called in the order the real one calls it.

Lightning, transformers and DeepXDE are too heavy to install for each run of the tests. tests/callbacks runs the same
tests, the order of calls among them, with the real packages where they are.
"""

import copy
from types import ModuleType, SimpleNamespace

import torch
from torch import nn

LIGHTNING = (
    *("setup", "on_fit_start", "on_train_start", "on_train_epoch_start", "on_train_batch_start", "on_train_batch_end"),
    *("on_train_epoch_end", "on_train_end", "on_fit_end", "teardown"),
)
HUGGINGFACE = (
    *("on_init_end", "on_train_begin", "on_epoch_begin", "on_step_begin", "on_pre_optimizer_step", "on_optimizer_step"),
    *("on_step_end", "on_epoch_end", "on_train_end"),
)
DEEPXDE = ("init", "on_train_begin", "on_epoch_begin", "on_batch_begin", "on_batch_end", "on_epoch_end", "on_train_end")


def _base(hooks: tuple[str, ...], **more: object) -> type:
    """A trainer's base class of callbacks, whose hooks do nothing."""

    def nothing(self, *given, **named):
        return None

    return type("Callback", (), {**dict.fromkeys(hooks, nothing), **more})


def _modules(**members: dict[str, object]) -> dict[str, ModuleType]:
    out = {}
    for name, held in members.items():
        out[name.replace("__", ".")] = module = ModuleType(name.replace("__", "."))
        vars(module).update(held)
    return out


# --- Lightning --------------------------------------------------------------------------------------------------------

LightningCallback = _base(
    LIGHTNING,
    state_dict=lambda self: {},
    load_state_dict=lambda self, state: None,
    state_key=property(lambda self: type(self).__qualname__),
)


class LightningTrainer:
    is_global_zero = True

    def __init__(self, *, max_epochs, callbacks, **quiet):
        self.max_epochs, self.callbacks, self.global_step = max_epochs, callbacks, 0

    def _call(self, hook, *given):
        for callback in self.callbacks:
            getattr(callback, hook)(self, self.module, *given)

    def fit(self, module, batches, *, ckpt_path=None):
        self.module, self.optimizer, first = module, module.configure_optimizers(), 0
        self._call("setup", "fit")
        if ckpt_path is not None:
            first = self._restore(torch.load(ckpt_path))
        self._call("on_fit_start")
        module.train()
        self._call("on_train_start")
        for _ in range(first, self.max_epochs):
            self._call("on_train_epoch_start")
            for place, batch in enumerate(batches):
                self._call("on_train_batch_start", batch, place)
                self._call("on_train_batch_end", self._step(batch), batch, place)
            self._call("on_train_epoch_end")
        self.epochs = self.max_epochs
        self._call("on_train_end")
        self._call("on_fit_end")
        self._call("teardown", "fit")

    def _step(self, batch):
        loss = self.module.training_step(batch)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.global_step += 1
        return {"loss": loss.detach()}

    def save_checkpoint(self, path):
        states = {callback.state_key: callback.state_dict() for callback in self.callbacks}
        held = {
            "callbacks": {key: state for key, state in states.items() if state},
            "weights": self.module.state_dict(),
        }
        torch.save({**held, "step": self.global_step, "epochs": self.epochs}, path)

    def _restore(self, saved):
        self.module.load_state_dict(saved["weights"])
        for callback in self.callbacks:
            if callback.state_key in saved["callbacks"]:
                callback.load_state_dict(copy.deepcopy(saved["callbacks"][callback.state_key]))
        self.global_step = saved["step"]
        return saved["epochs"]


def lightning():
    own = {"Callback": LightningCallback, "LightningModule": nn.Module, "Trainer": LightningTrainer}
    return _modules(lightning={}, lightning__pytorch=own)


# --- transformers -----------------------------------------------------------------------------------------------------

TrainerCallback = _base(HUGGINGFACE)


class HuggingFaceTrainer:
    def __init__(self, model, args, *, train_dataset, callbacks):
        self.model, self.args, self.rows, self.callbacks = model, args, train_dataset, callbacks
        self.state, self.control = SimpleNamespace(global_step=0, is_world_process_zero=True), SimpleNamespace()
        self.optimizer = torch.optim.AdamW(model.parameters())
        self._call("on_init_end")

    def _call(self, event):
        for callback in self.callbacks:
            named = {"model": self.model, "optimizer": self.optimizer, "train_dataloader": self.rows}
            getattr(callback, event)(self.args, self.state, self.control, **named)

    def train(self):
        self.model.train()
        self._call("on_train_begin")
        while self.state.global_step < self.args.max_steps:
            self._call("on_epoch_begin")
            size = self.args.per_device_train_batch_size
            for start in range(0, len(self.rows), size):
                self._step(self.rows[start : start + size])
                if self.state.global_step == self.args.max_steps:
                    break
            self._call("on_epoch_end")
        self._call("on_train_end")

    def _step(self, rows):
        self._call("on_step_begin")
        self.optimizer.zero_grad()
        self.model(**{key: torch.stack([row[key] for row in rows]) for key in rows[0]})["loss"].backward()
        self._call("on_pre_optimizer_step")
        self.optimizer.step()
        self._call("on_optimizer_step")
        self.state.global_step += 1
        self._call("on_step_end")


def transformers():
    def arguments(output_dir, **given):
        return SimpleNamespace(output_dir=output_dir, **given)

    own = {"TrainerCallback": TrainerCallback, "TrainingArguments": arguments, "Trainer": HuggingFaceTrainer}
    return _modules(transformers=own)


# --- DeepXDE ----------------------------------------------------------------------------------------------------------


def _set_model(callback, model):
    callback.model = model
    callback.init()


DeepXDECallback = _base(DEEPXDE, set_model=_set_model)


class DeepXDEModel:
    """No nn.Module: it holds one, and is asked by ``predict`` from arrays to arrays."""

    def __init__(self, net, x, y):
        self.net, self.x, self.y = net, x, y
        self.train_state = SimpleNamespace(step=0)

    def train(self, *, iterations, callbacks, **quiet):
        optimizer = torch.optim.Adam(self.net.parameters(), 1e-3)
        for callback in callbacks:
            callback.set_model(self)

        def call(hook):
            for callback in callbacks:
                getattr(callback, hook)()

        call("on_train_begin")
        for _ in range(iterations):
            call("on_epoch_begin")
            call("on_batch_begin")
            optimizer.zero_grad()
            (self.net(self.x) - self.y).square().mean().backward()
            optimizer.step()
            self.train_state.step += 1
            call("on_batch_end")
            call("on_epoch_end")
        call("on_train_end")

    def predict(self, x):
        with torch.no_grad():
            return self.net(torch.from_numpy(x)).numpy()


def deepxde():
    return _modules(deepxde={"Model": DeepXDEModel}, deepxde__callbacks={"Callback": DeepXDECallback})
