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


def winit(predict, x, replacements, window):
    """Give one series (time, window, feature) importances; `replacements(first, last)` lists series for these steps."""
    steps, features = x.shape
    result = torch.zeros(steps, window, features, dtype=torch.float64)
    for b in range(steps):
        for d in range(features):
            previous = 0.0
            for n in range(min(window, b + 1)):
                total = []
                for values in replacements(b - n, b):
                    changed = x[: b + 1].clone()
                    changed[b - n :, d] = values[:, d]
                    total.append(float((predict(x[: b + 1]) - predict(changed)).abs().sum()))
                result[b - n, n, d] = np.mean(total) - previous
                previous = np.mean(total)
    return result


def fit(predict, x, replacements):
    """Give one series (time, feature) what each feature explains of the change at its step."""

    def divergence(p, q):
        return float((p * (p / q).log()).sum())

    result = torch.zeros(x.shape, dtype=torch.float64)
    for t in range(1, len(x)):
        after, before = predict(x[: t + 1]), predict(x[:t])
        for d in range(x.shape[1]):
            left = []
            for values in replacements(t, t):
                changed = x[: t + 1].clone()
                changed[t] = values[0]
                changed[t, d] = x[t, d]
                left.append(divergence(after, predict(changed)))
            result[t, d] = divergence(after, before) - np.mean(left)
    return result


def dynamask(function, x, areas, steps, smoothness, tolerance):
    """Optimise one mask of one series after the other against zeros, and choose the smallest area that suffices."""
    whole = function(x).detach()
    unit = (whole - function(torch.zeros_like(x)).detach()) ** 2
    masks, errors = [], []
    for area in areas:
        kept = max(1, round(area * x.numel()))
        goal = torch.cat([torch.zeros(x.numel() - kept), torch.ones(kept)]).to(x)
        mask, velocity = torch.full_like(x, 0.5), torch.zeros_like(x)
        for step in range(steps):
            leaf = mask.clone().requires_grad_()
            loss = (function(leaf * x) - whole) ** 2 / unit
            loss = loss + 0.5 * 100 ** (step / (steps - 1)) * ((leaf.flatten().sort().values - goal) ** 2).mean()
            if len(x) > 1:
                loss = loss + smoothness * leaf.diff(dim=0).abs().mean()
            velocity = 0.9 * velocity - 0.1 * torch.autograd.grad(loss, leaf)[0]
            mask = (mask + velocity).clamp(0, 1)
        masks.append(mask)
        errors.append(float((function(mask * x).detach() - whole) ** 2 / unit))
    good = [i for i, error in enumerate(errors) if error <= tolerance]
    return masks[good[0] if good else int(np.argmin(errors))]
