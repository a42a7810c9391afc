"""A loss whose points are sharded over ranks equals that of one process holding all points."""

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

import fastspec as fs

RANKS, POINTS, MODES = 2, 30, (9, 8)


def data():
    gen = torch.Generator().manual_seed(0)
    x = torch.rand(POINTS, 2, generator=gen, dtype=torch.float64) * 6
    return x, *(torch.randn(POINTS, 2, generator=gen, dtype=torch.float64) for _ in range(2))


def loss(x, **options):
    modes = None if "frequencies" in options else MODES
    return fs.SpectralLoss(modes, x=x, weight=options.pop("weight"), eps=1e-10, **options)


def work(rank, options, path):
    dist.init_process_group("gloo", init_method=f"file://{path}/rendezvous", rank=rank, world_size=RANKS)
    # shards of unequal size
    share = options.pop("share", 11)
    part = slice(0, share) if rank == 0 else slice(share, None)
    x, pred, target = (t[part].clone() for t in data())
    pred.requires_grad_()
    value = loss(x, group=dist.group.WORLD, **options)(pred, target)
    value.backward()
    torch.save((value.detach(), pred.grad), f"{path}/{rank}.pt")
    dist.destroy_process_group()


OPTIONS = [
    {"weight": fs.weights.focal(1.0)},
    {"weight": None, "relative": True},
    {"weight": None, "share": 0},  # a rank without points
    {"weight": fs.weights.focal(1.0), "frequencies": torch.linspace(-4, 4, 14, dtype=torch.float64).reshape(7, 2)},
]


@pytest.mark.parametrize("options", OPTIONS, ids=["focal", "relative", "none on a rank", "frequencies"])
def test_sharded_points_give_the_whole_loss_and_gradient(options, tmp_path):
    mp.spawn(work, (dict(options), str(tmp_path)), nprocs=RANKS)
    x, pred, target = data()
    pred.requires_grad_()
    value = loss(x, **{name: option for name, option in options.items() if name != "share"})(pred, target)
    value.backward()
    values, grads = zip(*(torch.load(tmp_path / f"{rank}.pt") for rank in range(RANKS)), strict=True)
    for got in values:
        assert got.item() == pytest.approx(value.item(), rel=1e-9)
    assert torch.allclose(torch.cat(grads), pred.grad, rtol=1e-8, atol=1e-12)
