"""Networks that others made, started at the data's frequencies."""

import copy
import math

import pytest
import torch
from torch import nn

import fastspec as fs

TAU = 2 * math.pi


def tanh_network(d=1, out=1):
    torch.manual_seed(0)
    layers = [nn.Linear(d, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, out)]
    return nn.Sequential(*layers).double()


class Wrapped(nn.Module):
    """A layer that is not the first attribute, and coordinates that are mapped before."""

    def __init__(self):
        super().__init__()
        self.head, self.net = nn.Linear(32, 1).double(), nn.ModuleDict({"a": nn.Linear(1, 32).double()})

    def forward(self, x):
        return self.head(self.net["a"]((x - 2010) / 5).tanh())


def years(count=300):
    gen = torch.Generator().manual_seed(1)
    x = 2000 + 20 * torch.rand(count, 1, generator=gen, dtype=torch.float64)
    y = (TAU * x).sin() + 0.5 * (TAU * 2.3 * x).cos() + 0.02 * torch.randn(count, 1, generator=gen).double()
    return x, y


def error(model, x, y, steps, rate=1e-2):
    optimizer = torch.optim.Adam(model.parameters(), rate)
    for _ in range(steps):
        optimizer.zero_grad()
        (model(x) - y).square().mean().backward()
        optimizer.step()
    with torch.no_grad():
        return ((model(x) - y).norm() / y.norm()).item()


@pytest.mark.parametrize("kind", ["auto", "phases", "features", "sines"])
@pytest.mark.parametrize("make", [tanh_network, Wrapped])
def test_a_users_network_learns_raw_years_soon(kind, make):
    x, y = years()
    model = make()
    before = copy.deepcopy(model.state_dict())
    new = fs.nn.retune(model, x, y, kind=kind)
    assert type(new) is type(model) and error(new, x, y, 100) < 0.1
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert error(model, x, y, 100) > 0.5


def field(line):
    """Scattered values of a random field that falls with frequency, as pictures do, and of one line: lines of it that
    are significant explain most of it, and hold nothing of what is between the points."""
    gen = torch.Generator().manual_seed(0)
    x = torch.rand(1600, 2, generator=gen, dtype=torch.float64)
    k, at = 4 * torch.randn(300, 2, generator=gen).double(), TAU * torch.rand(300, generator=gen).double()
    y = ((TAU * x @ k.mT + at).cos() / (1 + k.norm(dim=1))).sum(1)
    y = y / y.std() + line * (TAU * (2 * x[:, 0] + x[:, 1])).cos()
    return (x[:800], y[:800, None]), (x[800:], y[800:, None])


def test_a_picture_has_a_spectrum_but_no_lines():
    seen, unseen = field(1.5)
    found = fs.spectrum(*seen).peaks
    assert found.explained.sum() > 0.5 * (1 - found.trend_explained)
    chosen = fs.nn.retune(tanh_network(2), *seen)[0].B
    assert len(chosen) == 128
    errors = {}
    for kind in ("phases", "features"):
        torch.manual_seed(1)
        model = fs.nn.retune(tanh_network(2), *seen, kind=kind)
        error(model, *seen, 40)
        errors[kind] = error(model, *unseen, 0)
    assert errors["features"] < 0.8 * errors["phases"]


def test_one_line_in_noise_is_a_line():
    (x, _), _ = field(0.0)
    noise = torch.randn(800, 1, generator=torch.Generator().manual_seed(3)).double()
    assert len(fs.nn.retune(tanh_network(2), x, (TAU * (2 * x[:, :1] + x[:, 1:])).cos() + 0.3 * noise)[0].B) == 1


def test_nothing_but_the_first_layer_changes():
    x, y = years()
    model = tanh_network()
    new = fs.nn.retune(model, x, y)
    for old, now in zip(list(model)[1:], list(new)[1:], strict=True):
        assert all(torch.equal(a, b) for a, b in zip(old.parameters(), now.parameters(), strict=True))
    assert torch.equal(new[0].layer.weight, model[0].weight)
    found = new[0].B.flatten() / new[0].standard.scale
    assert found.tolist() == pytest.approx([1, 2.3], abs=2e-3)
    assert fs.nn.retune(model, x, y, inplace=True) is model and not isinstance(model[0], nn.Linear)
    other = copy.deepcopy(new)
    other.load_state_dict(new.state_dict())
    torch.testing.assert_close(other(x), new(x))


