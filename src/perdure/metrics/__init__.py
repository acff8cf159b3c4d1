"""Metrics, one per file, and the door to them."""
