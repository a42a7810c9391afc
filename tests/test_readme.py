"""The README's example runs as it stands, and tells what the README says that it tells."""

import ast
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def test_example_cures_as_it_says(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert code.startswith("import torch\nimport fastspec as fs\n")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    without, cured = (ast.literal_eval(line[len("without ") :]) for line in done.stdout.splitlines())
    assert without[30.0] is None and cured[30.0] < 1000
