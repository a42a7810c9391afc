"""The README's examples run as they stand, and tell what the README says that they tell."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
EXAMPLES = re.findall(r"```python\n(.*?)```\n\n```\n(.*?)```", README.read_text(), re.DOTALL)


def test_all_code_is_an_example_with_its_output():
    assert len(EXAMPLES) == README.read_text().count("```python") == 2


@pytest.mark.parametrize(("code", "said"), EXAMPLES, ids=["retune", "kernel"])
def test_example_cures_as_it_says(code, said, tmp_path):
    assert code.startswith("import torch\nimport fastspec as fs\n")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    told, printed = said.splitlines(), done.stdout.splitlines()
    assert [line.split()[0] for line in printed] == [line.split()[0] for line in told]
    without, cured = (ast.literal_eval(line[len("without ") :]) for line in printed[-2:])
    highest = max(without)
    assert without[highest] is None and cured[highest] < 1000
