"""One plan and one loss in many hands: threads, forked and spawned children, workers of a DataLoader, ranks."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
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


# --- points that come in chunks ---------------------------------------------------------------------------------------

SPLITS = [[700, 900, 2000], [2000, 3000], [3000, 3000]]  # where a rank's chunks end; the last rank has no points


def streamed(rank: int, weights: torch.Tensor, group=None) -> list[torch.Tensor]:
    """Spectra of a rank's points, and the gradient of a sum of both in the rank's strengths."""
    edges = SPLITS[rank]
    parts = [slice(a, b) for a, b in zip(edges, edges[1:], strict=False)]
    if rank == 0:
        parts = [slice(0, edges[0]), *parts]
    held = [C[part].clone().requires_grad_() for part in parts]
    found = []
    for transform in ("nufft1", "rnufft1"):
        with torch.no_grad():
            plain = fs.Plan.accumulate(
                zip([X[p] for p in parts], held, strict=True), 40, transform=transform, group=group
            )
        spectrum = fs.Plan.accumulate(
            ((X[p], c) for p, c in zip(parts, held, strict=True)), 40, transform=transform, group=group
        )
        loss = (spectrum.abs().square() * weights[: len(spectrum)]).sum()
        found += [plain, spectrum.detach(), torch.cat(torch.autograd.grad(loss, held))]
    return found


def rank_of_three(rank: int, path: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{path}/rendezvous", rank=rank, world_size=3)
    torch.save(streamed(rank, WEIGHTS, dist.group.WORLD), f"{path}/{rank}.pt")
    dist.destroy_process_group()


WEIGHTS = torch.rand(40, generator=GEN, dtype=torch.float64)


def test_chunks_of_points_on_ranks_are_one_set(tmp_path):
    mp.spawn(rank_of_three, (str(tmp_path),), nprocs=3)
    ranks = [torch.load(tmp_path / f"{rank}.pt") for rank in range(3)]
    whole, c = fs.Plan(X, 40), C.clone().requires_grad_()
    for i, transform in enumerate(("nufft1", "rnufft1")):
        spectrum = getattr(whole, transform)(c)
        (gradient,) = torch.autograd.grad((spectrum.abs().square() * WEIGHTS[: len(spectrum)]).sum(), c)
        for plain, with_gradient, _ in (found[3 * i : 3 * i + 3] for found in ranks):
            assert (plain - spectrum).norm() <= 1e-11 * spectrum.norm()
            assert torch.equal(plain, with_gradient)
        got = torch.cat([found[3 * i + 2] for found in ranks])
        assert (got - gradient).norm() <= 1e-11 * gradient.norm()


def test_chunks_of_points_without_ranks():
    rows = torch.stack([C, C.flip(0)])
    edges = [0, 1, 1, 1700, 3000]
    parts = [slice(a, b) for a, b in zip(edges, edges[1:], strict=False)]
    got = fs.Plan.accumulate(((X[p], rows[:, p]) for p in parts), 40, period=7.0, order="fft", eps=1e-9)
    want = fs.Plan(X, 40, period=7.0, order="fft", eps=1e-9).nufft1(rows)
    assert (got - want).norm() <= 1e-8 * want.norm()


def test_chunks_are_refused():
    with pytest.raises(ValueError, match="chunks: had none"):
        fs.Plan.accumulate([], 40)
    with pytest.raises(ValueError, match="transform: was 'nufft2'"):
        fs.Plan.accumulate([(X, C)], 40, transform="nufft2")
    with pytest.raises(ValueError, match=r"c: its spectrum's shape was \(2, 40\), must be that before, \(40,\)"):
        fs.Plan.accumulate([(X, C), (X, torch.stack([C, C]))], 40)
