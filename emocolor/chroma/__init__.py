"""Chroma of gray footage: from coarse estimates to stable, edge-aligned chroma planes."""
