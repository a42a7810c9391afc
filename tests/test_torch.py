"""The table of torch's features: every cell is right, against plain torch, or refused with words that the test reads.

`make table` writes docs/torch.md from what these tests find.
"""

import copy
import io
import pickle
from collections.abc import Iterator

import pytest
import torch
from features import COMPILED, EAGER, backward, scalar, value
from operations import MODES, ON_GRIDS, OPERATIONS, M, on_grid
from ranks import WORLD, WRAPPERS, Trained, averaged_gradients, sharded_problem, shift
from samples import any_box, relative_error
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._pytree import tree_leaves

import fastspec as fs

# (feature, operation): what the refusal says
pytestmark = any_box

REFUSED = {
    ("compile of hessian", operation): "fastspec: torch.compile of"
    for operation, described in OPERATIONS.items()
    if not operation.startswith("nn.") and operation not in ("precondition.kernel", "precondition.residual")
}
REFUSED |= {
    (feature, "precondition.kernel"): "use fastspec.precondition.Kernel in its place"
    for feature in COMPILED
    if feature.startswith("compile") and "fullgraph=False" not in feature or feature == "export, strict"
}
QUICK = ("nufft1", "SpectralLoss, x at the call")  # compiled also in the quick tests


@pytest.fixture(autouse=True)
def fresh_compiler() -> Iterator[None]:
    yield
    torch.compiler.reset()


@pytest.fixture
def cell(request, record_property):
    """Compares, or reads the refusal, and tells the table which it was."""
    feature, operation = (request.node.callspec.params[name] for name in ("feature", "operation"))

    def check(make, exact, tolerance=1e-8):
        refusal = REFUSED.get((feature, operation))
        if refusal is not None:
            with pytest.raises(Exception, match=refusal):
                make()
            record_property("cell", (feature, operation, "refused"))
            return
        got, want = tree_leaves(make()), tree_leaves(exact())
        assert len(got) == len(want)
        for g, w in zip(got, want, strict=True):
            assert g.shape == w.shape
            assert relative_error(g, w) <= tolerance or torch.allclose(g.to(w.dtype), w, rtol=0, atol=1e-10)
        record_property("cell", (feature, operation, "right"))

    return check


def untouched(f):
    return f


every = pytest.mark.parametrize("operation", OPERATIONS)


@every
@pytest.mark.parametrize("algorithm", ["gridding", "direct"], indirect=True)
@pytest.mark.parametrize("feature", EAGER)
def test_eager(feature, operation, algorithm, cell):
    op = OPERATIONS[operation]
    given = op.smooth, op.inputs(), untouched
    cell(lambda: EAGER[feature](op.ours, *given), lambda: EAGER[feature](op.plain, *given))


NOT_CELLS = (
    *[("export, any number of points", name) for name, op in OPERATIONS.items() if not op.counted],
    ("export, strict", "nn.SineLayer"),  # torch 2.13 fails to name the parameters of a layer that is a global
)


def compiled_cells():
    slow = pytest.mark.slow
    quick = {"compile(fullgraph=True), backward", "compile of func.jvp", "export, any number of points"}
    return [
        pytest.param(feature, operation, marks=[] if operation in QUICK and feature in quick else slow)
        for feature in COMPILED
        for operation in OPERATIONS
        if (feature, operation) not in NOT_CELLS
    ]


@pytest.mark.parametrize(("feature", "operation"), compiled_cells())
def test_compiled(feature, operation, cell):
    op = OPERATIONS[operation]
    run, through = COMPILED[feature]
    cell(
        lambda: run(op.ours, op.smooth, op.inputs(), through),
        lambda: run(op.plain, op.smooth, op.inputs(), untouched),
    )
    # nothing that was traced is met again
    torch.compiler.reset()
    assert relative_error(op.ours(*op.inputs()), op.plain(*op.inputs())) <= 1e-8


@pytest.mark.slow
@pytest.mark.parametrize("feature", ["20 numbers of points, two graphs"])
@pytest.mark.parametrize("operation", [name for name, op in OPERATIONS.items() if op.counted])
def test_number_of_points_varies(feature, operation, cell):
    op, graphs = OPERATIONS[operation], []

    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    compiled = torch.compile(op.ours, fullgraph=True, backend=backend)
    sizes = range(20, 60, 2)
    cell(lambda: [compiled(*op.inputs(m)) for m in sizes], lambda: [op.plain(*op.inputs(m)) for m in sizes])
    assert len(graphs) <= 2


