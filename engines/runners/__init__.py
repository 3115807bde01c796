"""What runs a net: one module a runtime, and the choice among them."""
