"""Pieces on other machines: results behind a URL, and Ray, which decides where a piece is rendered."""
