"""What is ours in the terms of other libraries: methods, metrics and maps that are handed over."""
