"""Whether another training run would be explained the same way."""
