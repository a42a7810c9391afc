"""precondition.kernel: nothing forward, c (K + c)^-1 backward."""

import copy
import gc
import pickle
import weakref

import pytest
import torch
from networks import jacobian, network, plain
from samples import relative_error
from torch import nn

import fastspec as fs
from fastspec.precondition import factors

pytestmark = pytest.mark.filterwarnings("ignore:There is a performance drop")


def problem(name="frozen", count=30, **choices):
    model, x = network(name, count)
    return model, x, fs.precondition.Kernel(model, x, **{"damping": 1e-2} | choices)


def right(model, x, c, gradient, rows=None):
    """c (K + c)^-1 g for K, or Nyström's approximation of it from some rows of the points, in float64."""
    j = jacobian(model, x)
    k = j @ j.mT
    if rows is not None:
        channels = len(k) // len(x)
        held = (torch.as_tensor(rows)[:, None] * channels + torch.arange(channels)).flatten()
        k = k[:, held] @ torch.linalg.pinv(k[held][:, held], rtol=1e-12, hermitian=True) @ k[held]
    return (c * torch.linalg.solve(k + c * torch.eye(len(k)).double(), gradient.double().flatten())).view_as(gradient)


def of_gradient(precondition, h, gradient):
    h = h.detach().requires_grad_()
    out = precondition(h)
    assert torch.equal(out, h)
    return torch.autograd.grad(out, h, gradient)[0]


@pytest.mark.parametrize("name", ["tanh", "frozen", "convolutional", "normed", "physics-informed", "attention"])
def test_identity_forward_and_damped_inverse_backward(name):
    model, x, precondition = problem(name)
    h = model(x)
    gradient = torch.randn_like(h)
    found = of_gradient(precondition, h, gradient)
    c = precondition.effective_damping()
    assert relative_error(found.double(), right(model, x, c, gradient)) <= 1e-5
    j = jacobian(model, x)
    assert c == pytest.approx(1e-2 * torch.linalg.eigvalsh(j @ j.mT)[-1].item(), rel=0.02)


@pytest.mark.parametrize("name", ["frozen", "convolutional", "normed"])
def test_inducing_points(name):
    """All of them give K itself; given as points they need not be among x."""
    model, x, whole = problem(name, inducing=30)
    gradient = torch.randn_like(model(x))
    found = whole.multiply(gradient)
    assert relative_error(found.double(), right(model, x, whole.effective_damping(), gradient)) <= 1e-4
    some = fs.precondition.Kernel(model, x, damping=1e-2, inducing=x[5:11].clone())
    found = some.multiply(gradient)
    expected = right(model, x, some.effective_damping(), gradient, rows=range(5, 11))
    assert relative_error(found.double(), expected) <= 1e-3


def test_conjugate_gradients_beyond_memory(monkeypatch):
    monkeypatch.setattr(factors, "_WHOLE", 10)
    model, x, precondition = problem()
    gradient = torch.randn_like(model(x))
    found = of_gradient(precondition, model(x), gradient)
    assert relative_error(found.double(), right(model, x, precondition.effective_damping(), gradient)) <= 5e-3
    with pytest.raises(ValueError, match="damping: was 'critical', which takes eigenvalues"):
        fs.precondition.Kernel(model, x, damping="critical").measure()


