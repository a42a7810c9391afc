# %% [markdown]
# # My PDE
# A physics-informed network for -u'' = g on (-1, 1), u(±1) = 0, whose solution has waves of four lengths, at points one
# anywhere in each of 256 cells. The network, its hard sides and the optimiser stay: only the residual's norm changes.
# %%
import os

import matplotlib.pyplot as plt
import torch
from torch import nn

import fastspec as fs
from fastspec.measure.heatmap import add_colorbar

STEPS = int(os.environ.get("STEPS", 1000))
torch.manual_seed(0)
half_waves, sizes = torch.tensor([1.0, 4.0, 8.0, 24.0]), torch.tensor([[1.0], [0.25], [0.125], [0.04]])
rates = half_waves * torch.pi / 2
x = ((torch.arange(256) + torch.rand(256))[:, None] / 128 - 1).requires_grad_()
t = torch.linspace(-1, 1, 512)[:, None]
true, source = torch.sin((t + 1) * rates) @ sizes, torch.sin((x.detach() + 1) * rates) @ (sizes * rates[:, None] ** 2)


def residual(net):
    (slope,) = torch.autograd.grad(((1 - x**2) * net(x)).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(slope.sum(), x, create_graph=True)
    return -second - source


# %% [markdown]
# **Why another norm?** By two derivatives a wave of rate k counts k^4 times in the residual's mean square: steps follow
# the shortest waves and shake the long ones. The energy norm weighs the residual's modes by a power of 1 / k instead.
# %%
norms = {"mean squares": lambda r: r.square().mean(), "energy norm": fs.precondition.residual(x.detach(), (-1.0, 1.0))}
figure, axes = plt.subplots(1, 3, figsize=(15, 4), layout="constrained")
mirrored = torch.cat([t + 1, -1 - t])  # odd about one side: then half waves are modes, of a box of length 4
for ax, (name, norm) in zip(axes[1:], norms.items(), strict=True):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    monitor = fs.SpectralMonitor(mirrored, torch.cat([true, -true]), peaks=half_waves, period=4.0)
    for step in range(STEPS):
        u = ((1 - t**2) * net(t)).detach()
        monitor.update(step, torch.cat([u, -u]))
        optimizer.zero_grad()
        (norm(residual(net)) / norm(source)).backward()
        optimizer.step()
        rate.step()
    print(f"{name}: u is off by {(u - true).norm() / true.norm():.2%}")
    print("  within 10 % from step, by cycles per unit of x:", monitor.steps_to(0.1, lasting=True))
    axes[0].semilogy(t, (u - true).abs(), label=name)
    monitor.plot(ax=ax, title=name, log_steps=True)
axes[0].set(xlabel="x", ylabel="error of u")
axes[0].legend(loc="lower center")
add_colorbar(figure, axes[1:])
figure.savefig("pde.png")
