"""``python -m stream.cli``: the command, from a checkout."""

from .app import main

main()
