"""A file for each claim on a CUDA device, as in claims/; `python -m benchmarks.gpu` runs them all."""
