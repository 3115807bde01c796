"""Nets, their weights with cards, and what runs them fast."""

from .load import LoadedNet, load
from .spec import NetSpec, net_names, read_spec

__all__ = ["LoadedNet", "NetSpec", "load", "net_names", "read_spec"]
