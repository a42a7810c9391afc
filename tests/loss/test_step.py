"""The loss's step as one op: the composition's numbers, and made anew where what it was made for has changed."""

import pytest
import torch
from samples import TAU, both_algorithms
from scattered import lopsided, scattered

import fastspec as fs
from fastspec._core import ops


@both_algorithms
def test_the_step_in_one_op_makes_a_gradient_only_where_one_is_wanted(algorithm, monkeypatch):
    x, pred, target = scattered((16, 12))
    loss = fs.SpectralLoss((16, 12), x=x, weight=lopsided)
    op = "direct_loss_step" if algorithm == "direct" else "loss_step"
    step, made = getattr(ops, op), []

    def recorded(*args):
        value, gradient = step(*args)
        made.append(gradient.numel() > 0)
        return value, gradient

    monkeypatch.setattr(ops, op, recorded)
    wanting = pred.clone().requires_grad_()
    loss(wanting, target), loss(pred, target), loss(pred, wanting)
    with torch.no_grad():
        loss(wanting, target)
    assert made == [True, False, True, False]


ONE_OP = [
    {},
    {"reduction": "sum"},
    {"reduction": "none"},
    {"quadrature": True},
    {"relative": True},
    {"relative": True, "reduction": "none", "quadrature": True},
]


@both_algorithms
@pytest.mark.parametrize("options", ONE_OP, ids=str)
@pytest.mark.parametrize("shape", [(), (1,), (3,)], ids=str)
def test_the_step_in_one_op_is_the_composition(shape, options, algorithm, gen, monkeypatch):
    """Values, gradients in both arguments, and second derivatives. The composition is by gridding in any case."""
    x, pred, target = scattered((16, 12))
    if "quadrature" in options:
        options = options | {"quadrature": torch.rand(len(x), generator=gen, dtype=x.dtype)}
    pred, target = (
        t[(..., *[None] * len(shape))] * torch.randn(shape, generator=gen, dtype=x.dtype) for t in (pred, target)
    )
    loss = fs.SpectralLoss((16, 12), x=x, weight=lopsided, **options)

    def derivatives():
        inputs = [pred.clone().requires_grad_(), target.clone().requires_grad_()]
        value = loss(*inputs)
        first = torch.autograd.grad(value.square().sum(), inputs, create_graph=True)
        second = torch.autograd.grad(sum(g.pow(3).sum() for g in first), inputs)
        return [value, *first, *second]

    got = derivatives()
    largest = 1e-12 if algorithm == "gridding" else 1e-10
    for op in ("loss_step", "direct_loss_step"):
        monkeypatch.delattr(ops, op)
    with fs.override(step="composed"):
        torch.testing.assert_close(got, derivatives(), rtol=largest, atol=largest / 100)


@both_algorithms
def test_what_a_step_was_made_for_may_change():
    """The weight in place, the points by another plan, the quadrature."""
    x, pred, target = scattered((9,))
    loss = fs.SpectralLoss((9,), x=x, weight=torch.rand(9, dtype=torch.float64))
    before = loss(pred, target).item()
    loss.weight.mul_(2)
    assert loss(pred, target).item() == pytest.approx(2 * before, rel=1e-9)
    loss.plan = fs.Plan(x.flip(0), (9,))
    assert loss(pred.flip(0), target.flip(0)).item() == pytest.approx(2 * before, rel=1e-9)
    loss.quadrature = torch.full((len(x),), 2 / len(x), dtype=torch.float64)
    assert loss(pred.flip(0), target.flip(0)).item() == pytest.approx(8 * before, rel=1e-9)


def test_weight_may_come_to_want_a_gradient():
    """A step that was made ready before must not be taken then."""
    x, pred, target = scattered((9,))
    loss = fs.SpectralLoss((9,), x=x, weight=torch.ones(9, dtype=torch.float64))
    want = loss(pred, target)
    loss.weight.requires_grad_()
    value = loss(pred, target)
    assert value.item() == pytest.approx(want.item(), rel=1e-10)
    assert torch.autograd.grad(value, loss.weight)[0].abs().sum() > 0


def test_what_is_no_tensor_is_refused_after_a_step_too():
    x, pred, target = scattered((9,))
    loss = fs.SpectralLoss((9,), x=x)
    loss(pred, target)
    with pytest.raises(TypeError, match="pred: was list, must be a tensor"):
        loss(pred.tolist(), target)
    with pytest.raises(TypeError, match="target: was list, must be a tensor"):
        loss(pred, target.tolist())


@pytest.mark.parametrize("algorithm", ["gridding", "direct"], indirect=True)
@pytest.mark.parametrize(
    "options", [{"weight": fs.weights.focal(1.0)}, {"relative": True, "reduction": "none"}, {"quadrature": True}]
)
def test_the_compiled_step_is_the_eager_one(options, algorithm, gen):
    x, q = (torch.rand(50, *last, generator=gen, dtype=torch.float64) for last in ((1,), ()))
    x = x * TAU
    loss = fs.SpectralLoss(9, x=x, **{**options, **({"quadrature": q} if "quadrature" in options else {})})
    found = []
    for run in (loss, torch.compile(loss, fullgraph=True, backend="aot_eager")):
        data = [torch.randn(3, 50, 2, dtype=torch.float64, generator=gen.manual_seed(i)) for i in (1, 2)]
        data[1] += 3 * x.cos()
        leaves = [t.requires_grad_() for t in data]
        value = run(*leaves)
        found.append([value, *torch.autograd.grad(value.sum(), leaves)])
    torch.compiler.reset()
    for got, want in zip(*found, strict=True):
        assert (got - want).norm() <= 1e-12 * want.norm()
