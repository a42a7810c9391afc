"""Networks of every kind that a tangent kernel is asked of, with points for each, and their Jacobian row by row."""

import torch
from torch import Tensor, nn


class Normed(nn.Module):
    """Parameters that are neither a linear layer's nor a convolution's."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 16), nn.LayerNorm(16), nn.GELU(), nn.Linear(16, 3))
        self.scale = nn.Parameter(torch.tensor([1.0, 2.0, 0.5]))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x) * self.scale


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.out = nn.Linear(1, 8), nn.Linear(8, 1)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed(x[..., None])
        return self.out(self.attention(tokens, tokens, tokens, need_weights=False)[0].mean(1))


class Laplacian(nn.Module):
    """A physics-informed network: it differentiates in its forward."""

    def __init__(self):
        super().__init__()
        self.net = plain(2, 16, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(self.net(x).sum(), x, create_graph=True)
        seconds = [torch.autograd.grad(slope[:, a].sum(), x, create_graph=True)[0][:, a] for a in range(2)]
        return seconds[0] + seconds[1]


class Twice(nn.Module):
    """One layer that is called twice, and a weight that is used without its layer."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(2, 2), nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(self.first(x).tanh()).tanh()
        return self.second(h) + self.second.weight.square().sum()


def plain(d: int, width: int, out: int, activation=nn.Tanh) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(d, width), activation(), nn.Linear(width, width), activation(), nn.Linear(width, out)
    )


def frozen() -> nn.Sequential:
    """Of the first layer the weight is held fixed, of the second the bias."""
    net = plain(2, 16, 2)
    net[0].weight.requires_grad_(False)
    net[2].bias.requires_grad_(False)
    return net


def unbiased() -> nn.Sequential:
    """Activations that work in place, and a layer without bias."""
    layers = nn.Linear(2, 24), nn.ReLU(inplace=True), nn.Linear(24, 24, bias=False), nn.ReLU(inplace=True)
    return nn.Sequential(*layers, nn.Linear(24, 2))


def convolutional() -> nn.Sequential:
    layers = nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 6, 3, stride=2, groups=2), nn.Tanh(), nn.Flatten()
    return nn.Sequential(*layers, nn.Linear(54, 3))


def normalised() -> nn.Sequential:
    """Batch statistics, held fixed."""
    net = nn.Sequential(nn.Linear(2, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Linear(16, 1))
    net(torch.randn(50, 2))
    return net.eval()


# name: (network, shape of a point, the way in which its kernel is found)
NETWORKS = {
    "tanh": (lambda: plain(2, 32, 1), (2,), "factors"),
    "relu": (unbiased, (2,), "factors"),
    "frozen": (frozen, (2,), "factors"),
    "convolutional": (convolutional, (1, 8, 8), "own weights"),
    "physics-informed": (Laplacian, (2,), "own weights"),
    "normed": (Normed, (2,), "vmap"),
    "attention": (Attention, (7,), "vmap"),
    "batch statistics": (normalised, (2,), "vmap"),
    "twice": (Twice, (2,), "vmap"),
}


def network(name: str, count: int = 24, dtype: torch.dtype = torch.float32) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    make, shape, _ = NETWORKS[name]
    return make().to(dtype), torch.randn(count, *shape, dtype=dtype)


def jacobian(model: nn.Module, x: Tensor) -> Tensor:
    """(M C, P) in float64, by a backward for each row."""
    trained = [p for p in model.parameters() if p.requires_grad]
    rows = [
        torch.autograd.grad(value, trained, retain_graph=True, materialize_grads=True, allow_unused=True)
        for value in model(x).flatten()
    ]
    return torch.stack([torch.cat([part.flatten() for part in row]) for row in rows]).double()
