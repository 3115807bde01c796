"""Nets, their weights with cards, and what runs them fast."""

from .emotion import LoadedNet, load
from .runners.selection import Runner, open_runner
from .spec import NetSpec, net_names, read_spec

__all__ = ["LoadedNet", "NetSpec", "Runner", "load", "net_names", "open_runner", "read_spec"]
