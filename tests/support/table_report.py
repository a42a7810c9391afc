"""A pytest plugin that writes the table of torch's features from what its tests found: see `make table`."""

from collections import defaultdict
from pathlib import Path

import torch

SIGNS = {"right": "✓", "refused": "refused", "failed": "**wrong**"}
HEAD = """# fastspec and torch

Written by `make table` from the outcome of `tests/test_torch.py`, torch {version}. Each cell is a test:

- ✓ the same numbers, derivatives included, as plain torch gives for the sums written out, by either algorithm;
- refused: an error that says so and what to do instead, which the test reads;
- a dash: the two have nothing to do with each other.

Without `fullgraph=True` what is refused under `torch.compile` is not compiled, and right. Compiled functions hold
points that do not require a gradient as they were when they were sorted: see `fs.Plan`.

"""


def pytest_addoption(parser):
    parser.addoption("--table", help="the file to write")


def pytest_configure(config):
    if config.getoption("--table"):
        config.pluginmanager.register(Table(Path(config.getoption("--table"))), "table of torch's features")


class Table:
    """Outcomes of (feature, operation), the worst of those that a cell has."""

    def __init__(self, path: Path):
        self.path, self.cells = path, defaultdict(dict)
        self.operations: list[str] = []

    def pytest_collection_modifyitems(self, items):
        for item in items:
            names = getattr(item, "callspec", None) and item.callspec.params
            if names and {"feature", "operation"} <= set(names):
                item.user_properties.append(("names", (names["feature"], names["operation"])))

    def pytest_runtest_logreport(self, report):
        found = dict(report.user_properties)
        if report.when != "call" or "names" not in found or report.skipped:
            return
        feature, operation = found["names"]
        outcome = found["cell"][2] if "cell" in found else "refused"  # where a test has no cell, it is of a refusal
        row = self.cells[feature]
        if operation not in self.operations:
            self.operations.append(operation)
        if report.failed or row.get(operation) != "failed":
            row[operation] = "failed" if report.failed else outcome

    def pytest_sessionfinish(self):
        lines = [f"| | {' | '.join(self.operations)} |", "|---|" + ":-:|" * len(self.operations)]
        for feature, row in self.cells.items():
            signs = [SIGNS[row[name]] if name in row else "—" for name in self.operations]
            lines.append(f"| {feature} | {' | '.join(signs)} |")
        version = torch.__version__.partition("+")[0]
        self.path.write_text(HEAD.format(version=version) + "\n".join(lines) + "\n")
