# %% [markdown]
# # My irregular series
# Forty-four years of CO2 on Mauna Loa: a CSV with gaps. Which cycles are in it, will my network learn them, and what
# helps if not? There is no grid, and no gap is filled beforehand. Two years are held out.
# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

import fastspec as fs

STEPS = int(os.environ.get("STEPS", 500))
CSV = Path(fs.__file__).parent / "recipes/data/co2.csv"  # or yours: a column of dates, a column of values
date, co2 = np.loadtxt(CSV, delimiter=",", skiprows=5, dtype=str).T
years = torch.tensor(1970 + np.array(date, "M8[D]").astype(float) / 365.2425).float()[:, None]
ppm = torch.tensor(co2.astype(float)).float()[:, None]
gap = ((years > 1985) & (years < 1987))[:, 0]
x, y = years[~gap], ((ppm - ppm.mean()) / ppm.std())[~gap]
# %% [markdown]
# **Which cycles are in it?** Those that noise would not have made, in cycles per year; trend and mean are taken off.
# %%
print(spectrum := fs.spectrum(x, y, n_lines=6))
# %% [markdown]
# **Will my network learn them?** A copy takes 200 steps, and they tell how many it takes until 10 % error.
# %%
torch.manual_seed(0)
layers = nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1)
mine = nn.Sequential(fs.nn.Standard(1).fit(x), *layers)  # takes years, whatever their origin
lines = spectrum.peaks.frequency.sort(0).values
print(fs.diagnose(mine, x, y, torch.optim.Adam(mine.parameters(), 3e-3), frequencies=lines))
# %% [markdown]
# **What helps?** The network's kernel holds nothing at a cycle a year: it is started at the data's lines instead.
# %%
figure, axes = plt.subplots(2, 2, figsize=(12, 7), layout="constrained")
spectrum.plot(ax=axes[0, 0])
axes[0, 1].plot(years[gap], ppm[gap], ".", color="0.6", label="held out")
for ax, (name, model) in zip(axes[1], {"mine": mine, "retuned": fs.nn.retune(mine, x, y)}.items(), strict=True):
    monitor = fs.SpectralMonitor(x, y, peaks=44 * lines, period=44.0)  # peaks: cycles in the 44 years
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for step in range(STEPS):
        monitor.update(step, prediction := model(x))
        optimizer.zero_grad()
        nn.functional.mse_loss(prediction, y).backward()
        optimizer.step()
    filled = ppm.mean() + ppm.std() * model(years[gap]).detach()
    print(f"{name}: off by {(filled - ppm[gap]).square().mean().sqrt():.2f} ppm in the two years held out")
    axes[0, 1].plot(years[gap], filled, label=name)
    monitor.plot(ax=ax, unit="year", title=name, log_steps=True)
axes[0, 1].set(xlabel="year", ylabel="CO2 (ppm)", xticks=[1985, 1986, 1987], ylim=(341, 354))
axes[0, 1].legend(loc="upper left", ncols=3)
figure.savefig("irregular_series.png")
