"""All of them on this device, as `make gpu` does; CSV and a plot to DIR, $OUT or benchmarks/results.

python -m benchmarks.gpu [--quick] [--out DIR]
"""

from benchmarks.report import parsed
from benchmarks.suite import GPU

if __name__ == "__main__":
    given = parsed(__doc__, "cuda")
    GPU.run([], given.quick, given.seconds, given.out)
