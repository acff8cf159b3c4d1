"""Conversion of methods, metrics and maps to objects of other libraries, and of their models to ours."""
