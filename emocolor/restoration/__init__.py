"""Filters for old footage: luma flicker and film grain."""
