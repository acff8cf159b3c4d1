"""Integrated gradients as the mean of many gradients at the midpoints of equal pieces, one sample at a time."""

import torch


def integrated_gradients(function, x, baseline, pieces):
    """Give (x - baseline) times the mean gradient of a scalar function of one sample."""
    total = torch.zeros_like(x)
    for k in range(pieces):
        point = (baseline + (k + 0.5) / pieces * (x - baseline)).requires_grad_()
        total += torch.autograd.grad(function(point), point)[0]
    return (x - baseline) * total / pieces
