"""The loss between trained weights, and low-loss paths."""
