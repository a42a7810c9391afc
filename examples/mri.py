# %% [markdown]
# # My non-Cartesian MRI
# Four coils and 48 golden-angle spokes, a quarter of what Nyquist asks for at 128 x 128 pixels. `nufft2` is the scanner
# and `nufft1` its adjoint, coils are a batch axis, and autograd goes through all of it.
# %%
import os

import matplotlib.pyplot as plt
import torch

import fastspec as fs

STEPS, N, SPOKES, SAMPLES = int(os.environ.get("STEPS", 60)), 128, 48, 256
HEAD = [(1, 0.69, 0.92, 0, 0), (-0.8, 0.65, 0.88, 0, 0), (0.3, 0.2, 0.4, 0.2 + 0.1j, -0.3), (0.6, 0.03, 0.03, 0.6j, 0)]
HEAD += [(0.4, 0.15, 0.3, 0.1j - 0.2, 0.3), (0.5, 0.12, 0.08, -0.5j, 0)]  # ellipses: size, half axes, centre, tilt


def scene(n):
    """What is in the scanner, (n, n), and the sensitivities of its coils, (4, n, n)."""
    z = torch.complex(*torch.meshgrid(*[(torch.arange(n) - n // 2) * 2 / n] * 2, indexing="xy"))
    local = [(size, a, b, (z - centre) * torch.exp(torch.tensor(-1j * tilt))) for size, a, b, centre, tilt in HEAD]
    image = sum(s * torch.sigmoid(120 * min(a, b) * (1 - torch.hypot(w.real / a, w.imag / b))) for s, a, b, w in local)
    at = 1j ** torch.arange(4).view(4, 1, 1)
    coils = at * torch.exp(-(z - at).abs().square() / 2)
    return image, coils / coils.abs().square().sum(0).sqrt()


# %% [markdown]
# **The scan**: positions k in cycles per field of view. What is scanned is four times finer than what we reconstruct.
# %%
spoke = torch.exp(1j * torch.pi * (5**0.5 - 1) / 2 * torch.arange(SPOKES))[:, None]
k = torch.view_as_real(spoke * ((torch.arange(SAMPLES) + 0.5) / SAMPLES - 0.5) * N).reshape(-1, 2)
(fine, fine_coils), (truth, coils) = scene(4 * N), scene(N)
data = fs.nufft2(k, fine_coils * fine, sign=-1, period=4.0 * N) / 16
data += 0.5 * torch.randn(data.shape, dtype=data.dtype, generator=torch.Generator().manual_seed(0))
# %% [markdown]
# **Density compensation** for any trajectory (Pipe & Menon 1999): weights whose sum under a small kernel is one. Then
# **the image**: by the compensated adjoint alone, and from there by descent on the misfit, by autograd's gradient.
# %%
plan = fs.Plan(k, (N, N), period=float(N))  # sorts the samples once
kernel = torch.outer(*[1 - (torch.arange(N) - N // 2).abs() * 2 / N] * 2)
density = torch.ones(len(k), dtype=torch.cfloat)
for _ in range(10):
    density /= plan.nufft2(kernel * plan.nufft1(density, sign=+1), sign=-1).real
images = {"truth": truth, "adjoint": (coils.conj() * plan.nufft1(density * data, sign=+1)).sum(0)}
ways = {"least squares": (1.0, 0.0), "compensated": (density.real, 0.0), "with TV": (density.real, 4e-4)}
for name, (weight, penalty) in ways.items():
    images[name] = images["adjoint"].clone().requires_grad_()
    optimizer = torch.optim.Adam([images[name]], 0.02)
    for _ in range(STEPS):
        misfit = (weight * (plan.nufft2(coils * images[name], sign=-1) - data).abs().square()).sum()
        optimizer.zero_grad()
        (misfit + penalty * sum(images[name].diff(dim=axis).abs().sum() for axis in (0, 1))).backward()
        optimizer.step()
figure, axes = plt.subplots(1, 5, figsize=(15, 3.4), layout="constrained")
for ax, (name, image) in zip(axes, images.items(), strict=True):
    ax.imshow(image.detach().abs(), cmap="gray", vmax=1, origin="lower")
    print(ax.set_title(f"{name}: {(image.detach().abs() - truth).norm() / truth.norm():.1%} off").get_text())
figure.savefig("mri.png")
