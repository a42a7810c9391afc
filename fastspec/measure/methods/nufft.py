"""The nonuniform Fourier transform at the points, on a grid of modes."""

from .method import Request
from .spectral import Spectral


class Nufft(Spectral):
    name = "nufft"

    def __init__(self, request: Request):
        super().__init__(request, request.x)
