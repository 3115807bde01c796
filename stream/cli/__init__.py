"""The command ``emocolor-stream``: parse, call, print."""

from .start import main

__all__ = ["main"]
