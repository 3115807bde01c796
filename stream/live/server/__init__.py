"""The HTTP server: the page, WHIP and WHEP, metrics."""
