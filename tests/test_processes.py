"""One plan and one loss in many hands: threads, forked and spawned children, workers of a DataLoader."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

import fastspec as fs

ROOT = Path(__file__).parent.parent
GEN = torch.Generator().manual_seed(0)
X, C = torch.rand(3000, generator=GEN, dtype=torch.float64) * 6, torch.randn(3000, generator=GEN, dtype=torch.float64)


def spectrum_and_gradient(plan: fs.Plan, loss: fs.SpectralLoss, c: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    pred = c.clone().requires_grad_()
    loss(pred, 0 * c).backward()
    return plan.nufft1(c), pred.grad


def held() -> tuple[fs.Plan, fs.SpectralLoss]:
    return fs.Plan(X, 400), fs.SpectralLoss(400, x=X, weight=fs.weights.sobolev(1.0))


def test_threads_share_a_plan_and_a_loss():
    plan, loss = held()
    rows = [C * (i + 1) for i in range(8)]
    alone = [spectrum_and_gradient(plan, loss, c) for c in rows]
    plan, loss = held()  # nothing kept yet: threads make at once what is
    with ThreadPoolExecutor(8) as threads:
        for _ in range(10):
            for got, want in zip(threads.map(lambda c: spectrum_and_gradient(plan, loss, c), rows), alone, strict=True):
                assert torch.equal(got[0], want[0]) and torch.equal(got[1], want[1])


def test_threads_at_once_find_that_points_have_moved():
    x, plan = X.clone(), fs.Plan(X.clone(), 40)
    wanted = [fs.Plan(p, 40).nufft1(C) for p in (x, x / 2)]

    def move(i: int) -> None:
        with torch.no_grad():
            plan.x.copy_(x if i % 2 else x / 2)

    for i in range(6):
        move(i)
        with ThreadPoolExecutor(8) as threads:
            for got in threads.map(plan.nufft1, [C] * 16):
                assert torch.equal(got, wanted[1 - i % 2])


FORKED = """
import os, sys, torch, fastspec as fs
x, c = torch.rand(200_000, dtype=torch.float64) * 6, torch.randn(200_000, dtype=torch.float64)
torch.set_num_threads(2)
plan, loss = fs.Plan(x, (100_000,)), fs.SpectralLoss(1000, x=x)
want, value = plan.nufft1(c), loss(c, 0 * c)
child = os.fork()
if child == 0:
    torch.set_num_threads(1)  # GNU OpenMP's other threads are not there after a fork, in all of torch
    same = torch.equal(plan.nufft1(c), want) and torch.equal(loss(c, 0 * c), value)
    os._exit(0 if same else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert torch.equal(plan.nufft1(c), want)
print("same")
"""


def run(script: str, timeout: float = 120) -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_plan_in_a_forked_child():
    assert run(FORKED) == "same"


class Spectra(Dataset):
    """Spectra and gradients made by the workers, each with its own copy of a plan and a loss."""

    def __init__(self) -> None:
        self.held, self.rows = held(), torch.stack([C * i for i in range(1, 5)])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> torch.Tensor:
        return torch.cat(spectrum_and_gradient(*self.held, self.rows[i]))


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_the_workers_of_a_data_loader(context):
    data = Spectra()
    (got,) = DataLoader(data, batch_size=4, num_workers=1, multiprocessing_context=context)
    want = torch.stack([data[i] for i in range(4)])
    assert (got - want).norm() <= 1e-12 * want.norm()
