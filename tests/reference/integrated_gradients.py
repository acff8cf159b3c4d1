"""Integrated gradients as the mean of many gradients at the midpoints of equal pieces, one sample at a time."""

import torch


def integrated_gradients(function, x, baseline, pieces):
    """Give (x - baseline) times the mean gradient; the function takes many points and gives a scalar for each."""
    steps = (torch.arange(pieces, dtype=x.dtype) + 0.5) / pieces
    points = torch.stack([baseline + step * (x - baseline) for step in steps]).requires_grad_()
    gradients = torch.autograd.grad(function(points).sum(), points)[0]
    return (x - baseline) * gradients.mean(0)
