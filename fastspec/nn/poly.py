from torch import Tensor, nn

from .grouped import Activation, check_sizes, checked_activation, points


class PolyNet(nn.Module):
    """Π-net in its coupled form (CCP): a network that is a polynomial (Chrysos et al., arXiv 2003.03828, eq. 2 to 4).

        x_1 = U_1 z,   x_k = (U_k z) * x_{k-1} + x_{k-1},   out = C x_N + β

    with the element-wise product *: a polynomial of degree N in z, whose coefficients are a low-rank tensor product of
    the U and C. Choraria et al. (arXiv 2202.13473) find that the products make high frequencies learnt sooner; they put
    a ReLU on every U_k z, as ``activation="relu"`` does.

    Args:
        in_features: dimension d of z.
        out_features: channels C of the output.
        width: rank, units per product.
        degree: N.
        activation: of each U_k z: a name as in :class:`MscaleMLP`, any element-wise callable, or ``None`` for none, a
            true polynomial.
        bias: constants beside each U_k z.

    Shapes: real ``(..., d)``, or ``(M,)`` for d = 1, in the dtype of the parameters, to ``(..., C)``.

    Raises:
        TypeError, ValueError: naming the argument, what it was and what it must be.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int = 1,
        *,
        width: int = 64,
        degree: int = 3,
        activation: Activation | None = None,
        bias: bool = True,
    ):
        super().__init__()
        check_sizes(in_features=in_features, out_features=out_features, width=width, degree=degree)
        self.in_features, self.width, self.degree = in_features, width, degree
        self.activation = None if activation is None else checked_activation(activation)
        self.factors = nn.Linear(in_features, degree * width, bias)
        self.output = nn.Linear(width, out_features)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.factors(points(x, self.in_features))
        if self.activation is not None:
            maps = self.activation(maps)
        first, *others = maps.chunk(self.degree, -1)
        product = first
        for other in others:
            product = other * product + product
        out: Tensor = self.output(product)
        return out

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, width={self.width}, degree={self.degree}"
