"""Pages: their layout, and HTML that holds everything it shows."""