def test_residual_of_an_equation():
    model, x = network("tanh")

    def slope(net, points):
        points = points.clone().requires_grad_()
        return torch.autograd.grad(net(points).sum(), points, create_graph=True)[0][:, 0]

    class Slope(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = model

        def forward(self, points):
            return slope(self.net, points)

    gradient = torch.randn(len(x))
    residual = fs.precondition.kernel(slope(model, x), model, x, operator=slope, damping=1e-2)
    grads = torch.autograd.grad(residual, list(model.parameters()), gradient, allow_unused=True)
    of_operator = fs.precondition.Kernel(Slope(), x, damping=1e-2)
    pulled = right(Slope(), x, of_operator.effective_damping(), gradient).float()
    expected = torch.autograd.grad(slope(model, x), list(model.parameters()), pulled, allow_unused=True)
    for a, b in zip(grads, expected, strict=True):
        assert (a is None) == (b is None)
        assert a is None or relative_error(a, b) <= 1e-4


# --- when it is measured ----------------------------------------------------------------------------------------------


def train(model, x, precondition, steps, rate=1e-3):
    optimizer = torch.optim.SGD(model.parameters(), rate)
    for _ in range(steps):
        optimizer.zero_grad()
        precondition(model(x)).square().mean().backward()
        optimizer.step()


def test_measured_anew_after_every_so_many_backward_passes():
    model, x, precondition = problem(every=5)
    train(model, x, precondition, 11)
    assert (precondition.steps, precondition.measurements) == (11, 3)
    with torch.no_grad():
        precondition(model(x))  # an evaluation is no step
    assert (precondition.steps, precondition.measurements) == (11, 3)


def test_function_holds_what_it_measured_with_the_model(monkeypatch):
    model, x = network("frozen")
    measured = []
    whole, gone = factors.gram, weakref.ref(model)
    monkeypatch.setattr(factors, "gram", lambda *args: measured.append(0) or whole(*args))
    train(model, x, lambda h: fs.precondition.kernel(h, model, x, damping=1e-2, every=5), 11)
    assert len(measured) == 3
    train(model, x, lambda h: fs.precondition.kernel(h, model, x.clone(), damping=1e-2, every=5), 3)
    assert len(measured) == 3  # the same points
    train(model, x, lambda h: fs.precondition.kernel(h, model, x, damping=1e-1), 1)
    assert len(measured) == 4
    model = None
    gc.collect()
    assert gone() is None


def test_minibatches_have_their_own_kernel():
    model, x, precondition = problem(inducing=12)
    batch = torch.randn(9, 2)
    h, gradient = model(batch).detach().requires_grad_(), torch.randn(9, 2)
    (found,) = torch.autograd.grad(precondition(h, batch), h, gradient)
    inducing = precondition.state_dict()["inducing"]
    assert len(inducing) == 12 and all((row == x).all(1).any() for row in inducing)
    j = jacobian(model, torch.cat([batch, inducing]))
    k, held = (j @ j.mT)[:18], slice(18, None)
    k = k[:, held] @ torch.linalg.pinv((j @ j.mT)[held, held], rtol=1e-6, hermitian=True) @ k[:, held].mT
    c = 1e-2 * torch.linalg.eigvalsh(k)[-1]
    expected = (c * torch.linalg.solve(k + c * torch.eye(18).double(), gradient.double().flatten())).view(9, 2)
    assert relative_error(found.double(), expected) <= 1e-3


def test_points_changed_in_place_are_measured_anew():
    model, x, precondition = problem()
    gradient = torch.randn_like(model(x))
    precondition.multiply(gradient)
    x += 1
    found = precondition.multiply(gradient)
    assert relative_error(found.double(), right(model, x, precondition.effective_damping(), gradient)) <= 1e-5


def test_tolerance_spares_measurements():
    model, x, precondition = problem(every=2, tolerance=0.05)
    train(model, x, precondition, 9, rate=1e-6)
    assert precondition.measurements == 1
    with torch.no_grad():
        model[-1].weight *= 2
    train(model, x, precondition, 2, rate=1e-6)
    assert precondition.measurements == 2


@pytest.mark.parametrize("inducing", [None, 8])
def test_state_goes_on_where_it_was(inducing):
    model, x, precondition = problem(every=4, inducing=inducing)
    train(model, x, precondition, 6, rate=1e-2)
    other = fs.precondition.Kernel(copy.deepcopy(model), x, damping=1e-2, every=4, inducing=inducing)
    other.load_state_dict(pickle.loads(pickle.dumps(precondition.state_dict())))
    train(model, x, precondition, 6, rate=1e-2)
    train(other.model, x, other, 6, rate=1e-2)
    assert other.measurements == precondition.measurements
    for a, b in zip(model.parameters(), other.model.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda k: pickle.loads(pickle.dumps(k))], ids=["deepcopy", "pickle"])
def test_copies_stand_by_themselves(copied):
    model, x, precondition = problem()
    train(model, x, precondition, 2)
    twin = copied(precondition)
    with torch.no_grad():
        twin.model[-1].weight *= 3
    compiled = torch.compile(twin, fullgraph=True, backend="aot_eager")
    twin.measure()
    gradient = torch.randn_like(model(x))
    assert torch.equal(of_gradient(compiled, model(x), gradient), twin.multiply(gradient))
    assert not torch.equal(twin.multiply(gradient), precondition.multiply(gradient))


# --- where torch asks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inducing", [None, 8])
def test_torch_func_and_second_derivatives(inducing):
    model, x, precondition = problem(inducing=inducing)
    h, weights = model(x).detach(), torch.randn(3, 30, 2)
    expected = torch.stack([precondition.multiply(w) for w in weights])

    def pulled(w):
        return torch.func.grad(lambda h: (precondition(h) * w).sum())(h)

    assert relative_error(torch.vmap(pulled)(weights), expected) <= 1e-5
    direction = torch.randn_like(h)
    moved = torch.func.jvp(precondition, (h,), (direction,))[1]
    assert relative_error(moved, precondition.multiply(direction)) <= 1e-5
    one = h.clone().requires_grad_()
    (first,) = torch.autograd.grad(precondition(one).pow(3).sum(), one, create_graph=True)
    (second,) = torch.autograd.grad(first, one, direction)
    # the gradient of the gradient comes through the preconditioner once more
    assert relative_error(second, precondition.multiply(6 * h * precondition.multiply(direction))) <= 1e-5


