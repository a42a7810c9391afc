"""A loss whose points are sharded over ranks equals that of one process holding all points."""

import math

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from samples import any_box

import fastspec as fs

pytestmark = any_box  # of shards
FREQUENCIES = torch.linspace(-4, 4, 14, dtype=torch.float64).reshape(7, 2)


def data(d, count, dtype, seed):
    gen = torch.Generator().manual_seed(seed)
    x = (torch.rand(count, d, generator=gen, dtype=dtype) - 0.5) * 6
    return x, *(torch.randn(count, 2, generator=gen, dtype=dtype) for _ in range(2))


def loss(x, modes, group=None, **options):
    made = fs.SpectralLoss(modes, x=x, group=group, **options)
    return lambda pred, target: made(pred, target)


def value_and_gradient(parts, modes, options, group=None):
    x, pred, target = (t.clone() for t in parts)
    pred.requires_grad_()
    value = loss(x, modes, group, **options)(pred, target)
    value.backward()
    return value.detach(), pred.grad


def work(rank, world, cases, path):
    dist.init_process_group("gloo", init_method=f"file://{path}/rendezvous", rank=rank, world_size=world)
    found = []
    with fs.override(algorithm="auto"):
        for data_of, modes, splits, options in cases:
            edges = [0, *splits, data_of[1]]
            part = slice(edges[rank], edges[rank + 1])
            shard = [t[part] for t in data(*data_of)]
            found.append(value_and_gradient(shard, modes, options, dist.group.WORLD))
    torch.save(found, f"{path}/{rank}.pt")
    dist.destroy_process_group()


def check(cases, world, path):
    """Each case: (d, count, dtype, seed), modes, where the ranks' shards end, options of the loss."""
    if world == 1:
        work(0, 1, cases, str(path))
    else:
        mp.spawn(work, (world, cases, str(path)), nprocs=world)
    ranks = [torch.load(path / f"{rank}.pt") for rank in range(world)]
    for case, *parts in zip(cases, *ranks, strict=True):
        data_of, modes, _, options = case
        value, gradient = value_and_gradient(data(*data_of), modes, options)
        tolerance = 1e-5 if data_of[2] == torch.float32 else 1e-9
        for got, _ in parts:
            assert got.item() == pytest.approx(value.item(), rel=tolerance), case
        got = torch.cat([part[1] for part in parts])
        assert (got - gradient).norm() <= tolerance * gradient.norm(), case


def random_cases(world, seed, count):
    """Splits anywhere, and so on all sides of the planner's thresholds; some shards are empty or of one point."""
    gen = torch.Generator().manual_seed(seed)

    def draw(low, high):
        return int(torch.randint(low, high, (), generator=gen))

    cases = []
    for i in range(count):
        d = draw(1, 4)
        m = round(math.exp(draw(300, 800) / 100))
        modes = tuple(draw(1, {1: 400, 2: 40, 3: 9}[d]) for _ in range(d))
        splits = sorted(draw(0, m + 1) for _ in range(world - 1))
        splits = [0] * (world - 1) if i % 5 == 1 else [m - 1] * (world - 1) if i % 5 == 2 else splits
        dtype = (torch.float32, torch.float64)[draw(0, 2)]
        weight = (None, fs.weights.sobolev(0.5), fs.weights.focal(1.0))[draw(0, 3)]
        cases.append(((d, m, dtype, i), modes, splits, {"weight": weight, "relative": draw(0, 2) == 1, "period": 7.0}))
    return cases


# 167 and 168 points of one dimension, 64 modes: the planner's choice of a fine grid once changed between these
FIXED = [
    ((1, 335, torch.float64, 0), (64,), [167], {}),
    ((2, 30, torch.float64, 0), (9, 8), [11], {"weight": fs.weights.focal(1.0), "eps": 1e-10}),
    ((2, 30, torch.float64, 0), (9, 8), [11], {"relative": True, "eps": 1e-10}),
    ((2, 30, torch.float64, 0), None, [11], {"weight": fs.weights.focal(1.0), "frequencies": FREQUENCIES}),
]


def test_sharded_points_give_the_whole_loss_and_gradient(tmp_path):
    check([*FIXED, *random_cases(2, 0, 30)], 2, tmp_path)


@pytest.mark.parametrize("world", [1, 4])
def test_any_number_of_ranks(world, tmp_path):
    check(random_cases(world, world, 15), world, tmp_path)


def disagree(rank, world, path):
    dist.init_process_group("gloo", init_method=f"file://{path}/rendezvous", rank=rank, world_size=world)
    x, pred, target = data(1, 20, torch.float64, 0)
    errors = []
    for name, made, values in (
        ("modes", {"modes": 8 + rank}, pred),
        ("box", {"modes": 8, "period": 6.0 + rank}, pred),
        ("eps", {"modes": 8, "eps": 10.0 ** -(6 + rank)}, pred),
        ("shape", {"modes": 8}, pred[:, : 1 + rank]),
        ("quadrature", {"modes": 8, "quadrature": [None, pred[:, 0]][rank]}, pred),
    ):
        call = fs.SpectralLoss(x=x, group=dist.group.WORLD, **made)
        try:
            call(values, target[:, : values.shape[1]])
            errors.append(f"{name}: none")
        except ValueError as error:
            errors.append(f"{name}: {error}")
    empty = fs.SpectralLoss(8, x=x[:0], group=dist.group.WORLD)
    try:
        empty(pred[:0], target[:0])
        errors.append("none: none")
    except ValueError as error:
        errors.append(f"none: {error}")
    torch.save(errors, f"{path}/{rank}.pt")
    dist.destroy_process_group()


def test_ranks_that_disagree_all_raise(tmp_path):
    mp.spawn(disagree, (2, str(tmp_path)), nprocs=2)
    for rank in range(2):
        *differ, empty = torch.load(tmp_path / f"{rank}.pt")
        for said in differ:
            name, _, rest = said.partition(": ")
            assert rest.startswith(f"group: its ranks disagreed on {name}"), said
        assert empty == "none: x: no rank of the group had points, at least one must"
