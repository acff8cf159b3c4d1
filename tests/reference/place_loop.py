"""Metrics that compare places, and similarities of maps, as loops written from their definitions."""

import numpy as np


def position_rows(values, truth, mask, absolute):
    """For each sample the signed sum of each valid step and whether any of its numbers is true."""
    for v, b, m in zip(values.tolist(), truth.tolist(), mask.tolist(), strict=True):
        sums = [sum(row) for row, valid in zip(v, m, strict=True) if valid]
        yield [abs(s) for s in sums] if absolute else sums, [any(row) for row, ok in zip(b, m, strict=True) if ok]


def hit_rate(values, truth):
    """Place by place down the ranking; ties as the mean over the tied."""
    size, result, left = sum(truth), 0.0, sum(truth)
    for level in sorted(set(values), reverse=True):
        tied = [b for v, b in zip(values, truth, strict=True) if v == level]
        taken = min(left, len(tied))
        result, left = result + sum(tied) * taken / len(tied), left - taken
    return result / size


def pointing(values, truth):
    highest = [b for v, b in zip(values, truth, strict=True) if v == max(values)]
    return sum(highest) / len(highest)


def heat(values):
    largest = max(*values, 0.0)
    return [max(v, 0.0) / largest if largest else 0.0 for v in values]


def iou_curve(values, truth):
    rows = []
    for k in range(50):
        hot = [h > k / 50 for h in values]
        both = sum(h and b for h, b in zip(hot, truth, strict=True))
        rows.append(both / sum(h or b for h, b in zip(hot, truth, strict=True)))
    return rows


def heat_ratio_curve(values, truth, weighted, published):
    """`values` are heats in [0, 1]."""
    s, b = np.array(values), np.array(truth)
    warm = s >= 0.1
    if not warm.any():
        return [0.0 if published else b.mean()] * 11
    ratios = []
    for q in range(11):
        above = warm & (s >= min(np.quantile(s[warm], q / 10), 0.99 * s.max()))
        worth = s if weighted else np.ones_like(s)
        ratios.append(worth[above & b].sum() / (above.sum() if published else worth[above].sum()))
    return ratios


def ranks(values):
    return [sum(o < v for o in values) + (sum(o == v for o in values) + 1) / 2 for v in values]


def spearman(a, b):
    x, y = np.array(ranks(a)), np.array(ranks(b))
    if x.std() == 0 or y.std() == 0:
        return float(x.std() == y.std())
    return float(((x - x.mean()) * (y - y.mean())).mean() / (x.std() * y.std()))


def ssim(a, b, window=5):
    """One image of one channel, values in [0, 1]."""
    result = []
    for i in range(a.shape[0] - window + 1):
        for j in range(a.shape[1] - window + 1):
            x, y = (item[i : i + window, j : j + window].ravel() for item in (a, b))
            (vx, c), (_, vy) = np.cov(x, y)
            level = (2 * x.mean() * y.mean() + 1e-4) / (x.mean() ** 2 + y.mean() ** 2 + 1e-4)
            result.append(level * (2 * c + 9e-4) / (vx + vy + 9e-4))
    return float(np.mean(result))
