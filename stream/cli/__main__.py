"""``python -m stream.cli``: the command, from a checkout."""

from .start import main

main()
