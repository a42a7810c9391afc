"""Failures of tests, written as they happen."""

from pathlib import Path

NAME = "failures.txt"


def note_failure(report, folder: Path) -> None:
    """Adds what pytest reports of a test that failed to the file of failures in a folder."""
    if report.failed:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / NAME).open("a") as file:
            file.write(f"{report.nodeid}, {report.when}\n{report.longreprtext}\n\n")
