"""Paths between two trainings: found once, kept, and looked at on the way."""
