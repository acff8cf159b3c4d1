"""Training: one loop, its settings and its checkpoints."""