@pytest.mark.parametrize("form", ["object", "function"])
def test_compiled_training(form):
    model, x, precondition = problem(every=3)
    twin = copy.deepcopy(model)
    of_twin = fs.precondition.Kernel(twin, x, damping=1e-2, every=3)

    def by_function(h):
        return fs.precondition.kernel(h, model, x, damping=1e-2, every=3)

    plugged = precondition if form == "object" else by_function
    compiled = torch.compile(plugged, fullgraph=form == "object", backend="aot_eager")
    train(model, x, compiled, 7, rate=1e-2)
    train(twin, x, of_twin, 7, rate=1e-2)
    assert form == "function" or (precondition.steps, precondition.measurements) == (7, 3)
    for a, b in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("batched", [False, True])
def test_jacobians_by_every_way(batched):
    """The Hessian of a sum of cubes, 6 P diag(h) P, in reverse over reverse and forward over reverse."""
    model, x, precondition = problem(count=5)
    h = model(x).detach()
    unit = torch.eye(10).view(10, 5, 2)
    p = torch.stack([precondition.multiply(row) for row in unit]).view(10, 10)
    expected = p @ torch.diag(6 * h.flatten()) @ p

    def gradient(h):
        return torch.func.grad(lambda h: precondition(h).pow(3).sum())(h)

    if batched:
        one = h.clone().requires_grad_()
        (first,) = torch.autograd.grad(precondition(one).pow(3).sum(), one, create_graph=True)
        (found,) = torch.autograd.grad(first, one, unit, is_grads_batched=True)
    else:
        found = torch.func.jacfwd(gradient)(h)
        assert relative_error(torch.func.jacrev(gradient)(h).view(10, 10), expected) <= 1e-5
    assert relative_error(found.reshape(10, 10), expected) <= 1e-5


def test_compiled_gradient_of_torch_func():
    model, x, precondition = problem()
    h, weights = model(x).detach(), torch.randn(30, 2)

    def gradient(h):
        return torch.func.grad(lambda h: (precondition(h) * weights).sum())(h)

    compiled = torch.compile(gradient, fullgraph=True, backend="aot_eager")
    assert relative_error(compiled(h), precondition.multiply(weights)) <= 1e-5


def test_measured_alike_under_inference_mode_and_autocast():
    model, x, precondition = problem()
    gradient = torch.randn_like(model(x))
    expected = precondition.multiply(gradient)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        precondition.measure()
        of_inference = fs.precondition.Kernel(model, x.clone(), damping=1e-2)
    assert torch.equal(of_gradient(precondition, model(x), gradient), expected)
    assert torch.equal(of_gradient(of_inference, model(x), gradient), expected)


def test_half_precision_networks():
    torch.manual_seed(0)
    model, x = plain(2, 16, 1).bfloat16(), torch.randn(20, 2).bfloat16()
    precondition = fs.precondition.Kernel(model, x, damping=1e-2)
    gradient = torch.randn(20, 1).bfloat16()
    found = of_gradient(precondition, model(x), gradient)
    assert found.dtype == torch.bfloat16
    assert relative_error(found.double(), right(model, x, precondition.effective_damping(), gradient)) <= 0.1


# --- what it is for ---------------------------------------------------------------------------------------------------


def test_modes_decay_at_the_effective_rates():
    """Of a wide network under gradient descent, within 10 %."""
    torch.manual_seed(0)
    x = torch.linspace(-1, 1, 40, dtype=torch.float64)[:, None]
    model = nn.Sequential(nn.Linear(1, 4000), nn.Tanh(), nn.Linear(4000, 1)).double()
    with torch.no_grad():
        model[0].weight *= 10
        model[0].bias *= 10
    precondition = fs.precondition.Kernel(model, x, damping=1e-2, every=10**6)
    rates, modes = torch.linalg.eigh(jacobian(model, x) @ jacobian(model, x).mT)
    effective = fs.theory.effective_rates(rates, precondition.effective_damping())
    y = model(x).detach() - modes.sum(1, keepdim=True) * 1e-3
    steps, rate = 100, 0.02 / effective.max().item()
    optimizer = torch.optim.SGD(model.parameters(), rate)
    for _ in range(steps):
        optimizer.zero_grad()
        ((precondition(model(x)) - y).square().sum() / 2).backward()
        optimizer.step()
    with torch.no_grad():
        left = (modes.mT @ (model(x) - y) / 1e-3)[:, 0]
    measured = -left.log() / (steps * rate)
    seen = effective > 0.05 * effective.max()
    assert seen.sum() >= 5 and rates[seen].max() > 50 * rates[seen].min()
    assert ((measured / effective - 1).abs()[seen] <= 0.1).all()


