"""Pages and figures: the only package that draws."""
