"""Stages in threads, joined by bounded channels."""
