"""Networks from floats to logits."""
