"""Runs the README's first example and draws docs/co2.png of its two trainings: python -m benchmarks.tools.readme"""

import re
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from fastspec._files import write_figure
from fastspec.measure.heatmap import add_colorbar

ROOT = Path(__file__).parents[2]
TITLES = {"before": "the network as it is", "after": "the same network, retuned"}


def example() -> dict[str, Any]:
    """The names that the first example leaves."""
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[:1]
    names: dict[str, Any] = {}
    exec(code, names)
    return names


def draw(names: dict[str, Any]) -> Figure:
    """The data's spectrum, and below it error over steps, without and with."""
    figure = Figure(figsize=(8, 6), layout="constrained")
    spectrum, *panels = figure.subplots(3, 1, height_ratios=(2, 1, 1))
    names["spectrum"].plot(ax=spectrum)
    for panel, (name, title) in zip(panels, TITLES.items(), strict=True):
        names[name].plot(ax=panel)
        panel.set_title(title, fontsize="medium", loc="left")
    add_colorbar(figure, panels)
    return figure


if __name__ == "__main__":
    write_figure(ROOT / "docs" / "co2.png", draw(example()), dpi=120)
