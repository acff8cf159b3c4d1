"""Temporal attribution methods as loops over steps, features and draws, one sample at a time."""

import itertools

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


def temporal_saliency_rescaling(explain, x, start, quantile, paper):
    """Rescale the map that `explain` gives of one series, replacing one step or cell after the other."""
    original = explain(x)

    def change(where):
        changed = x.clone()
        changed[where] = start[where]
        return float((explain(changed) - original).abs().sum())

    steps, features = x.shape
    time = np.array([change(t) for t in range(steps)])
    above = time > np.quantile(time, quantile)
    cells = np.full((steps, features), 0.1)
    for t in np.flatnonzero(above):
        for d in range(features):
            cells[t, d] = change((slice(None), d) if paper else (t, d))
    if not paper:
        cells[above] = (cells[above] - cells[above].min()) / np.ptp(cells[above])
        time = (time - time.min()) / np.ptp(time)
    return torch.from_numpy(time[:, None] * cells)


def timing(gradient, x, start, free, phase, turns, stride, nodes):
    """Average gradients of one series; phase and turns of each feature are drawn before."""
    places, weights = np.polynomial.legendre.leggauss(nodes)
    total, weight = torch.zeros_like(x), torch.zeros_like(x)
    steps, features = x.shape
    for k, (place, w) in enumerate(zip((places + 1) / 2, weights / 2, strict=True)):
        point, moves = x.clone(), torch.zeros_like(x)
        for t in range(steps):
            for d in range(features):
                position = phase[d] + turns[d] / steps * t + (k * stride % nodes) / nodes
                if position % 1 < free:
                    moves[t, d] = 1
                    point[t, d] = start[t, d] + place * (x[t, d] - start[t, d])
        total += w * moves * gradient(point)
        weight += w * moves
    return (x - start) * total / weight


def shapley(function, players):
    """Average what each player adds over all orders; `function` maps the set of present players to a number."""
    total = np.zeros(players)
    orders = list(itertools.permutations(range(players)))
    for order in orders:
        for k, player in enumerate(order):
            total[player] += function(set(order[: k + 1])) - function(set(order[:k]))
    return total / len(orders)
