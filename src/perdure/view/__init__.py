"""The explorer of a run folder in the browser; everything in it only reads."""
