"""Clocks: what times calls on a CPU and on a CUDA device. On both the calls take turns, and medians count."""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

PAUSE, TURN = 0.03, 0.03  # seconds
PATIENCE = 10  # times longer on the wall than wanted by the clock: then what there is must do
AHEAD = 400_000  # cycles of a GPU, some 0.2 ms, in which the host sets up what is timed without its time

Call = Callable[[], Any]
Medians = dict[str, float]  # seconds


@dataclass
class WallClock:
    device: str = "cpu"
    threads: tuple[int | None, ...] = (1, 2)  # what is timed is timed with each
    now: Callable[[], float] = time.perf_counter

    @property
    def name(self) -> str:
        return self.device

    def settings(self) -> Iterator[int | None]:
        """Each number of threads, once torch has it."""
        for threads in self.threads:
            self.use(threads)
            yield threads

    def use(self, threads: int | None) -> None:
        torch.set_num_threads(threads)

    def ways(self, name: str, call: Call) -> dict[str, Call]:
        """The ways to make a call that are told apart."""
        return {name: call}

    def medians(self, calls: dict[str, Call], seconds: float, at_least: int = 5) -> Medians:
        """The calls taking turns, so that a busy moment of the machine hits them alike.

        A turn is several calls, as in a training loop, after a pause: torch's idle threads spin for some milliseconds,
        and would take a processor from the next library. The first call of a turn, which wakes the threads, is not
        counted.
        """
        times: dict[str, list[float]] = {name: [] for name in calls}
        for call in calls.values():
            call()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(next(iter(times.values()))) < at_least:
            for name, call in calls.items():
                time.sleep(PAUSE)
                times[name] += self.turn(call)[1:]
        return {name: statistics.median(values) for name, values in times.items()}

    def turn(self, call: Call) -> list[float]:
        """At least three calls, until they took long enough; a clock that hardly moves is not waited for."""
        times: list[float] = []
        end = time.perf_counter() + PATIENCE * TURN
        while len(times) < 3 or (sum(times) < TURN and time.perf_counter() < end):
            times.append(self.seconds(call))
        return times

    def seconds(self, call: Call) -> float:
        start = self.now()
        call()
        return self.now() - start


@dataclass
class EventClock:
    """By the device's own events; the host's threads stay as they are."""

    device: str = "cuda"
    threads: tuple[int | None, ...] = (None,)
    graphs: bool = True  # whether ours is timed as a CUDA graph too, without the host's time

    @property
    def name(self) -> str:
        return torch.cuda.get_device_name()

    def settings(self) -> Iterator[int | None]:
        yield from self.threads

    def use(self, threads: int | None) -> None:
        pass

    def ways(self, name: str, call: Call) -> dict[str, Call]:
        return {name: call, f"{name}, as a graph": Graph(call)} if self.graphs else {name: call}

    def medians(self, calls: dict[str, Call], seconds: float, at_least: int = 5) -> Medians:
        """Until the device was busy that long, after two of each call to tune and warm up."""
        times: dict[str, list[float]] = {name: [] for name in calls}
        for call in calls.values():
            call()
            call()
        torch.cuda.synchronize()
        spent, end = 0.0, time.perf_counter() + PATIENCE * seconds
        while (spent < seconds and time.perf_counter() < end) or len(next(iter(times.values()))) < at_least:
            for name, call in calls.items():
                times[name].append(self.seconds(call))
                spent += times[name][-1]
        return {name: statistics.median(values) for name, values in times.items()}

    def seconds(self, call: Call) -> float:
        """Of a graph the device's time alone: kept busy meanwhile, it begins when all of it is in its queue."""
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        if isinstance(call, Graph):
            torch.cuda._sleep(AHEAD)
        start.record()
        call()
        end.record()
        end.synchronize()
        return 1e-3 * start.elapsed_time(end)


@dataclass
class Graph:
    """A call as one CUDA graph. The call is kept, for the graph reads and writes the tensors it holds."""

    call: Call
    graph: Any = field(init=False)
    out: Any = field(init=False)

    def __post_init__(self):
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.call()
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.out = self.call()

    def __call__(self) -> Any:
        self.graph.replay()
        return self.out


Clock = WallClock | EventClock

CPU = WallClock()
ONE_THREAD = WallClock(threads=(1,), now=time.process_time)  # what else the machine does takes none of this time
CUDA = EventClock()
EAGER = EventClock(graphs=False)  # for graphs on both sides, and calls beside which the host's time is nothing


def clock_of(device: str) -> Clock:
    return CUDA if device == "cuda" else CPU
