"""Filters for old footage, on luma: flicker and film grain."""
