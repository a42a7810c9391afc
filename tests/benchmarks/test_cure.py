"""The study of cures: that its parts compute what they say, and that its table says what was run. Nothing is timed."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from benchmarks import RESULTS
from benchmarks.studies.cure import __main__ as study
from benchmarks.studies.cure import direct, paces, physics, rivals, sides, tasks, train
from benchmarks.studies.cure.drawing import draw_errors, draw_table
from benchmarks.studies.cure.problem import Setting, Task, mlp, within
from benchmarks.studies.cure.records import Record, Records
from benchmarks.studies.cure.suite import TASKS
from benchmarks.studies.cure.summary import verdicts
from benchmarks.studies.cure.table import markdown

# --- a run of it, small -----------------------------------------------------------------------------------------------


def small(name: str, *chosen) -> Task:
    """Tuning is for the first side alone."""
    others = tuple(replace(side, rates=side.rates[:1], sweep=side.sweep[:1]) for side in chosen[1:])
    return replace(TASKS[name], sides=(chosen[0], *others), seconds=5.0)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Two tasks at a few steps, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("cure")
    records = Records(out / "cure.csv")
    some = {
        "sines": small("sines", *within(30, sides.MSE, sides.KERNEL, rivals.IGA), direct.LINES),
        "poisson line": small("poisson line", *within(10, sides.MSE, sides.ENERGY, rivals.ENGD), direct.SERIES_1D),
    }
    for task in some.values():
        study.fill(task, list(task.sides), 2, records)
    torch.set_num_threads(threads)
    return some, records, out


def test_every_side_has_every_seed_once_and_goes_on_where_it_was(ran):
    some, records, out = ran
    keys = [(row.task, row.method, row.seed) for row in records.rows]
    assert len(keys) == len(set(keys)) == 2 * sum(len(task.sides) for task in some.values())
    read = Records(out / "cure.csv")
    assert [(row.task, row.method, row.seed, row.ran) for row in read.rows] == [
        (*key, row.ran) for key, row in zip(keys, records.rows, strict=True)
    ]
    before = len(read.rows)
    study.fill(some["sines"], list(some["sines"].sides), 2, read)
    assert len(read.rows) == before


def test_what_needs_no_network_is_there_at_once(ran):
    _, records, _ = ran
    rows = {(row.task, row.method): row for row in records.rows}
    assert rows["sines", direct.LINES.name].held_out < 0.02 and rows["sines", direct.LINES.name].steps == 0
    assert rows["poisson line", direct.SERIES_1D.name].held_out < 1e-4


def test_the_table_has_a_row_for_every_side_and_says_which_targets_were_met(ran):
    some, records, _ = ran
    text = markdown(list(some.values()), records, {})
    tables = [line for line in text.splitlines() if line.startswith("| ")]
    headings = [line for line in tables if line.startswith("| group")]
    rows = [line for line in tables if line.split(" | ")[0] in ("| baseline", "| fastspec", "| rivals", "| no network")]
    assert len(headings) == 2 and len(rows) == 8
    assert all(line.count(" | ") == headings[0].count(" | ") for line in rows)
    assert "| sines | kernel" in text and "| poisson line | energy norm" in text
    assert "not in 30 steps" in text and "2 seeds; medians" in text


def test_the_figures_are_drawn(ran, tmp_path):
    some, records, _ = ran
    draw_table(list(some.values()), records, tmp_path / "cure.png")
    draw_errors(some["sines"], records, tmp_path / "docs" / "cure.png")
    assert all((tmp_path / name).stat().st_size > 5000 for name in ("cure.png", "docs/cure.png"))


# --- verdicts ---------------------------------------------------------------------------------------------------------


def judged(task: str, step: float = 1.0, **methods: tuple[int | None, float, float]) -> bool:
    """Whether the target is met by steps to the threshold, seconds and held-out errors of MSE and of ours."""
    records = Records(None)
    for name, (steps, seconds, held_out) in methods.items():
        method = {"mse": "MSE, Adam"}.get(name, name.replace("_", " "))
        for seed in range(3):
            there = None if steps is None else seconds
            records.add(Record(task, method, seed, 1e-2, 0.0, steps, there, held_out, 0.05, 1000, seconds))
    (found,) = verdicts(TASKS, records, {(task, "energy norm"): step})
    return found.met


def test_targets_are_met_or_not_by_steps_seconds_and_errors():
    assert judged("sines", mse=(1000, 10.0, 0.1), kernel=(100, 2.0, 0.1))
    assert not judged("sines", mse=(1000, 10.0, 0.1), kernel=(101, 2.0, 0.1))
    assert not judged("sines", mse=(1000, 10.0, 0.1), kernel=(100, 2.1, 0.1))
    assert not judged("sines", mse=(1000, 10.0, 0.1), kernel=(100, 2.0, 0.11))
    assert not judged("sines", mse=(1000, 10.0, 0.1), kernel=(None, 2.0, 0.1))
    assert judged("photograph", mse=(None, 20.0, 0.5), kernel=(None, 10.0, 0.43))
    assert not judged("photograph", mse=(None, 20.0, 0.5), kernel=(None, 10.0, 0.45))
    assert judged("ridges", mse=(900, 9.0, 0.5), kernel=(300, 9.0, 0.5))
    assert not judged("ridges", mse=(900, 9.0, 0.5), kernel=(310, 9.0, 0.5))
    assert judged("poisson line", mse=(None, 10.0, 0.02), energy_norm=(None, 11.0, 0.001))
    assert not judged("poisson line", step=1.2, mse=(None, 10.0, 0.02), energy_norm=(None, 10.0, 0.001))
    assert not judged("poisson line", mse=(None, 10.0, 0.019), energy_norm=(None, 11.0, 0.001))


def test_steps_are_timed_in_turns(monkeypatch, tmp_path):
    monkeypatch.setattr(paces, "TURNS", 2)
    monkeypatch.setattr(paces, "BLOCK", 2)
    task = small("poisson line", sides.MSE, sides.ENERGY)
    paces.measure([task], tmp_path / "paces.csv")
    assert list(paces.read(tmp_path / "paces.csv")) == [("poisson line", "energy norm")]
    assert paces.read(tmp_path / "none.csv") == {}


# --- parts ------------------------------------------------------------------------------------------------------------


def test_the_kernel_by_layers_is_the_jacobians():
    model, x = mlp(2, width=16), torch.randn(7, 2)
    rows = [
        torch.cat([g.flatten() for g in torch.autograd.grad(y, model.parameters(), retain_graph=True)])
        for y in model(x)[:, 0]
    ]
    jacobian = torch.stack(rows)
    torch.testing.assert_close(rivals.gram(model, x), jacobian @ jacobian.mT, rtol=1e-4, atol=1e-5)


def test_the_jacobian_of_a_residual_is_autograds():
    torch.manual_seed(0)
    data = physics.poisson_grid(0)
    data = replace(data, x=data.x[:5], target=data.target[:5])
    model = data.network()
    r = data.values(model, data.x)[:, 0]
    rows = [
        torch.cat(
            [
                g.flatten()
                for g in torch.autograd.grad(
                    v, model.parameters(), retain_graph=True, allow_unused=True, materialize_grads=True
                )
            ]
        )
        for v in r
    ]
    kernel, pull = rivals.of_equation(model, data)(r)
    jacobian = torch.stack(rows)
    torch.testing.assert_close(kernel, jacobian @ jacobian.mT, rtol=1e-3, atol=1e-2)
    v = torch.randn(5)
    torch.testing.assert_close(torch.cat([p.flatten() for p in pull(v)]), v @ jacobian, rtol=1e-3, atol=1e-2)


def test_levenberg_marquardt_solves_a_linear_problem():
    torch.manual_seed(0)
    model, x = nn.Linear(3, 1), torch.randn(10, 3)
    y = x @ torch.tensor([[1.0], [-2.0], [0.5]]) + 0.3

    def tangent(r):
        return x @ x.mT + 1, lambda v: list(torch.autograd.grad(r, list(model.parameters()), v))

    optimizer = rivals.LevenbergMarquardt(lambda: model(x) - y, tangent, list(model.parameters()))
    for _ in range(6):
        optimizer.step(lambda: None)
    assert (model(x) - y).abs().max() < 1e-3


def test_balanced_eigenvalues_are_at_most_the_next_one():
    q = torch.linalg.qr(torch.randn(6, 6))[0]
    k = q @ torch.diag(torch.tensor([32.0, 16, 8, 4, 2, 1])) @ q.mT
    values = torch.linalg.eigvalsh(rivals.balanced(k, 2) @ k)
    torch.testing.assert_close(values, torch.tensor([1.0, 2, 4, 8, 8, 8]), rtol=1e-3, atol=1e-3)


def test_groups_are_neighbours_and_share_no_point():
    x = torch.rand(600, 1)
    groups = rivals.groups_of(x, 64)
    assert groups.shape == (64, 9) and len(groups.unique()) == groups.numel()
    spans = x[groups, 0].amax(1) - x[groups, 0].amin(1)
    assert spans.max() < 0.1


@pytest.mark.parametrize(
    "make", [physics.poisson_grid, physics.poisson_jittered, physics.poisson_square, physics.helmholtz]
)
def test_sources_are_the_operators_of_the_solutions(make):
    """By the spectral method, and by differentiating the solution itself."""
    data = make(0)
    u = direct.series(data, Setting(math.nan, 20.0 if data.x.shape[1] == 2 else 48.0))
    x, true = data.clean
    assert (u(x)[:, 0] - true).norm() < 1e-3 * true.norm()
    judge = data.judge()
    judge.update(0, u)
    assert judge.errors.max() < 1e-3
    residual = data.values(u, data.x[:50])
    torch.testing.assert_close(residual, data.target[:50], rtol=1e-2, atol=1e-2 * data.target.abs().max().item())


def test_the_gear_is_a_signed_distance():
    x = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    d = tasks.gear(x)
    assert d[0] < -0.4 and d[1] > 0.2 and d[2] > 0.2
    near = torch.rand(200, 2) * 2 - 1
    step = 1e-3 * nn.functional.normalize(torch.randn(200, 2), dim=1)
    assert ((tasks.gear(near + step) - tasks.gear(near)).abs() < 1.5e-3).all()


def test_tuning_goes_by_steps_first_and_by_error_where_none_is_there_to_stay():
    def found(steps, held_out, worst=0.05):
        return train.Run(steps, None, held_out, worst, 10, 1.0).order(0.1)

    assert found(10, 0.5) < found(20, 0.1) < found(None, 0.1) < found(None, 0.2)
    assert found(20, 0.5) < found(10, 0.1, worst=0.2) < found(None, 0.2)


def test_rates_are_held_and_then_fall_to_nothing():
    p = nn.Parameter(torch.zeros(()))
    optimizer = torch.optim.SGD([p], 2.0)
    learner = train.Learner(nn.Identity(), lambda: p, optimizer)
    seen = []
    for step in train.train(learner, train.Budget(100, math.inf), train.Clock()):
        seen.append((step, optimizer.param_groups[0]["lr"]))
    assert [step for step, _ in seen] == list(range(0, 101, 10))
    assert (
        seen[6][1] == 2.0
        and seen[9][1] == pytest.approx(2.0 * 0.11 / 0.3)
        and seen[10][1] == pytest.approx(2.0 * 0.01 / 0.3)
    )


# --- what is recorded -------------------------------------------------------------------------------------------------


def test_the_cures_compared_are_those_recorded():
    rows = Records(RESULTS / "cure.csv").rows
    sides_of = {(task.name, side.name): side for task in TASKS.values() for side in task.sides}
    assert {(row.task, row.method) for row in rows} <= set(sides_of)
    assert len({(row.task, row.method, row.seed) for row in rows}) == len(rows)
    assert all(row.ran <= sides_of[row.task, row.method].steps for row in rows)
    timed = paces.read(RESULTS / "cure_paces.csv")
    assert (RESULTS / "cure.md").read_text() == markdown(list(TASKS.values()), Records(RESULTS / "cure.csv"), timed)
