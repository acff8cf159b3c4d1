"""Audits: a model and data in, verdicts out."""