@pytest.mark.parametrize("kind", ["phases", "features", "sines"])
def test_training_does_not_depend_on_the_origin_and_unit_of_x(kind):
    x, y = years()
    ends = []
    for given in (x, 1e-3 * x - 7):
        new = fs.nn.retune(tanh_network(), given, y, kind=kind)
        ends.append(error(new, given, y, 10))
    assert ends[1] == pytest.approx(ends[0], rel=1e-5)


@pytest.mark.parametrize("kind", ["phases", "features", "sines"])
def test_training_does_not_depend_on_the_mean_and_unit_of_y(kind):
    x, y = years()
    ends = []
    for scale, mean in ((1.0, 0.0), (30.0, 340.0)):
        new = fs.nn.retune(tanh_network(), x, scale * y + mean, kind=kind)
        error(new, x, scale * y + mean, 10)
        ends.append((new(x).detach() - mean) / scale)
    assert (ends[1] - ends[0]).norm() < 1e-4 * ends[0].norm()


class Squeezed(nn.Module):
    """Returns its last layer's values in another shape, or times a factor of its own."""

    def __init__(self, factor=None):
        super().__init__()
        self.net, self.factor = tanh_network(), factor

    def forward(self, x):
        h = self.net(x)
        return h.squeeze(-1) if self.factor is None else self.factor(x) * h


def test_points_more_precise_than_the_network_are_taken():
    x, y = years()
    new = fs.nn.retune(tanh_network().float(), x, y)
    assert new(x.float()).dtype == torch.float32 and new[4].standard.mean.item() == pytest.approx(
        y.mean().item(), abs=1e-4
    )


def test_only_values_returned_as_they_are_get_the_units_of_y():
    x, y = years()
    assert fs.nn.retune(Squeezed(), x, y[:, 0] + 7).net[4].standard.mean.item() == pytest.approx(7, abs=0.1)
    pinned = fs.nn.retune(Squeezed(lambda x: (x - 2000) * (x - 2020)), x, y + 7)
    assert pinned(torch.tensor([[2000.0], [2020.0]]).double()).tolist() == [[0], [0]]
    assert isinstance(fs.nn.retune(tanh_network(), x, y + 7, order=2)[4], nn.Linear)  # a source
    assert isinstance(fs.nn.retune(tanh_network(out=2), x, y + 7)[4], nn.Linear)  # of other channels
    single = fs.nn.retune(nn.Linear(1, 1).double(), x, 30 * y + 340)
    assert error(single, x, 30 * y + 340, 200) < 0.05