@pytest.mark.parametrize("name", ["tanh", "physics-informed"])
def test_rates_under_the_preconditioner(name):
    """e^H K P e / e^H e of the waves e, exact and estimated."""
    model, x = network(name, 40, torch.float64)
    precondition = fs.precondition.Kernel(model, x, damping=1e-2)
    k = torch.cartesian_prod(torch.arange(-2.0, 3), torch.arange(-1.0, 2)).double()
    found = fs.measure.ntk_rates(model, x, k, precondition=precondition.multiply)
    j = jacobian(model, x)
    kernel = j @ j.mT
    c = precondition.effective_damping()
    under = kernel @ torch.linalg.inv(kernel + c * torch.eye(len(kernel))) * c
    waves = torch.exp(1j * (k @ x.mT))
    expected = ((waves.conj() @ under.to(waves.dtype)) * waves).sum(1).real / len(x)
    assert relative_error(found, expected) <= 1e-8
    sampled = fs.measure.ntk_rates(
        model, x, k, samples=500, generator=torch.Generator().manual_seed(0), precondition=precondition.multiply
    )
    assert relative_error(sampled, expected) <= 0.2
    plain_rates = fs.measure.ntk_rates(model, x, k)
    assert found.max() / found.min() < 0.5 * plain_rates.max() / plain_rates.min()


def test_critical_damping_of_a_network():
    torch.manual_seed(0)
    x = torch.linspace(-1, 1, 200, dtype=torch.float64)[:, None]
    model = nn.Sequential(nn.Linear(1, 512), nn.ReLU(), nn.Linear(512, 1)).double()
    precondition = fs.precondition.Kernel(model, x, damping="critical")
    rates = torch.linalg.eigvalsh(jacobian(model, x) @ jacobian(model, x).mT)
    assert precondition.effective_damping() == pytest.approx(fs.theory.critical_damping(rates, d=1), rel=1e-6)


def test_an_unchanged_network_learns_its_high_frequency():
    """In the steps in which mean squared error alone leaves it untouched."""
    errors = {}
    for way in ("plain", "kernel"):
        torch.manual_seed(0)
        x = torch.linspace(-1, 1, 150)[:, None]
        y = torch.sin(3 * x) + torch.sin(25 * x)
        model = plain(1, 64, 1)
        optimizer = torch.optim.Adam(model.parameters(), 5e-3)
        for _ in range(500):
            h = model(x)
            h = fs.precondition.kernel(h, model, x, damping=2e-3) if way == "kernel" else h
            optimizer.zero_grad()
            (h - y).square().mean().backward()
            optimizer.step()
        errors[way] = ((model(x) - y).norm() / y.norm()).item()
    assert errors["plain"] > 0.4 and errors["kernel"] < 0.25


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"model": 3}, TypeError, "model: was int, must be an nn.Module"),
        ({"model": nn.Tanh()}, ValueError, "model: had no parameters that require gradients, must have some"),
        ({"x": 3}, TypeError, "x: was int, must be a tensor"),
        ({"x": torch.zeros(0, 2)}, ValueError, r"x: shape was \(0, 2\), must be \(M, ...\) and not empty"),
        ({"damping": 0.0}, ValueError, "damping: was 0.0, must be positive or 'critical'"),
        ({"damping": "none"}, ValueError, "damping: was 'none', must be positive or 'critical'"),
        ({"every": 0}, ValueError, "every: was 0, must be a positive int"),
        ({"inducing": 2.5}, ValueError, "inducing: was 2.5, must be a positive int"),
        ({"h": 3}, TypeError, "h: was int, must be a tensor"),
        (
            {"h": torch.zeros(5, 2, requires_grad=True)},
            ValueError,
            r"h: shape was \(5, 2\), must be \(30, 2\), as the model returns it",
        ),
    ],
)
def test_bad_input(change, error, message):
    model, x, _ = problem()
    given = {"h": model(x), "model": model, "x": x} | change
    with pytest.raises(error, match=message):
        fs.precondition.kernel(given.pop("h"), given.pop("model"), given.pop("x"), **given)
