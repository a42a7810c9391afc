"""Sums at wavenumbers that the user lists, in any dimension."""

from torch import Tensor

from .method import Request
from .spectral import Spectral, checked_wavenumbers, target_magnitude


class Frequencies(Spectral):
    name = "frequencies"

    def __init__(self, request: Request):
        super().__init__(request, request.x)

    def found(self, request: Request, x: Tensor, count: int | None) -> Tensor:
        if not isinstance(request.modes, Tensor):
            kind = type(request.modes).__name__
            raise TypeError(f"modes: was {kind}, must be a tensor of wavenumbers for 'frequencies'")
        listed = checked_wavenumbers("modes", request.modes, x.shape[1])
        if request.bands is not None or count is None:
            return listed
        largest = target_magnitude(request, x, listed, self.period).topk(min(count, len(listed)))
        return listed[largest.indices.sort().values.cpu()]
