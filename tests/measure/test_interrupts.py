"""Ctrl-C ends long work within a second or so: no step of it is long."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

# Each takes far longer than it is given, and took seconds to hear an interrupt while it was made of fewer steps.
WORK = {
    "rates of many modes": """
layers = nn.Linear(1, 400), nn.Tanh(), nn.Linear(400, 400), nn.Tanh(), nn.Linear(400, 1)
fs.measure.ntk_rates(nn.Sequential(*layers), torch.rand(4000, 1), 2048)
""",
    "lines in many dimensions": """
fs.measure.dominant_frequencies(torch.rand(60_000, 8), torch.randn(60_000), 12, max_frequency=1.0)
""",
    "points that nearly coincide": """
x = torch.rand(1900, dtype=torch.float64)
x[1::2] = x[::2] + 1e-9
for _ in range(20):
    dense.solve(x[:, None], x[None].sin(), torch.ones(2001, dtype=torch.float64), [1.0], 0.0)
""",
    "conjugate gradients": """
x = torch.rand(100_000, 2)
for _ in range(100):
    fs.theory.min_norm_interpolant(x, x[:, 0], 3.0, (151, 151), ridge=1e-12, tol=1e-15, max_iterations=10**6)
""",
}

SCRIPT = """
import json, sys, time
import torch
from torch import nn
import fastspec as fs
from fastspec.theory import dense
torch.set_num_threads(1)
for work in json.loads(sys.argv[1]):
    try:
        print("ready", flush=True)
        exec(work)
        print("ended", flush=True)
    except KeyboardInterrupt:
        print(time.monotonic(), flush=True)
"""


@pytest.fixture(scope="module")
def seconds_to_hear() -> dict[str, float]:
    """Of an interrupt a second after each work began, one after the other in a process of their own."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, json.dumps(list(WORK.values()))]
    found = {}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        for name in WORK:
            assert process.stdout.readline() == "ready\n"
            time.sleep(1)
            sent = time.monotonic()
            process.send_signal(signal.SIGINT)
            said = process.stdout.readline()
            assert said != "ended\n", f"{name}: the work was too short to be interrupted"
            found[name] = float(said) - sent
    return found


@pytest.mark.parametrize("name", WORK)
def test_an_interrupt_is_heard(name, seconds_to_hear):
    """Within a second on a processor of its own; beside other work, with some patience."""
    assert seconds_to_hear[name] < 2
