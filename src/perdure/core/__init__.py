"""The nouns and the agreements; no algorithms."""
