"""Landscape: the loss between trained weights, and paths across it."""
