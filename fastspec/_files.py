"""Files written whole or not at all, and numbers as strict JSON has them."""

import math
import os
import secrets
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PathLike = str | os.PathLike[str]

_NAMES = {math.inf: "Infinity", -math.inf: "-Infinity"}


def write_whole(path: PathLike, content: bytes | str) -> None:
    """Write ``content`` beside ``path``, sync it to the disk, and give it the path's name; text as UTF-8.

    Whatever happens before the last step, a full disk, an interrupt or a crash, an earlier file stays as it was. What
    is no plain file, such as /dev/stdout or a pipe, has no earlier content and is written to.

    Raises:
        OSError: where the file cannot be written; nothing is left beside it.
    """
    content = content.encode() if isinstance(content, str) else content
    target = Path(os.path.realpath(path))  # a link goes on to point at the file
    if target.exists() and not target.is_file():
        target.write_bytes(content)
        return
    beside = target.with_name(f".fastspec-{secrets.token_hex(8)}.tmp")
    try:
        with beside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            beside.chmod(target.stat().st_mode & 0o7777)
        os.replace(beside, target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """So that the new name outlives a power cut; the file is in place either way."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # one that may be written to but not read
        return
    try:
        os.fsync(handle)
    except OSError:  # file systems without such a thing
        pass
    finally:
        os.close(handle)


def write_figure(path: PathLike, figure: "Figure", dpi: int) -> None:
    """``figure.savefig``, whole or not at all: the format is the path's suffix, or else matplotlib's own, appended."""
    from matplotlib import rcParams

    path, drawn = Path(path), BytesIO()
    kind = path.suffix[1:].lower()
    if not kind:
        kind = rcParams["savefig.format"]
        path = path.with_name(f"{path.name.rstrip('.')}.{kind}")
    figure.savefig(drawn, format=kind, dpi=dpi)
    write_whole(path, drawn.getvalue())


def strict(value: Any) -> Any:
    """``value`` with each float that JSON has no number for as its name: "NaN", "Infinity", "-Infinity".

    These are the names that Protocol Buffers' JSON uses; ``float(name)`` reads them back. Tuples become lists, and keys
    are left as they are.
    """
    if isinstance(value, dict):
        return {key: strict(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [strict(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return _NAMES.get(value, "NaN")
    return value
