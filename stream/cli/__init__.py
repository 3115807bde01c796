"""The command ``emocolor-stream``: parse, call, print."""

from .app import main

__all__ = ["main"]
