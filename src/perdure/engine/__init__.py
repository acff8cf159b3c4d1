"""The same work over many samples, in pieces that survive an interruption."""
