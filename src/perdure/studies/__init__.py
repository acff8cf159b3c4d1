"""Studies, one paper's experiment per file."""
