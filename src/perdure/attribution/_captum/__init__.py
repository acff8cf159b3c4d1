"""Adapters to other libraries: the edge of the house."""