@every
@pytest.mark.parametrize("feature", ["autocast to bfloat16", "autocast to float16"])
def test_autocast(feature, operation, cell):
    """Nothing is rounded: the same numbers as outside."""
    op = OPERATIONS[operation]
    given = op.inputs(dtype=torch.float32)

    def within():
        half = torch.bfloat16 if feature.endswith("bfloat16") else torch.float16
        with torch.autocast("cpu", half):
            out = op.ours(*given)
            if not operation.startswith("nn."):  # torch's own layers, whose backward is not to be called here
                return [out, *backward(op.ours, op.smooth, given, untouched)]
        leaves = [t.clone().requires_grad_() for t in given]
        with torch.autocast("cpu", half):
            value = scalar(op.ours(*leaves))
        return [out, *torch.autograd.grad(value, leaves)]

    cell(within, lambda: [op.ours(*given), *backward(op.ours, op.smooth, given, untouched)], tolerance=1e-6)


@every
@pytest.mark.parametrize("feature", ["float16 inputs", "bfloat16 inputs"])
def test_half_inputs(feature, operation, cell):
    """Computed in float32 from what they are, returned in their dtype, where it has a complex kin."""
    op, half = OPERATIONS[operation], torch.bfloat16 if feature.startswith("bfloat16") else torch.float16
    if operation == "nn.SineLayer" or "_wave" in op.ours.__code__.co_names:
        pytest.skip("a layer with parameters is of one dtype; bfloat16 has no complex kin")
    given = op.inputs(dtype=half)
    cell(
        lambda: value(op.ours, op.smooth, given, untouched).to(torch.complex64),
        lambda: value(op.plain, op.smooth, [t.double() for t in given], untouched),
        tolerance=3e-2,
    )


@every
@pytest.mark.parametrize("feature", ["meta tensors", "fake tensors"])
def test_shapes_without_numbers(feature, operation, cell):
    op = OPERATIONS[operation]

    def shape_alone():
        if feature == "meta tensors":
            return torch.zeros(op.ours(*[t.to("meta") for t in op.inputs()]).shape)
        with FakeTensorMode(allow_non_fake_inputs=True) as mode:
            out = op.ours(*map(mode.from_tensor, op.inputs()))
        return torch.zeros(out.shape)

    cell(shape_alone, lambda: torch.zeros(op.plain(*op.inputs()).shape))
    assert relative_error(op.ours(*op.inputs()), op.plain(*op.inputs())) <= 1e-8


@every
@pytest.mark.parametrize("feature", ["another default device"])
def test_default_device(feature, operation, cell):
    op = OPERATIONS[operation]

    def within():
        with torch.device("meta"):
            return op.ours(*op.inputs())

    cell(within, lambda: op.plain(*op.inputs()))


with_points = pytest.mark.parametrize("operation", [name for name, op in OPERATIONS.items() if op.points])


@with_points
@pytest.mark.parametrize("algorithm", ["gridding", "direct"], indirect=True)
@pytest.mark.parametrize("feature", ["no points", "one point"])
def test_few_points(feature, operation, algorithm, cell):
    op = OPERATIONS[operation]
    given = op.inputs(1 if feature == "one point" else 0)
    if feature == "no points" and "oss" in operation:
        with pytest.raises(ValueError, match="x: had no points, must have at least one"):
            op.ours(*given)
        return
    cell(lambda: op.ours(*given), lambda: op.plain(*given))


@pytest.mark.parametrize("operation", ON_GRIDS)
@pytest.mark.parametrize("algorithm", ["gridding", "direct"], indirect=True)
@pytest.mark.parametrize("feature", ["one mode"])
def test_one_mode(feature, operation, algorithm, cell):
    op = on_grid(1)[operation]
    given = op.smooth, op.inputs(), untouched
    cell(
        lambda: [op.ours(*op.inputs()), *EAGER["double backward"](op.ours, *given)],
        lambda: [op.plain(*op.inputs()), *EAGER["double backward"](op.plain, *given)],
    )


# what takes points of many sets, (B, M, d); of the rest the data are (B, M, C), with weights or frequencies in common
counted = pytest.mark.parametrize("operation", [name for name, op in OPERATIONS.items() if op.counted])
OF_SETS = ("nufft", "rnufft", "Plan", "nn.", "measure")


def batch_of(op, operation, sets):
    """The operation's inputs with an axis of ``sets`` before them."""
    each = [op.inputs(seed=seed) for seed in range(max(sets, 1))]
    stacked = [torch.stack(parts)[:sets] for parts in zip(*each, strict=True)]
    if operation.startswith(OF_SETS):
        return each, stacked
    each = [(*one[:3], *each[0][3:]) if "loss" in operation.lower() else (*one[:2], each[0][2], one[3]) for one in each]
    columns = [t.unsqueeze(-1) if shape == ("M",) else t for t, shape in zip(stacked, op.shapes, strict=True)]
    if "loss" in operation.lower():
        return each, [*columns[:3], *each[0][3:]]
    return each, [*columns[:2], each[0][2], stacked[3]]


