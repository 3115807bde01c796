"""Live outputs: files, network streams, windows, virtual cameras, recordings."""
