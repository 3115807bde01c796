"""The demo: a clip with a portrait that changes its expression, made without any download."""
