import torch
from torch import Tensor, nn

from .grouped import check_sizes


class DeepFrequencyFilter(nn.Module):
    """Deep frequency filtering of a feature map, its mask made from the map's own spectrum (arXiv 2203.12198).

        F = rfft2(x),   E = ReLU(BN(conv1x1([Re F, Im F]))),   m = sigmoid(conv7x7([mean_c E, max_c E]))

    and the output is irfft2(m E') with E' the embedded spectrum E, as complex numbers again, or F itself. The mask, one
    number per frequency, differs from one instance to another; it lets a network drop frequencies that do not carry
    over to other domains. Put it after a stage of a convolutional network.

    Args:
        channels: C.
        kernel_size: of the mask's convolution, odd.
        embed: filter the embedded spectrum E, as the paper does; otherwise the spectrum F itself, which makes the
            module a pure filter: with a mask of ones it is the identity.

    Shapes: real ``(B, C, H, W)`` to the same. float16 and bfloat16 have no FFT of every size and are filtered in
        float32.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """

    def __init__(self, channels: int, kernel_size: int = 7, embed: bool = True):
        super().__init__()
        check_sizes(channels=channels, kernel_size=kernel_size)
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size: was {kernel_size}, must be odd")
        self.channels, self.embed = channels, embed
        self.embedding = nn.Sequential(
            nn.Conv2d(2 * channels, 2 * channels, 1, bias=False), nn.BatchNorm2d(2 * channels), nn.ReLU()
        )
        self.attention = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 4 or x.shape[1] != self.channels:
            raise ValueError(f"x: shape was {tuple(x.shape)}, must be (B, {self.channels}, H, W)")
        spectrum = torch.fft.rfft2(x.float() if x.dtype in (torch.float16, torch.bfloat16) else x, norm="ortho")
        embedded = self.embedding(torch.cat([spectrum.real, spectrum.imag], 1))
        filtered = self.mask(embedded) * (torch.complex(*embedded.chunk(2, 1)) if self.embed else spectrum)
        out: Tensor = torch.fft.irfft2(filtered, s=x.shape[-2:], norm="ortho").to(x.dtype)
        return out

    def mask(self, embedded: Tensor) -> Tensor:
        """(B, 2C, H, W//2 + 1) -> (B, 1, H, W//2 + 1), between 0 and 1."""
        pooled = torch.cat([embedded.mean(1, keepdim=True), embedded.amax(1, keepdim=True)], 1)
        return torch.sigmoid(self.attention(pooled))

    def extra_repr(self) -> str:
        return f"channels={self.channels}, embed={self.embed}"
