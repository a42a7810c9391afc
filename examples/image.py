# %% [markdown]
# # My image
# A photograph from a quarter of its pixels, scattered, by a network from coordinates to grey values; judged by its PSNR
# on the others. What is the picture's spectrum, how much of it does the network learn, and what brings the rest?
# %%
import copy
import os

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_sample_image
from torch import nn

import fastspec as fs
from fastspec.measure.heatmap import add_colorbar

STEPS, SIDE = int(os.environ.get("STEPS", 300)), 128
photograph = torch.tensor(load_sample_image("china.jpg")).float().mean(-1)[:416, 96:512]  # or yours, in grey values
grey = nn.functional.interpolate(photograph[None, None] / 255, (SIDE, SIDE), mode="area").flatten()
axis = (torch.arange(SIDE) + 0.5) / SIDE
pixels = torch.cartesian_prod(axis, axis)
torch.manual_seed(0)
seen, unseen = torch.randperm(SIDE**2).tensor_split([SIDE**2 // 4])
values = ((grey - grey[seen].mean()) / grey[seen].std())[:, None]
x, y = pixels[seen], values[seen]
# %% [markdown]
# **Its spectrum**, from the pixels seen, in cycles per side: many lines, each of little, the less the higher.
# %%
print(spectrum := fs.spectrum(x, y, n_lines=8, max_frequency=16.0))
# %% [markdown]
# **Three networks**, alike but for a line each: as it is; its gradient evened by its own tangent kernel; retuned, with
# random frequencies of the picture's bandwidth beside the coordinates. Errors are watched by bands, at all pixels.
# %%
layers = nn.Linear(2, 96), nn.Tanh(), nn.Linear(96, 96), nn.Tanh(), nn.Linear(96, 1)
mine = nn.Sequential(fs.nn.Standard(2).fit(x), *layers)
models = {"mine": mine, "kernel": copy.deepcopy(mine), "retuned": fs.nn.retune(mine, x, y, kind="features")}
figure, axes = plt.subplots(2, 4, figsize=(12, 5.6), layout="constrained")
axes[0, 0].imshow(grey.view(SIDE, SIDE), cmap="gray")
spectrum.plot(ax=axes[1, 0])
for (above, below), (name, model) in zip(axes.T[1:], models.items(), strict=True):
    bands = [(1, 2), (2, 4), (4, 8), (8, 16), (16, 32)]
    monitor = fs.SpectralMonitor(pixels, values, (64, 64), period=1.0, bands=bands)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3 if name == "retuned" else 1e-2)
    for step in range(STEPS):
        if step % 10 == 0:
            monitor.update(step, model(pixels))
        prediction = model(x)
        if name == "kernel":
            prediction = fs.precondition.kernel(prediction, model, x, damping=2e-3, inducing=300)
        optimizer.zero_grad()
        nn.functional.mse_loss(prediction, y).backward()
        optimizer.step()
    fit = model(pixels).detach()[:, 0] * grey[seen].std() + grey[seen].mean()
    psnr = -10 * (fit - grey)[unseen].square().mean().log10()
    print(f"{name}: {psnr:.1f} dB on the pixels that it has not seen")
    above.imshow(fit.view(SIDE, SIDE), cmap="gray", vmin=0, vmax=1)
    monitor.plot(ax=below, title=f"{name}: {psnr:.1f} dB", log_steps=True)
add_colorbar(figure, axes[1, 1:])
figure.savefig("image.png")
