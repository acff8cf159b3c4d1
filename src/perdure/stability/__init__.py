"""Stability of explanations over several training runs of one model."""
