"""The sizes that fill a GPU."""

from benchmarks.measure import Size

SIZES = (
    Size(1_000_000, (100_000,)),
    Size(1_000_000, (512, 512)),
    Size(10_000_000, (1024, 1024)),
    Size(1_000_000, (128, 128, 128)),
    Size(10_000_000, (256, 256, 256)),
)
EPS = (1e-3, 1e-6)
