"""The metrics as loops over samples and sites, written from their definitions."""

import math
from itertools import groupby, product


def rescale(values):
    low, high = min(values), max(values)
    return [(v - low) / (high - low) if high > low else 0.0 for v in values]


def weighted_jaccard(values, truth):
    s = rescale(values)
    return sum(map(min, truth, s)) / sum(map(max, truth, s))


def euclidean(values, truth):
    return math.dist(truth, rescale(values)) / math.sqrt(sum(truth))


def chances(values, truth):
    """The chance of each site to be among the top |b| when ties are broken at random."""
    size = sum(truth)
    for v in values:
        above = sum(other > v for other in values)
        tied = sum(other == v for other in values)
        yield min(max(size - above, 0) / tied, 1.0)


def jaccard(values, truth):
    common = sum(c * b for c, b in zip(chances(values, truth), truth, strict=True))
    return common / (2 * sum(truth) - common)


def enrichment(values, truth):
    sites = zip(rescale(values), chances(values, truth), truth, strict=True)
    return sum(b * (s * c - s * (1 - c)) for s, c, b in sites) / sum(truth)


def auprc(values, truth):
    """Sum of precision times gain in recall, one threshold after the other."""
    area, result, seen = 0.0, 0, 0
    ranked = sorted(zip(values, truth, strict=True), reverse=True)
    for _, group in groupby(ranked, key=lambda pair: pair[0]):
        hits = [b for _, b in group]
        result, seen = result + sum(hits), seen + len(hits)
        area += sum(hits) / sum(truth) * result / seen
    return area


def auroc(values, truth):
    """The fraction of pairs of a true and another site in the right order, ties half."""
    inside = [v for v, b in zip(values, truth, strict=True) if b]
    outside = [v for v, b in zip(values, truth, strict=True) if not b]
    return sum((a > b) + (a == b) / 2 for a, b in product(inside, outside)) / (len(inside) * len(outside))


def vanishing(rows):
    """Index, profile over 20 bins and slope of a list of steps, each a list of features."""
    mass = [sum(abs(v) for v in row) for row in rows][::-1]
    steps, total = len(mass), sum(mass)
    index = sum(m / total * (1 - 2 * d / (steps - 1)) for d, m in enumerate(mass))
    profile = [
        sum(
            m / total * max(0.0, min((d + 1) / steps, (k + 1) / 20) - max(d / steps, k / 20)) * steps
            for d, m in enumerate(mass)
        )
        for k in range(20)
    ]
    middle = (steps - 1) / 2
    logs = [math.log(max(m / total, 1e-30)) for m in mass]
    slope = sum((d - middle) * y for d, y in enumerate(logs)) / sum((d - middle) ** 2 for d in range(steps))
    return index, profile, slope
