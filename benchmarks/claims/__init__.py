"""A file for each claim on a CPU: its docstring says it, its BENCHMARK measures it."""
