"""Claim: in a training step the spectral loss costs little more than mean squared error.

A network of four hidden layers of 256 on 1e5 points, Adam, the step as one CUDA graph, with SpectralLoss and with
MSELoss. Target: the ratio at most 1.1.
"""

from collections.abc import Iterator

import torch
from torch import nn

import fastspec as fs
from benchmarks.clocks import CUDA, Call, Graph
from benchmarks.measure import Benchmark, Case, Figure, Row, Size
from benchmarks.problems import Problem, problem
from benchmarks.report import main

TARGET = 1.1
SIZES = (2, 256, 256, 256, 256)


def step(p: Problem, loss: nn.Module) -> Call:
    torch.manual_seed(0)
    layers = [layer for a, b in zip(SIZES, SIZES[1:], strict=False) for layer in (nn.Linear(a, b), nn.Tanh())]
    model = nn.Sequential(*layers, nn.Linear(SIZES[-1], 1)).to(p.device)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, capturable=p.device == "cuda")
    target = p.target.unsqueeze(-1)

    def once():
        optimizer.zero_grad(set_to_none=True)
        value = loss(model(p.x), target)
        value.backward()
        optimizer.step()
        return value

    return once


def measure(case: Case, seconds: float) -> Iterator[Row]:
    p = problem(case.size, device=CUDA.device)
    losses = {"SpectralLoss": fs.SpectralLoss(case.size.modes, x=p.x, weight=p.weight), "MSELoss": nn.MSELoss()}
    medians = CUDA.medians({name: Graph(step(p, loss)) for name, loss in losses.items()}, seconds)
    yield Row(str(case), None, *(Figure(n, 1e3 * t) for n, t in medians.items()), target=TARGET, device=CUDA.name)


CASES = [Case(Size(100_000, (128, 128)))]
BENCHMARK = Benchmark("gpu_training", CASES, measure, quick=CASES, rows_per_case=1, device="cuda")

if __name__ == "__main__":
    main(BENCHMARK, __doc__)
