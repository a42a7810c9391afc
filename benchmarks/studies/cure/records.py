"""Runs as rows of a CSV file, appended as they come, so that a study goes on where it was stopped."""

import csv
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from .problem import Setting, Side, Task
from .train import Run


@dataclass(frozen=True)
class Record:
    task: str
    method: str
    seed: int
    rate: float
    swept: float
    steps: int | None
    seconds: float | None
    held_out: float
    worst: float
    ran: int
    took: float

    @classmethod
    def of(cls, task: Task, side: Side, seed: int, setting: Setting, run: Run) -> "Record":
        return cls(task.name, side.name, seed, setting.rate, setting.swept, **asdict(run))

    @property
    def setting(self) -> Setting:
        return Setting(self.rate, self.swept)


KINDS = {"task": str, "method": str, "seed": int, "steps": int, "ran": int}
DIGITS = {"seconds": 4, "took": 4, "held_out": 6, "worst": 5}


class Records:
    def __init__(self, path: Path | None):
        self.path, self.rows = path, []
        if path is not None and path.exists():
            with path.open(newline="") as file:
                self.rows = [_read(row) for row in csv.DictReader(file)]

    def of(self, task: Task, side: Side) -> list[Record]:
        return [row for row in self.rows if (row.task, row.method) == (task.name, side.name)]

    def add(self, row: Record) -> None:
        self.rows.append(row)
        if self.path is not None:
            with self.path.open("a", newline="") as file:
                writer = csv.DictWriter(file, [field.name for field in fields(Record)])
                if file.tell() == 0:
                    writer.writeheader()
                writer.writerow(_written(row))


def _read(row: dict[str, str]) -> Record:
    values = {name: None if text == "" else KINDS.get(name, float)(text) for name, text in row.items()}
    return Record(**{name: math.nan if value is None and name == "rate" else value for name, value in values.items()})


def _written(row: Record) -> dict:
    out = asdict(row)
    for name, digits in DIGITS.items():
        out[name] = None if out[name] is None else round(out[name], digits)
    return out | {"rate": None if math.isnan(row.rate) else row.rate}
