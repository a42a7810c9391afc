"""Whatever the splits over ranks: loss and gradients are those of one process that holds all points."""

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from drawn import log_integers, problems
from hypothesis import given
from hypothesis import strategies as st
from samples import any_box

import fastspec as fs

pytestmark = any_box

RANKS = 3
WEIGHTS = {"none": None, "sobolev": fs.weights.sobolev(0.5), "focal": fs.weights.focal(1.0)}


def step(problem, kind: str, relative: bool, part: slice, group=None) -> tuple[torch.Tensor, torch.Tensor]:
    last = (problem.points, 2)
    x, pred, target = problem.x(), problem.data(last, False), problem.data(last, False, seed=2)
    options = {"period": problem.period, "eps": problem.eps, "weight": WEIGHTS[kind], "relative": relative}
    mine = pred[part].clone().requires_grad_()
    loss = fs.SpectralLoss(problem.modes, x=x[part], group=group, **options)(mine, target[part])
    loss.backward()
    return loss.detach(), mine.grad


def serve(rank: int, rendezvous: str, pipes: list) -> None:
    """Steps on this rank's share of each problem that comes, until there is none."""
    dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=RANKS)
    torch.set_num_threads(1)
    while (asked := pipes[rank].recv()) is not None:
        *given, edges = asked
        loss, gradient = step(*given, slice(edges[rank], edges[rank + 1]), dist.group.WORLD)
        pipes[rank].send((loss.numpy(), gradient.numpy()))
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """Pipes to processes that are a group."""
    context = mp.get_context("spawn")
    pairs = [context.Pipe() for _ in range(RANKS)]
    theirs = [there for _, there in pairs]
    rendezvous = str(tmp_path_factory.mktemp("group") / "rendezvous")
    group = mp.spawn(serve, (rendezvous, theirs), nprocs=RANKS, join=False)
    pipes = [here for here, _ in pairs]
    yield pipes
    for pipe in pipes:
        pipe.send(None)
    group.join(30)


@given(
    problem=problems(st.one_of(st.integers(1, 5), log_integers(1, 2000)), sets=None, rows=(), layout="dense"),
    kind=st.sampled_from(list(WEIGHTS)),
    relative=st.booleans(),
    shares=st.lists(st.floats(0, 1), min_size=RANKS - 1, max_size=RANKS - 1),
)
def test_any_split_is_the_whole(ranks, problem, kind, relative, shares):
    edges = [0, *sorted(round(share * problem.points) for share in shares), problem.points]
    for pipe in ranks:
        pipe.send((problem, kind, relative, edges))
    got = []
    for pipe in ranks:
        assert pipe.poll(300), "a rank said nothing"
        got.append(pipe.recv())
    want, gradient = step(problem, kind, relative, slice(None))
    tolerance = 50 * problem.eps  # each is off by its own eps
    for value, _ in got:
        assert abs(value.item() - want.item()) <= tolerance * want.item()
    found = torch.cat([torch.from_numpy(part) for _, part in got])
    assert (found - gradient).norm() <= tolerance * gradient.norm()
