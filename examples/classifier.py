# %% [markdown]
# # My high-dimensional classifier
# Digits of 64 pixels, a fifth of whose training labels are wrong. There is no grid of frequencies in 64 dimensions, but
# functions have smooth and rough parts: which does the network learn first, and when does it learn the wrong labels?
# %%
import os

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import nn

import fastspec as fs
from fastspec.measure.heatmap import add_colorbar

STEPS, TRAINING = int(os.environ.get("STEPS", 400)), 1200
torch.manual_seed(0)
images, digits = (torch.tensor(a) for a in load_digits(return_X_y=True))
shuffled = torch.randperm(len(digits))
(x, unseen), digits = (images[shuffled].float() / 16).tensor_split([TRAINING]), digits[shuffled]
wrong = torch.rand(TRAINING) < 0.2
labels = torch.where(wrong, torch.randint(10, (TRAINING,)), digits[:TRAINING])
# %% [markdown]
# **Two views of the classes' probabilities.** By *filter*: for each width of a Gaussian over all images, the error of
# the smoothed part and that of the rest. By *projection*: the spectrum along a direction, here the first principal one.
# %%
widths = torch.tensor([0.5, 1.0, 2.0])  # variances; squared distances are 20 for most pairs of images
k = torch.tensor([0.1, 0.2, 0.4, 0.6, 0.8])  # cycles per unit along the component
by_filter = fs.SpectralMonitor(x, labels, widths, method="filter", logits=True)
by_projection = fs.SpectralMonitor(x, labels, k, method="projection", peaks=k, period=1.0, logits=True)
model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
shares = []  # of the unseen digits that are right, and of the wrong labels that are learnt
for step in range(STEPS + 1):
    logits = model(x)
    if step % 10 == 0:
        by_filter.update(step, logits)
        by_projection.update(step, logits)
        right, memorised = model(unseen).argmax(1) == digits[TRAINING:], (logits.argmax(1) == labels)[wrong]
        shares.append([right.float().mean().item(), memorised.float().mean().item()])
    optimizer.zero_grad()
    nn.functional.cross_entropy(logits, labels).backward()
    optimizer.step()
# %% [markdown]
# **When to stop?** Once the smooth part is learnt: all that the network does from there on is to learn wrong labels.
# %%
print(by_filter)
smooth = list(by_filter.steps_to(0.1).values())[1] or STEPS  # of the second width's low part
for i in (smooth // 10, STEPS // 10):
    print("step {}: {:.1%} of the unseen right, {:.0%} of the wrong labels learnt".format(10 * i, *shares[i]))
figure, axes = plt.subplots(1, 3, figsize=(15, 4), layout="constrained")
axes[0].plot(by_filter.steps, shares, label=["unseen digits right", "wrong labels learnt"])
axes[0].axvline(smooth, color="0.5", linestyle=":", label="smooth part within 10 %")
axes[0].set(xlabel="step", ylabel="share", ylim=(0, 1.5))
axes[0].legend(loc="upper left")
by_filter.plot(ax=axes[1], title="by filter: smooth parts, and the rests")
by_projection.plot(ax=axes[2], title="by projection")
add_colorbar(figure, axes[1:])
figure.savefig("classifier.png")
