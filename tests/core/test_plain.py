"""What outlives a call is plain: whatever mode the first call is in, the next one is right."""

import pytest
import torch
from samples import relative_error
from torch._subclasses.fake_tensor import FakeTensorMode

import fastspec as fs
from fastspec._core import gridding

X = torch.linspace(-3, 3, 50, dtype=torch.float64).unsqueeze(-1)
C = torch.cos(5 * X[:, 0]) + 1j * X[:, 0]
N = 12


def energy(x):
    return fs.nufft1(x, C, N).abs().square().sum()


def in_inference_mode():
    with torch.inference_mode():
        fs.nufft1(X, C, N)


def on_meta_by_default():
    with torch.device("meta"):
        fs.nufft1(X, C, N)


def with_fake_tensors():
    with FakeTensorMode() as mode:
        fs.nufft1(mode.from_tensor(X), mode.from_tensor(C), N)


def in_transforms():
    torch.func.jvp(torch.func.grad(energy), (X,), (X,))


def in_export():
    class Module(torch.nn.Module):
        def forward(self, x):
            return fs.nufft1(x, C, N)

    torch.export.export(Module(), (X,))


FIRST = [in_inference_mode, on_meta_by_default, with_fake_tensors, in_transforms, in_export]


@pytest.mark.parametrize("first", FIRST)
def test_no_cache_keeps_the_mode_of_the_first_call(first):
    gridding.forget()
    first()
    c = C.clone().requires_grad_()
    out = fs.nufft1(X, c, N)
    out.abs().sum().backward()
    assert type(out) is torch.Tensor
    assert relative_error(out, fs.reference.nufft1(X, C, N)) <= 1e-11
    want = torch.func.grad(lambda x: fs.reference.nufft1(x, C, N).abs().square().sum())(X)
    assert relative_error(torch.func.grad(energy)(X), want) <= 1e-10


@pytest.mark.parametrize("where", ["plan", "loss", "weight", "points"])
def test_what_was_made_in_inference_mode_trains(where):
    pred, target = torch.sin(X[:, 0]).requires_grad_(), torch.cos(X[:, 0])
    with torch.inference_mode():
        points, weight = X.clone(), torch.arange(float(N)).double()
        loss = fs.SpectralLoss(N, x=points if where == "points" else X, weight=weight if where == "weight" else None)
        loss(pred, target)
        plan = fs.Plan(X, N)
    if where == "plan":
        plan.nufft1(pred).abs().sum().backward()
    else:
        for step in (None, "composed"):
            with fs.override(step=step) if step else torch.enable_grad():
                loss(pred, target).backward()
    assert pred.grad is not None and pred.grad.abs().sum() > 0
