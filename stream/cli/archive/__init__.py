"""Long films on the command line."""
