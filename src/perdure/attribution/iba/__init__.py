"""Bottlenecks of noise: the search for what must pass, and the generative stage before it."""
