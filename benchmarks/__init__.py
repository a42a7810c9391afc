"""fastspec beside its rivals: claims with their targets, on a CPU and on a GPU, and the tools and studies around them.

`fastspec bench` runs the claims; each also runs alone, from the checkout: `python -m benchmarks.claims.loss`.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
