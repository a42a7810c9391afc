"""The operations of the table as modules trained by two processes that average their gradients."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from features import scalar
from operations import OPERATIONS, Operation
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

import fastspec as fs

WORLD = 2


def _sharded(module: nn.Module) -> nn.Module:
    return fully_shard(module, mesh=init_device_mesh("cpu", (WORLD,)))


WRAPPERS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "DistributedDataParallel": DistributedDataParallel,
    "FSDP2, fully_shard": _sharded,
}


class Trained(nn.Module):
    """An operation whose smooth inputs are parameters, moved by what each rank gives."""

    def __init__(self, op: Operation, function: Callable[..., Tensor]):
        super().__init__()
        given = op.inputs()
        self.function, self.rest = function, given[op.smooth :]
        self.inputs = nn.ParameterList(given[: op.smooth])

    def forward(self, shift: Tensor) -> Tensor:
        return scalar(self.function(*[p + shift for p in self.inputs], *self.rest))


def shift(rank: int) -> Tensor:
    return torch.tensor(0.1 * rank, dtype=torch.float64)


def averaged_gradients(path: Path) -> dict[str, dict[str, list[Tensor]]]:
    """Of all operations by each of the wrappers, and "group=" by each: from two processes."""
    mp.spawn(_work, (str(path),), nprocs=WORLD)
    return torch.load(path / "0.pt")


def _work(rank: int, path: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{path}/rendezvous", rank=rank, world_size=WORLD)
    found: dict[str, dict[str, list[Tensor]]] = {}
    with fs.override(algorithm="gridding"):
        for name, wrap in WRAPPERS.items():
            found[name] = {}
            for operation, op in OPERATIONS.items():
                module = wrap(Trained(op, op.ours))
                module(shift(rank)).backward()
                found[name][operation] = _gradients(module)
            found[name]["group="] = _of_sharded_points(wrap, rank)
    torch.save(found, f"{path}/{rank}.pt")
    dist.destroy_process_group()


def _gradients(module: nn.Module) -> list[Tensor]:
    grads: list[Any] = [p.grad for p in module.parameters()]
    return [g.full_tensor() if hasattr(g, "full_tensor") else g for g in grads]


# --- points sharded over the ranks ------------------------------------------------------------------------------------


def sharded_problem() -> tuple[nn.Module, Tensor, Tensor]:
    gen = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    x, target = (torch.randn(50, 1, dtype=torch.float64, generator=gen) for _ in range(2))
    return network, x, target


def _of_sharded_points(wrap: Callable[[nn.Module], nn.Module], rank: int) -> list[Tensor]:
    """By the line that the documentation of group= gives."""
    network, x, target = sharded_problem()
    part = slice(20) if rank == 0 else slice(20, None)
    wrapped, group = wrap(network), dist.group.WORLD
    loss = fs.SpectralLoss(9, x=x[part], group=group)
    line = re.search(r"``(\(group\.size\(\) .*backward\(\))``", str(fs.SpectralLoss.__doc__))
    assert line is not None
    exec(line[1], {"group": group, "loss": loss, "pred": wrapped(x[part]), "target": target[part]})
    return _gradients(wrapped)
