"""Monitor files: damaged ones load with no other content, older ones load, and dictionaries are strict JSON."""

import json
import math
import pickle
import random

import pytest
import torch

from fastspec.measure import SpectralMonitor, saved

X = torch.rand(60, generator=torch.Generator().manual_seed(0)) * 6


@pytest.fixture
def monitor():
    m = SpectralMonitor(X, X.sin() + (2 * X).cos(), 8, peaks=torch.tensor([1, 2]))
    for step in range(12):
        m.update(step, 0.1 * step * X.sin())
    return m


@pytest.fixture
def older(monitor, monkeypatch, tmp_path):
    """A file as fastspec 0.1.0 wrote it."""
    monkeypatch.setattr("fastspec.measure.monitor.write_state", lambda path, state: torch.save(state, path))
    monitor.save(tmp_path / "older.pt")
    return tmp_path / "older.pt"


def content(m: SpectralMonitor) -> tuple:
    return m.to_dict(), m._x.tolist(), m._target.tolist()


def corrupted(whole: bytes, random: random.Random) -> bytes:
    """By one of what befalls files: bits, bytes, a stretch of zeros, a stretch lost or doubled, an end cut off."""
    data, at, size = bytearray(whole), random.randrange(len(whole)), random.choice((1, 4, 64, 512))
    kind = random.randrange(6)
    if kind == 0:
        data[at] ^= 1 << random.randrange(8)
    elif kind == 1:
        data[at] = random.randrange(256)
    elif kind == 2:
        data[at : at + size] = bytes(len(data[at : at + size]))
    elif kind == 3:
        del data[at : at + size]
    elif kind == 4:
        data[at:at] = data[at : at + size]
    else:
        del data[at:]
    return bytes(data)


def loads_of(path, count: int, seed: int):
    """What each of ``count`` corruptions loads as; None where it is refused."""
    whole, generator, found = path.read_bytes(), random.Random(seed), []
    while len(found) < count:
        data = corrupted(whole, generator)
        if data == whole:
            continue
        path.write_bytes(data)
        try:
            found.append(content(SpectralMonitor.load(path)))
        except ValueError as error:
            assert str(error).startswith("path: ") and path.name in str(error)
            found.append(None)
    return found


def test_no_damaged_file_loads(monitor, tmp_path):
    monitor.save(tmp_path / "monitor.pt")
    assert not [loaded for loaded in loads_of(tmp_path / "monitor.pt", 400, seed=0) if loaded is not None]


def test_every_bit_of_the_head_counts(monitor, tmp_path):
    path = tmp_path / "monitor.pt"
    monitor.save(path)
    whole = path.read_bytes()
    for at in range(whole.index(b"\n") + 1):
        for bit in range(8):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
            with pytest.raises(ValueError, match=r"^path: "):
                SpectralMonitor.load(path)


def test_older_files_load_and_damaged_ones_with_no_other_content(monitor, older):
    """Their entries' checksums do not cover what zip does not need: such damage changes nothing that is read."""
    held = content(monitor)
    assert content(SpectralMonitor.load(older)) == held
    for loaded in loads_of(older, 400, seed=1):
        assert loaded is None or loaded == held


def test_a_later_schema_is_said(monitor, tmp_path, monkeypatch):
    monkeypatch.setattr(saved, "_SCHEMA", 7)
    monitor.save(tmp_path / "monitor.pt")
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"^path: .* has schema 7, written by a later fastspec; this one reads 1$"):
        SpectralMonitor.load(tmp_path / "monitor.pt")


def test_other_files_are_refused(tmp_path, older):
    path = tmp_path / "other"
    with pytest.raises(FileNotFoundError):
        SpectralMonitor.load(path)
    torch.save({"weight": torch.ones(3)}, path)
    with pytest.raises(ValueError, match=r"^path: .*other was no monitor's file, it must hold .*steps"):
        SpectralMonitor.load(path)
    for data in (b"", b"PK\x03\x04", pickle.dumps({}), b"fastspec monitor ", b"fastspec monitor 1 \n"):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"^path: "):
            SpectralMonitor.load(path)
    state = torch.load(older)
    torch.save(state | {"steps": [1]}, path)
    with pytest.raises(ValueError, match=r"^path: .* errors: were \(12, 2\), which are not those of its steps"):
        SpectralMonitor.load(path)


def test_code_in_a_file_is_not_run(tmp_path, monitor):
    class Code:
        def __reduce__(self):
            return (print, ("run",))

    saved.write_state(tmp_path / "monitor.pt", {"steps": Code()})
    with pytest.raises(ValueError, match="torch cannot read it"):
        SpectralMonitor.load(tmp_path / "monitor.pt")


@pytest.mark.parametrize("bands", [None, [(0.0, 1.5), (1.5, math.inf)]])
def test_dictionaries_are_strict_json(bands):
    m = SpectralMonitor(X, X.sin() + (2 * X).cos(), 8, peaks=None if bands else 2, bands=bands)
    for step, factor in enumerate((0.5, math.nan, math.inf)):
        m.update(step, factor * X)
    held = m.to_dict()
    assert json.loads(json.dumps(held, allow_nan=False)) == held
    again = torch.tensor([[float(entry) for entry in row] for row in held["errors"]])
    torch.testing.assert_close(again, m.errors, equal_nan=True)
    assert held["first_non_finite"] == 1 and "NaN" in held["errors"][1]
    assert bands is None or held["bands"][1] == [1.5, "Infinity"]
