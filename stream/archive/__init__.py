"""Long films: planned once, rendered in pieces by any number of workers, joined without encoding again."""
