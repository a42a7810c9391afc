"""All of them on this device, as `make gpu` does, or those named; CSV and a plot to DIR, $OUT or benchmarks/results.

python -m benchmarks.gpu [NAME ...] [--quick] [--seconds S] [--out DIR]
"""

from benchmarks.report import parsed
from benchmarks.suite import GPU

if __name__ == "__main__":
    given = parsed(__doc__, "cuda", GPU.names())
    GPU.run(given.names, given.quick, given.seconds, given.out)