def test_finding_the_last_layer_leaves_a_model_as_it_was():
    x, y = years()
    model = nn.Sequential(nn.Linear(1, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(), nn.Linear(8, 1)).double()
    torch.manual_seed(1)
    new, drawn = fs.nn.retune(model, x, y, kind="phases"), torch.random.get_rng_state()
    assert new[1].num_batches_tracked == 0 and all(m.training for m in new.modules())
    torch.manual_seed(1)
    nn.Linear(2 * len(new[0].B), 8, bias=False)  # the phases' weights
    assert torch.equal(torch.random.get_rng_state(), drawn)


def test_pictures_get_features_and_lines_phases():
    gen = torch.Generator().manual_seed(0)
    axis = (torch.arange(24, dtype=torch.float64) + 0.5) / 24
    x = torch.cartesian_prod(axis, axis)
    k = torch.cartesian_prod(*[torch.arange(-8.0, 9.0, dtype=torch.float64)] * 2)
    k = k[k.norm(dim=1) > 0]
    phases = TAU * torch.rand(len(k), generator=gen, dtype=torch.float64)
    broad = (torch.cos(TAU * x @ k.mT + phases) / k.norm(dim=1)).sum(1, keepdim=True)
    assert len(fs.nn.retune(tanh_network(2), x, broad)[0].B) == 128
    assert len(fs.nn.retune(tanh_network(2), x, (TAU * x @ k[3:5].mT).sin().sum(1))[0].B) == 2


@pytest.mark.parametrize("kernel", [1, 3])
def test_convolutions_over_coordinates_are_retuned(kernel):
    torch.manual_seed(0)
    axis = torch.linspace(0, 1, 24)
    x = torch.stack(torch.meshgrid(axis, axis, indexing="ij"))[None]
    y = (TAU * (4 * x[:, :1] + 2 * x[:, 1:])).sin()
    model = nn.Sequential(
        nn.Conv2d(2, 32, kernel, padding="same", padding_mode="replicate"), nn.Tanh(), nn.Conv2d(32, 1, 1)
    )
    new = fs.nn.retune(model, x, y)
    found = new[0].B / new[0].standard.scale
    torch.testing.assert_close(found, torch.tensor([[4.0, 2.0]]), rtol=0, atol=0.05)
    assert error(new, x, y, 80) < 0.1 and error(model, x, y, 80) > 0.5
    with pytest.raises(ValueError, match="kind: was 'sines'"):
        fs.nn.retune(model, x, y, kind="sines")


class Pinned(nn.Module):
    """Zero at the sides of (-1, 1)."""

    def __init__(self):
        super().__init__()
        self.net = tanh_network()

    def forward(self, x):
        return (1 - x**2) * self.net(x)


def test_a_network_of_an_equation_is_started_by_its_source():
    """-u″ = g, u of 1, 4, 8 and 24 half waves."""
    x = ((torch.arange(128, dtype=torch.float64) + 0.5) / 64 - 1)[:, None]
    rates = math.pi / 2 * torch.tensor([1.0, 4.0, 8.0, 24.0], dtype=torch.float64)
    modes, sizes = ((x + 1) * rates).sin(), torch.tensor([1.0, 0.25, 0.125, 0.04], dtype=torch.float64)
    source, norm = (modes * sizes * rates**2).sum(1, keepdim=True), fs.precondition.residual(x, (-1.0, 1.0))

    def errors(model):
        optimizer = torch.optim.Adam(model.parameters(), 7e-3)
        for _ in range(120):
            optimizer.zero_grad()
            at = x.clone().requires_grad_()
            (slope,) = torch.autograd.grad(model(at).sum(), at, create_graph=True)
            (second,) = torch.autograd.grad(slope.sum(), at, create_graph=True)
            (norm(-second - source) / norm(source)).backward()
            optimizer.step()
        return ((model(x).detach() * modes).mean(0) * 2 / sizes - 1).abs()

    plain = Pinned()
    new = fs.nn.retune(plain, x, source, order=2)
    assert errors(new).max() < 0.2 < 0.35 < errors(plain)[-1]


X, Y = years(50)
Z = torch.rand(300).double()
IMAGE = torch.rand(1, 3, 16, 16)
DENOISER = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Tanh(), nn.Conv2d(8, 3, 1))


@pytest.mark.parametrize(
    ("error", "named", "call"),
    [
        (TypeError, "model", lambda: fs.nn.retune(torch.sin, X, Y)),
        (ValueError, "model: its first layer was a SineLayer", lambda: fs.nn.retune(fs.nn.SineLayer(1, 8), X, Y)),
        (ValueError, "model: called no layer", lambda: fs.nn.retune(nn.Identity(), X, Y)),
        (ValueError, "kind", lambda: fs.nn.retune(tanh_network(), X, Y, kind="waves")),
        (ValueError, "order", lambda: fs.nn.retune(tanh_network(), X, Y, order=-1.0)),
        (ValueError, "y: was constant", lambda: fs.nn.retune(tanh_network(), X, torch.ones_like(Y))),
        (ValueError, "x: was an image", lambda: fs.nn.retune(DENOISER, IMAGE, IMAGE)),
        (ValueError, "x: was an image", lambda: fs.nn.retune(DENOISER, IMAGE, torch.rand(1, 10))),
        (TypeError, "y", lambda: fs.nn.retune(tanh_network(), X, Y[:, 0].long())),
        (ValueError, "y: shape", lambda: fs.nn.retune(tanh_network(), X, Y[:40])),
        (ValueError, "max_frequency", lambda: fs.nn.retune(tanh_network(4), torch.rand(300, 4).double(), Z)),
    ],
)
def test_what_cannot_be_retuned_is_named(error, named, call):
    with pytest.raises(error, match=named):
        call()
