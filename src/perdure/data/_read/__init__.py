"""Readers of tables, arrays, pictures and texts that datasets share."""
