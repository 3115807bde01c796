"""The live mode: newest frame wins, within a latency budget, for hours."""
