"""Files and pipes at the edge: outputs that appear whole or not at all, and waits that a stop ends."""
