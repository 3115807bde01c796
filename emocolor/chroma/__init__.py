"""Chroma for gray footage: from a colorizer's coarse estimates to stable chroma planes that follow edges."""
