"""The file of a monitor: its schema, a checksum, and the state as torch writes it."""

import hashlib
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from .._files import PathLike, write_whole

_SCHEMA = 1
_HEAD = b"fastspec monitor "
_ZIP = b"PK\x03\x04"  # how a file begins that torch.save wrote: those of before there was a schema


def write_state(path: PathLike, state: dict[str, Any]) -> None:
    """Whole or not at all: ``fastspec monitor <schema> <sha256 of schema and state>``, a line end, the state."""
    content = BytesIO()
    torch.save(state, content)
    write_whole(path, b"%b%d %b\n%b" % (_HEAD, _SCHEMA, _digest(_SCHEMA, content.getvalue()), content.getvalue()))


def read_state(path: PathLike, names: set[str]) -> dict[str, Any]:
    """What :func:`write_state` wrote, by these names; tensors and plain values only, never code.

    Raises:
        OSError: where the file cannot be read.
        ValueError: where it is damaged, of a later schema, or no monitor's.
    """
    content = Path(path).read_bytes()
    if content.startswith(_HEAD):
        content = _checked(path, content)
    elif content.startswith(_ZIP):
        content = _checked_entries(path, content)
    else:
        raise ValueError(f"path: {path} was no monitor's file, or its beginning is damaged")
    try:
        state = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen kinds, in words of its own
        raise ValueError(f"path: {path} was no monitor's file: torch cannot read it") from error
    if not isinstance(state, dict) or not names <= state.keys():
        raise ValueError(f"path: {path} was no monitor's file, it must hold {', '.join(sorted(names))}")
    return state


def _digest(schema: int, content: bytes) -> bytes:
    return hashlib.sha256(b"%d\n%b" % (schema, content)).hexdigest().encode()


def _checked(path: PathLike, content: bytes) -> bytes:
    """The state's bytes."""
    head, _, state = content.partition(b"\n")
    schema, _, digest = head.removeprefix(_HEAD).partition(b" ")
    if not schema.isdigit() or _digest(int(schema), state) != digest:
        raise ValueError(f"path: {path} is damaged: its checksum is not that of its content")
    if int(schema) > _SCHEMA:
        raise ValueError(
            f"path: {path} has schema {int(schema)}, written by a later fastspec; this one reads {_SCHEMA}"
        )
    return state


def _checked_entries(path: PathLike, content: bytes) -> bytes:
    """The same entries, by the checksums that zip keeps of each, written anew: torch would heed neither those nor marks
    in the directory that turn an entry into zeros."""
    fresh = BytesIO()
    try:
        with zipfile.ZipFile(BytesIO(content)) as entries, zipfile.ZipFile(fresh, "w") as copied:
            for entry in entries.infolist():
                copied.writestr(zipfile.ZipInfo(entry.filename), entries.read(entry))
    except Exception as error:  # zipfile raises what it stumbles over
        raise ValueError(f"path: {path} is damaged: its entries are not what their checksums say") from error
    return fresh.getvalue()
