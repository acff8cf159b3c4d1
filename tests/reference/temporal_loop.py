"""Temporal attribution methods as loops over steps, features and draws, one sample at a time."""

import numpy as np
import torch


def temporal_integrated_gradients(function, x, start, nodes):
    """Integrate the gradient of each step of one series; `function` maps a series of any length to a number."""
    places, weights = np.polynomial.legendre.leggauss(nodes)
    result = torch.zeros_like(x)
    for t in range(len(x)):
        for place, weight in zip((places + 1) / 2, weights / 2, strict=True):
            step = (start[t] + place * (x[t] - start[t])).requires_grad_()
            value = function(torch.cat([x[:t], step[None]]))
            result[t] += weight * (x[t] - start[t]) * torch.autograd.grad(value, step)[0]
    return result
