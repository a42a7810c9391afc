"""The transform of the points' coordinate along one direction, for data of many dimensions."""

from torch import Tensor

from ..directions import principal_direction, unit_direction
from ..tracked import line_peaks
from .method import Request
from .spectral import Spectral, checked_wavenumbers, target_magnitude


class Projection(Spectral):
    name = "projection"
    takes_direction = True

    def __init__(self, request: Request):
        x, given = request.x, request.direction
        self.direction = principal_direction(x) if given is None else unit_direction(given, x)
        super().__init__(request, x.double() @ self.direction[:, None])

    def found(self, request: Request, x: Tensor, count: int | None) -> Tensor:
        if not isinstance(request.modes, Tensor):
            return super().found(request, x, count)
        listed = checked_wavenumbers("modes", request.modes, 1)
        if request.bands is not None:
            return listed
        return listed[line_peaks(target_magnitude(request, x, listed, self.period), count)]
