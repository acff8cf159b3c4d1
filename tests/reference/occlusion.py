"""Occlusion, site by site and window by window, one sample at a time."""

import itertools
import math

import torch


def occlusion(function, x, baseline, window, stride):
    """Give each site of one sample the mean drop over the windows that cover it."""
    drops, counts = torch.zeros_like(x), torch.zeros_like(x)
    starts = []
    for size, wide, step in zip(x.shape, window, stride, strict=True):
        starts.append([step * k for k in range(math.ceil(max(size - wide, 0) / step) + 1)])
    for first in itertools.product(*starts):
        where = tuple(slice(a, a + wide) for a, wide in zip(first, window, strict=True))
        hidden = x.clone()
        hidden[where] = baseline[where]
        drops[where] += function(x) - function(hidden)
        counts[where] += 1
    return drops / counts
