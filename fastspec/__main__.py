"""``python -m fastspec`` is the ``fastspec`` command."""

from .cli import main

main(prog_name="fastspec")
