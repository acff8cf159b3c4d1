"""Datasets, one per file: batches, with the truth where it is known."""