@counted
@pytest.mark.parametrize("algorithm", ["gridding", "direct"], indirect=True)
@pytest.mark.parametrize("feature", ["sets of points"])
def test_sets_of_points(feature, operation, algorithm, cell):
    op = OPERATIONS[operation]
    each, given = batch_of(op, operation, 3)

    def plain():
        out = torch.stack([op.plain(*one) for one in each])
        return out.mean() if "loss" in operation.lower() else out

    cell(lambda: op.ours(*given).reshape(plain().shape), plain)


@counted
@pytest.mark.parametrize("algorithm", ["gridding", "direct"], indirect=True)
@pytest.mark.parametrize("feature", ["a batch of none"])
def test_batch_of_none(feature, operation, algorithm, cell):
    """As torch's own: of transforms none, of losses nan."""
    op = OPERATIONS[operation]
    each, given = batch_of(op, operation, 0)
    points = [t.expand(0, *t.shape) for t in each[0][:1]] if op.points else given[:1]
    wanted = op.plain(*each[0])
    nothing = torch.zeros(()) if "loss" in operation.lower() else wanted.new_zeros(0, *wanted.shape)

    def ours():
        out = op.ours(*points, *given[1:])
        return torch.nan_to_num(out, nan=0.0) if out.ndim == 0 and out.isnan() else out

    cell(lambda: ours().reshape(nothing.shape), lambda: nothing)


@pytest.fixture(scope="module")
def averaged(tmp_path_factory):
    return averaged_gradients(tmp_path_factory.mktemp("ranks"))


@pytest.mark.slow
@every
@pytest.mark.parametrize("feature", WRAPPERS)
def test_ranks_that_average_gradients(feature, operation, cell, averaged):
    def alone():
        module = Trained(OPERATIONS[operation], OPERATIONS[operation].plain)
        sum(module(shift(rank)) for rank in range(WORLD)).backward()
        return [p.grad / WORLD for p in module.parameters()]

    cell(lambda: averaged[feature][operation], alone)


@pytest.mark.slow
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_gradients_of_sharded_points_survive_the_average(wrapper, averaged):
    network, x, target = sharded_problem()
    fs.SpectralLoss(9, x=x)(network(x), target).backward()
    for got, want in zip(averaged[wrapper]["group="], network.parameters(), strict=True):
        assert relative_error(got, want.grad) <= 1e-9


MODULES = {
    "Plan": lambda: fs.Plan(OPERATIONS["nufft1"].inputs()[0], MODES),
    "SpectralLoss": lambda: fs.SpectralLoss(
        MODES,
        x=OPERATIONS["nufft1"].inputs()[0],
        weight=torch.arange(6.0),
        quadrature=torch.rand(M, dtype=torch.float64),
    ),
}


def use(module, seed):
    _, pred, target = OPERATIONS["SpectralLoss, x held"].inputs(seed=seed)
    return module.rnufft1(pred) if isinstance(module, fs.Plan) else module(pred, target)


def saved(module, **options):
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    return torch.load(file, **options)


COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda module: pickle.loads(pickle.dumps(module)),
    "torch.save, weights_only": lambda module: saved(module, weights_only=True),
}


@pytest.mark.parametrize("operation", MODULES)
@pytest.mark.parametrize("feature", COPIES)
def test_copies(feature, operation, cell):
    module = MODULES[operation]()
    use(module, 1)
    cell(lambda: use(COPIES[feature](module), 1), lambda: use(module, 1))


@pytest.mark.parametrize("operation", MODULES)
@pytest.mark.parametrize("feature", ["state_dict"])
def test_state(feature, operation, cell):
    module, other = MODULES[operation](), MODULES[operation]()
    plan = other if isinstance(other, fs.Plan) else other.plan
    use(other, 1)
    with torch.no_grad():
        plan.x.mul_(1.3)
    moved = use(other, 1)
    module.load_state_dict(other.state_dict())
    cell(lambda: use(module, 1), lambda: moved)
    with pytest.raises(RuntimeError, match="size mismatch"):
        longer = {
            name: torch.cat([t, t]) if isinstance(t, torch.Tensor) else t for name, t in other.state_dict().items()
        }
        module.load_state_dict(longer)
